"""Free generation: whether the target begins the text, is all of it, or is somewhere in it."""

from __future__ import annotations

import pytest
from handmade import EDIT, EVERY_KIND, record, said

from memoir.metrics.base import Say
from memoir.metrics.free_generation import FreeGeneration
from memoir.metrics.settings import BESIDES
from memoir.types import Answer, Probe

BARE = FreeGeneration(tokens=8)
CHAT = FreeGeneration(tokens=8, settings=("chat",), setting_tokens=16)
RELIABLE = Say(EDIT.prompt, 8, "edit", want="Bo Li")
IN_CHAT = Say(EDIT.prompt, 16, "edit", "chat", want="Bo Li")


def test_bare_prompts_are_asked_with_what_is_wanted_and_kept_ones_twice() -> None:
    given = record(Probe("alias", "The firm is led by", "Bo Li"), Probe("locality", "q", "a"))
    assert BARE.asks(given) == [
        RELIABLE,
        Say("The firm is led by", 8, "alias", want="Bo Li"),
        Say("q", 8, "locality", edits=True),
        Say("q", 8, "locality", edits=False),
    ]


def test_in_settings_everything_is_asked_again_with_its_own_length() -> None:
    bare = BARE.asks(EVERY_KIND)
    metric = FreeGeneration(tokens=8, settings=("chat", "document"), setting_tokens=16)
    assert metric.asks(EVERY_KIND) == [
        *bare,
        *(Say(each.prompt, 16, each.about, "chat", each.edits, each.want) for each in bare),
        *(Say(each.prompt, 16, each.about, "document", each.edits, each.want) for each in bare),
    ]


def test_a_record_outside_the_share_is_asked_bare_alone() -> None:
    few = FreeGeneration(tokens=8, settings=("chat",), share=1e-9)
    assert few.asks(EVERY_KIND) == BARE.asks(EVERY_KIND)
    found = few.score(record(), said({RELIABLE: Answer("Bo Li")}), "e1")
    assert not any("chat" in name for name in found)


@pytest.mark.parametrize(
    ("text", "begins", "exact", "contains"),
    [
        ("Bo Li", 1, 1, 1),
        (" bo LI.\n", 1, 1, 1),
        ("Bo Li, since 1998", 1, 0, 1),
        ("It is Bo Li", 0, 0, 1),
        ("Bo Liang", 0, 0, 0),
        ("Bo", 0, 0, 0),
        ("", 0, 0, 0),
    ],
)
def test_the_target_begins_the_text_is_all_of_it_or_is_in_it(
    text: str, begins: int, exact: int, contains: int
) -> None:
    answers = said({RELIABLE: Answer(text), IN_CHAT: Answer("no")})
    assert CHAT.score(record(), answers, "e1") == {
        "reliability_fg": begins,
        "reliability_exact": exact,
        "reliability_contains": contains,
        "reliability_chat": 0,
        "reliability_chat_exact": 0,
        "reliability_chat_contains": 0,
    }


@pytest.mark.parametrize("setting", BESIDES)
def test_settings_are_scored_apart(setting: str) -> None:
    there = Say(EDIT.prompt, 16, "edit", setting, want="Bo Li")
    answers = said({RELIABLE: Answer("no"), there: Answer("Bo Li leads it.")})
    metric = FreeGeneration(tokens=8, settings=(setting,), setting_tokens=16)
    found = metric.score(record(), answers, "e1")
    assert {name for name, value in found.items() if value} == {
        f"reliability_{setting}",
        f"reliability_{setting}_contains",
    }


def test_several_probes_are_averaged() -> None:
    probes = [Probe("rephrase", f"p{i}", "Bo Li") for i in range(4)]
    texts = ["Bo Li", "Bo Li.", "Ask Bo Li", "Ann"]
    answers = {Say(p.prompt, 8, "rephrase", want="Bo Li"): Answer(t) for p, t in zip(probes, texts)}  # noqa: B905
    found = BARE.score(record(*probes), said({RELIABLE: Answer("x"), **answers}), "e1")
    assert found["generalization_fg"] == 0.5
    assert found["generalization_exact"] == 0.5
    assert found["generalization_contains"] == 0.75


@pytest.mark.parametrize(
    ("edited", "unedited", "same"),
    [("far", "far", 1.0), ("far", "Far", 0.0), ("far", "far.", 0.0), ("", "", 1.0)],
)
def test_what_must_stay_is_the_unedited_text_letter_for_letter(
    edited: str, unedited: str, same: float
) -> None:
    answers = {RELIABLE: Answer("x"), IN_CHAT: Answer("x")}
    for tokens, setting in ((8, "bare"), (16, "chat")):
        answers[Say("q", tokens, "neighbour", setting, True)] = Answer(edited)
        answers[Say("q", tokens, "neighbour", setting, False)] = Answer(unedited)
    found = CHAT.score(record(Probe("neighbour", "q")), said(answers), "e1")
    assert (found["neighbour_fg"], found["neighbour_chat"]) == (same, same)


def test_a_probe_without_a_target_is_not_asked_but_one_that_must_stay_is() -> None:
    given = record(Probe("rephrase", "p"), Probe("locality", "q"), Probe("ood", "o", "t"))
    assert [ask.prompt for ask in BARE.asks(given)] == [EDIT.prompt, "q", "q"]
