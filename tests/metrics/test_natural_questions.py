"""Unrelated questions: does an edit fire, and is the answer still the unedited model's?"""

from __future__ import annotations

import pytest
from handmade import fired, said

from memoir.metrics.base import Say
from memoir.metrics.natural_questions import NaturalQuestions
from memoir.types import Answer, Match, Question

QUESTION = Question("how far is mars", ("far",))
NEW, OLD = (Say("how far is mars", 5, "unrelated", edits=edits) for edits in (True, False))


def test_the_question_is_asked_bare_with_and_without_the_edits() -> None:
    assert NaturalQuestions(tokens=5).asks(QUESTION) == [NEW, OLD]
    assert NEW.setting == "bare"


@pytest.mark.parametrize(
    ("text", "match", "expected"),
    [
        ("far", fired("e1"), {"nq_fg": 1.0, "nq_fires": 1.0}),
        ("far", fired("e1", 0.49), {"nq_fg": 1.0, "nq_fires": 0.0}),
        ("Far", fired("e1", 0.5), {"nq_fg": 0.0, "nq_fires": 1.0}),
        ("far.", fired(None), {"nq_fg": 0.0, "nq_fires": 0.0}),
    ],
)
def test_it_fires_or_not_and_its_text_is_the_same_to_the_letter_or_not(
    text: str, match: Match, expected: dict[str, float]
) -> None:
    answers = said({NEW: Answer(text, match), OLD: Answer("far")})
    assert NaturalQuestions(tokens=5).score(QUESTION, answers, None) == expected


def test_the_data_sets_answer_does_not_count_only_the_unedited_one_does() -> None:
    answers = said({NEW: Answer("far", fired(None)), OLD: Answer("near")})
    assert NaturalQuestions(tokens=5).score(QUESTION, answers, None)["nq_fg"] == 0.0


def test_a_method_without_a_router_has_no_fire_rate() -> None:
    answers = said({NEW: Answer("far"), OLD: Answer("far")})
    assert NaturalQuestions(tokens=5).score(QUESTION, answers, None) == {"nq_fg": 1.0}
