"""Fluency: repetition and surprise after the target, beside the unedited model's."""

from __future__ import annotations

import pytest
from handmade import EDIT, EVERY_KIND, record, said

from memoir.metrics import outputs
from memoir.metrics.base import GoOn, WentOn
from memoir.metrics.fluency import Fluency
from memoir.metrics.settings import BESIDES
from memoir.types import Probe

OWN = GoOn(EDIT.prompt, EDIT.target, 40, "edit")
LONG = WentOn("Bo Li, who is here", 0.25, 0.125, 3.0, 1.5, said=True)


def test_the_own_prompt_and_its_rephrases_are_asked_and_nothing_else() -> None:
    assert Fluency().asks(EVERY_KIND) == [
        OWN,
        GoOn("a rephrase prompt", "a rephrase answer", 40, "rephrase"),
    ]
    assert Fluency(tokens=9).asks(record(Probe("rephrase", "no target"))) == [
        GoOn(EDIT.prompt, EDIT.target, 9, "edit")
    ]


def test_in_settings_they_are_asked_again_for_a_share_of_the_records() -> None:
    bare = Fluency().asks(EVERY_KIND)
    again = [GoOn(ask.prompt, ask.target, 40, ask.about, "turns") for ask in bare]
    assert Fluency(settings=("turns",)).asks(EVERY_KIND) == [*bare, *again]
    assert Fluency(settings=("turns",), share=1e-9).asks(EVERY_KIND) == bare


def test_the_four_numbers_of_a_text_are_given() -> None:
    assert Fluency().score(record(), said({OWN: LONG}), "e1") == {
        "edit_repetition": 0.25,
        "edit_unedited_repetition": 0.125,
        "edit_nll": 3.0,
        "edit_unedited_nll": 1.5,
    }
    assert all(outputs()[name].better == "lower" for name in Fluency.outputs)


def test_what_is_missing_is_left_out() -> None:
    short = WentOn("Bo Li.", None, 0.5, 2.0, 1.0, said=True)
    assert Fluency().score(record(), said({OWN: short}), None) == {
        "edit_unedited_repetition": 0.5,
        "edit_nll": 2.0,
        "edit_unedited_nll": 1.0,
    }
    assert Fluency().score(record(), said({OWN: WentOn("Ann")}), "e1") == {}


def test_several_rephrases_are_averaged_over_those_that_have_a_number() -> None:
    given = record(*(Probe("rephrase", f"p{i}", "Bo Li") for i in range(3)))
    texts = [LONG, WentOn("x Bo Li", 0.75, None, 5.0, None, said=True), WentOn("Ann")]
    answers = {GoOn(f"p{i}", "Bo Li", 40, "rephrase"): each for i, each in enumerate(texts)}
    assert Fluency().score(given, said({OWN: WentOn("x"), **answers}), "e1") == {
        "rephrase_repetition": 0.5,
        "rephrase_unedited_repetition": 0.125,
        "rephrase_nll": 4.0,
        "rephrase_unedited_nll": 1.5,
    }


@pytest.mark.parametrize("setting", BESIDES)
def test_settings_are_scored_apart(setting: str) -> None:
    there = GoOn(EDIT.prompt, EDIT.target, 40, "edit", setting)
    found = Fluency(settings=(setting,)).score(
        record(), said({OWN: WentOn("x"), there: LONG}), "e1"
    )
    assert found[f"edit_unedited_nll_{setting}"] == 1.5
    assert found.keys() <= Fluency.outputs.keys()
    assert len(found) == 4
