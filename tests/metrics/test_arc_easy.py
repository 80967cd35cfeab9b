"""ARC-easy: the choice with the highest summed log-probability wins."""

from __future__ import annotations

from handmade import ranks, said

from memoir.metrics.arc_easy import ArcEasy
from memoir.metrics.base import Force
from memoir.types import Choice, Score

QUESTION = Choice("Which is wet?", ("sand", "water", "dry sand and stones"), 1)
PROMPT = "Which is wet?\nAnswer:"


def answers(edited: list[Score], unedited: list[Score]) -> dict[Force, Score]:
    asks = ArcEasy().asks(QUESTION)
    return dict(zip(asks, edited + unedited, strict=True))  # type: ignore[arg-type]


def test_every_choice_is_fed_after_the_question_edited_and_unedited() -> None:
    choices = QUESTION.choices
    assert ArcEasy().asks(QUESTION) == [
        *(Force(PROMPT, choice, True) for choice in choices),
        *(Force(PROMPT, choice, False) for choice in choices),
    ]


def test_the_sum_of_log_probabilities_decides_not_their_mean() -> None:
    # Sums: −1 × 1.5, −2 × 0.7 = −1.4, −4 × 0.4 = −1.6: the second wins. Means: the third would.
    by_sum = [ranks("0", 1.5), ranks("00", 0.7), ranks("0000", 0.4)]
    # Sums: −2.4, −3.0, −2.8: the first wins, though the second has the best mean.
    wrong = [ranks("0", 2.4), ranks("0000000000", 0.3), ranks("0000", 0.7)]
    found = ArcEasy().score(QUESTION, said(answers(by_sum, wrong)), None)
    assert found == {"arc_easy_accuracy": 1.0, "arc_easy_unedited_accuracy": 0.0}


def test_edited_and_unedited_are_not_mixed_up() -> None:
    right = [ranks("0", 2.0), ranks("0", 1.0), ranks("0", 2.0)]
    wrong = [ranks("0", 1.0), ranks("0", 2.0), ranks("0", 2.0)]
    found = ArcEasy().score(QUESTION, said(answers(wrong, right)), None)
    assert found == {"arc_easy_accuracy": 0.0, "arc_easy_unedited_accuracy": 1.0}
