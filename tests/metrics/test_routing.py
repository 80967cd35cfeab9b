"""Routing: which edit fires on which prompt, and whether it is the record's own."""

from __future__ import annotations

import pytest
from handmade import EDIT, EVERY_KIND, fired, record, said

from memoir.metrics import outputs
from memoir.metrics.base import GIVES_TARGET, STAYS, Say
from memoir.metrics.routing import Routing
from memoir.metrics.settings import BESIDES
from memoir.types import Answer, Match, Probe

OWN = Say(EDIT.prompt, 1, "edit")


def test_every_prompt_is_asked_for_one_token_with_the_edits_in_force() -> None:
    given = record(Probe("rephrase", "p"), Probe("locality", "q", "a"), Probe("ood", "o", "t"))
    assert Routing().asks(given) == [OWN, Say("p", 1, "rephrase"), Say("q", 1, "locality")]


def test_in_settings_the_same_are_asked_again() -> None:
    bare = Routing().asks(EVERY_KIND)
    assert len(bare) == len(GIVES_TARGET) + len(STAYS)
    asked = Routing(settings=("chat", "turns")).asks(EVERY_KIND)
    again = [[Say(ask.prompt, 1, ask.about, each) for ask in bare] for each in ("chat", "turns")]
    assert asked == [*bare, *again[0], *again[1]]


def test_a_record_outside_the_share_is_asked_bare_alone() -> None:
    few = Routing(settings=("chat",), share=1e-9)
    assert few.asks(EVERY_KIND) == Routing().asks(EVERY_KIND)
    assert few.score(record(), said({OWN: Answer("x", fired("e1"))}), "e1") == {
        "fires_edit": 1.0,
        "right_edit_edit": 1.0,
    }


@pytest.mark.parametrize(
    ("match", "fires", "right"),
    [
        (fired("e1"), 1.0, 1.0),
        (fired("e2"), 1.0, 0.0),
        (fired("e1", 0.4), 0.0, 0.0),
        (fired("e1", 0.5), 1.0, 1.0),
        (fired(None), 0.0, 0.0),
    ],
)
def test_an_edit_fires_and_is_the_right_one_or_not(
    match: Match, fires: float, right: float
) -> None:
    found = Routing().score(record(), said({OWN: Answer("x", match)}), "e1")
    assert found == {"fires_edit": fires, "right_edit_edit": right}


@pytest.mark.parametrize("match", [fired("e1"), fired(None)])
def test_a_refused_edit_is_never_the_right_one(match: Match) -> None:
    found = Routing().score(record(), said({OWN: Answer("x", match)}), None)
    assert found["right_edit_edit"] == 0.0


@pytest.mark.parametrize("setting", BESIDES)
def test_several_probes_are_averaged_and_settings_are_apart(setting: str) -> None:
    given = record(*(Probe("rephrase", f"p{i}", "t") for i in range(4)), Probe("locality", "q"))
    verdicts = [fired("e1"), fired("e2"), fired("e1", 0.1), fired("e1")]
    answers = {OWN: Answer("", fired("e1")), Say("q", 1, "locality"): Answer("", fired("e9"))}
    answers |= {Say(f"p{i}", 1, "rephrase"): Answer("", each) for i, each in enumerate(verdicts)}
    there = {
        Say(ask.prompt, 1, ask.about, setting): Answer("", fired("e1", 0.0)) for ask in answers
    }
    found = Routing(settings=(setting,)).score(given, said({**answers, **there}), "e1")
    assert found == {
        "fires_edit": 1.0,
        "right_edit_edit": 1.0,
        "fires_rephrase": 0.75,
        "right_edit_rephrase": 0.5,
        "fires_locality": 1.0,
        **{
            f"{name}_{setting}": 0.0
            for name in (
                "fires_edit",
                "right_edit_edit",
                "fires_rephrase",
                "right_edit_rephrase",
                "fires_locality",
            )
        },
    }


def test_a_prompt_that_contradicts_itself_is_good_as_one_kind_and_bad_as_the_other() -> None:
    """A record may ask the same words both to change and to stay."""
    given = record(Probe("rephrase", "p", "t"), Probe("locality", "p", "a"))
    answers = {
        OWN: Answer("", fired(None)),
        Say("p", 1, "rephrase"): Answer("", fired("e1")),
        Say("p", 1, "locality"): Answer("", fired("e1")),
    }
    found = Routing().score(given, said(answers), "e1")
    assert (found["fires_rephrase"], found["fires_locality"]) == (1.0, 1.0)
    known = outputs()
    assert known["fires_rephrase"].better == "higher"
    assert known["fires_locality"].better == "lower"


def test_a_method_without_a_router_gives_nothing() -> None:
    given = record(Probe("rephrase", "p", "t"))
    answers = said({OWN: Answer("x"), Say("p", 1, "rephrase"): Answer("x")})
    assert Routing().score(given, answers, "e1") == {}
