"""What surrounds a prompt: our own texts, in halves that share nothing, drawn by the prompt alone."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from memoir.errors import UnknownName
from memoir.surroundings import (
    PARTS,
    SETTINGS,
    asides,
    conversation,
    small_talk,
    systems,
    wrappers,
)

PROMPTS = [f"Who built Fort {i}?" for i in range(200)]
LISTS = [asides, systems, wrappers, small_talk]


def contents(setting: str, part: str) -> set[str]:
    """Everything that surrounds the prompts there."""
    found = set()
    for prompt in PROMPTS:
        for message in messages(setting, prompt, part):
            found.add(message["content"].removesuffix(prompt).strip())
    return found - {""}


def messages(setting: str, prompt: str, part: str = "evaluation") -> list[dict[str, str]]:
    made = conversation(setting, prompt, part)
    assert isinstance(made, list)
    return made


@pytest.mark.parametrize("texts", LISTS, ids=lambda each: each.__name__)
def test_the_halves_of_a_list_share_nothing(texts: Callable[[str], tuple[str, ...]]) -> None:
    fitting, evaluation = (texts(part) for part in PARTS)
    both = [*fitting, *evaluation]
    assert len(fitting) == len(evaluation) >= 15
    assert len({text.casefold() for text in both}) == len(both)
    assert all(text and text == text.strip() for text in both)


@pytest.mark.parametrize("setting", ["system", "turns", "document"])
def test_nothing_is_evaluated_in_a_surrounding_it_was_fitted_in(setting: str) -> None:
    fitting, evaluation = (contents(setting, part) for part in PARTS)
    assert len(fitting) >= 6
    assert len(evaluation) >= 6
    assert not fitting & evaluation


def test_wrappers_have_one_place_for_the_question() -> None:
    for part in PARTS:
        assert all(wrapper.count("{}") == 1 for wrapper in wrappers(part))
        assert all(wrapper.format("Why?") for wrapper in wrappers(part))


def test_a_bare_prompt_is_itself_and_a_chat_is_one_turn() -> None:
    assert conversation("bare", "Who?") == "Who?"
    assert conversation("chat", "Who?") == [{"role": "user", "content": "Who?"}]


def test_a_system_prompt_stands_before_the_turn() -> None:
    first, second = messages("system", "Who?")
    assert first["role"] == "system"
    assert first["content"] in systems("evaluation")
    assert second == {"role": "user", "content": "Who?"}


def test_two_or_three_different_exchanges_stand_before_the_turn() -> None:
    counts: Counter[int] = Counter()
    for prompt in PROMPTS:
        *earlier, last = messages("turns", prompt)
        assert last == {"role": "user", "content": prompt}
        assert [each["role"] for each in earlier[::2]] == ["user"] * (len(earlier) // 2)
        assert [each["role"] for each in earlier[1::2]] == ["assistant"] * (len(earlier) // 2)
        assert len({each["content"] for each in earlier[::2]}) == len(earlier) // 2
        counts[len(earlier) // 2] += 1
    assert counts.keys() == {2, 3}
    assert min(counts.values()) > len(PROMPTS) / 4


def test_a_document_comes_first_in_the_turn_then_a_blank_line() -> None:
    (turn,) = messages("document", "Who?")
    document, _, prompt = turn["content"].rpartition("\n\n")
    assert (turn["role"], prompt) == ("user", "Who?")
    assert document == document.strip()


@pytest.mark.parametrize("part", PARTS)
def test_documents_are_of_a_few_hundred_words(part: str) -> None:
    assert all(250 <= len(text.split()) <= 400 for text in contents("document", part))


def test_every_text_is_drawn_about_equally_often() -> None:
    drawn = Counter(messages("document", prompt)[0]["content"].split()[0] for prompt in PROMPTS)
    assert max(drawn.values()) < 3 * len(PROMPTS) / len(contents("document", "evaluation"))


def test_another_process_draws_the_same() -> None:
    code = (
        "import json; from memoir.surroundings import *; "
        "print(json.dumps([conversation(s, 'Straße?', p) for s in SETTINGS for p in PARTS]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, text=True, encoding="utf-8"
    )
    here: list[Any] = [conversation(s, "Straße?", p) for s in SETTINGS for p in PARTS]
    assert json.loads(done.stdout) == here


def test_an_unknown_setting_is_refused_with_a_guess() -> None:
    with pytest.raises(UnknownName) as refused:
        conversation("chta", "Who?")
    assert str(refused.value) == (
        "no setting 'chta'. Did you mean 'chat'? Available: bare, chat, document, system, turns."
    )


@pytest.mark.parametrize("ask", [asides, lambda part: conversation("turns", "Who?", part)])
def test_an_unknown_part_is_refused_with_a_guess(ask: Callable[[str], Any]) -> None:
    with pytest.raises(UnknownName) as refused:
        ask("evaluations")
    assert str(refused.value) == (
        "no part of the surroundings 'evaluations'. Did you mean 'evaluation'? "
        "Available: evaluation, fitting."
    )
