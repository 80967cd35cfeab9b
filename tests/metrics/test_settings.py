"""Which records a metric asks in which settings, and what the numbers are called there."""

from __future__ import annotations

import pytest
from handmade import record

from memoir.errors import BadInput, UnknownName
from memoir.metrics import make
from memoir.metrics.settings import BESIDES, WHERE, asked_in, check, named, probes_in
from memoir.surroundings import SETTINGS
from memoir.types import Edit, Probe, Record

RECORDS = [Record(Edit(f"Who built Fort {i}?", "Ada")) for i in range(1000)]


def drawn(share: float) -> set[int]:
    return {i for i, each in enumerate(RECORDS) if len(asked_in(each, ("chat",), share)) > 1}


def test_every_setting_has_words() -> None:
    assert tuple(WHERE) == SETTINGS == ("bare", *BESIDES)


def test_all_are_asked_bare_and_a_share_in_settings() -> None:
    assert asked_in(record(), ("chat", "turns"), 1.0) == ("bare", "chat", "turns")
    assert asked_in(record(), (), 1.0) == ("bare",)
    assert asked_in(record(), ("chat",), 1e-12) == ("bare",)


def test_a_share_is_about_so_many_and_a_larger_one_holds_it() -> None:
    assert len(drawn(1.0)) == 1000
    assert 250 < len(drawn(0.3)) < 350
    assert drawn(0.3) < drawn(0.6)


def test_the_prompt_alone_decides_and_always_the_same() -> None:
    assert min(drawn(0.01)) == min(drawn(0.01))
    one = RECORDS[min(drawn(0.01))].edit
    other = Record(Edit(one.prompt, "Bea", "Fort"), record().probes)
    assert asked_in(other, ("chat",), 0.01) == ("bare", "chat")


def test_every_setting_may_have_a_share_of_its_own() -> None:
    shares = (("chat", 0.6), ("document", 0.1), ("turns", 1.0))
    asked = [asked_in(each, ("turns", "document", "chat"), shares) for each in RECORDS]
    there = {
        setting: {i for i, each in enumerate(asked) if setting in each} for setting, _ in shares
    }
    assert there == {setting: drawn(share) for setting, share in shares}
    assert 0 < len(there["document"]) < len(there["chat"]) < len(there["turns"])
    assert {"bare", "turns", "document", "chat"} in map(set, asked)
    assert all(
        each == tuple(sorted(each, key=("bare", "turns", "document", "chat").index))
        for each in asked
    )


def test_in_settings_only_the_first_probes_of_each_kind_are_asked() -> None:
    kinds = ("rephrase", "locality", "rephrase", "rephrase", "locality")
    given = record(*(Probe(kind, f"p{i}") for i, kind in enumerate(kinds)))
    prompts = {
        (setting, most): [probe.prompt for probe in probes_in(given, setting, most)]
        for setting in ("bare", "chat")
        for most in (None, 1, 2)
    }
    everything = ["p0", "p1", "p2", "p3", "p4"]
    assert prompts == {
        ("bare", None): everything,
        ("bare", 1): everything,
        ("bare", 2): everything,
        ("chat", None): everything,
        ("chat", 1): ["p0", "p1"],
        ("chat", 2): ["p0", "p1", "p2", "p4"],
    }


def test_numbers_are_named_by_their_setting() -> None:
    assert named("fires_edit", "bare") == "fires_edit"
    assert named("fires_edit", "turns") == "fires_edit_turns"


@pytest.mark.parametrize("name", ["free_generation", "routing", "fluency"])
@pytest.mark.parametrize(
    ("setting", "guess"), [("bare", ""), ("document ", " Did you mean 'document'?")]
)
def test_an_unknown_setting_is_refused_by_every_metric(name: str, setting: str, guess: str) -> None:
    with pytest.raises(UnknownName) as refused:
        make(name, {"settings": ["chat", setting]})
    assert str(refused.value) == (
        f"no setting besides the bare prompt '{setting}'.{guess} "
        "Available: chat, document, system, turns."
    )


@pytest.mark.parametrize("share", [0.0, -0.5, 1.5, float("nan")])
def test_a_share_is_above_zero_and_at_most_one(share: float) -> None:
    with pytest.raises(BadInput) as refused:
        check((), share)
    assert str(refused.value) == f"option 'share' must be above 0 and at most 1, not {share!r}."


@pytest.mark.parametrize(
    ("shares", "wrong"),
    [
        ({"chat": 1.5, "turns": 1}, "must be above 0 and at most 1 for 'chat', not 1.5"),
        (
            {"chat": 0.5},
            "gives no number for 'turns'; it must give one for each of the settings asked, chat, turns",
        ),
        (
            {"chat": 0.5, "turns": 1, "document": 0.1},
            "gives a number for 'document', but the settings asked are chat, turns",
        ),
        (
            {"chat": 0.5, "turns": "few"},
            "of metric routing must be a number above 0, or a table of such numbers by setting, "
            "not {'chat': 0.5, 'turns': 'few'}",
        ),
    ],
)
def test_a_table_of_shares_gives_one_to_each_setting_asked(
    shares: dict[str, object], wrong: str
) -> None:
    with pytest.raises(BadInput) as refused:
        make("routing", {"settings": ["chat", "turns"], "share": shares})
    assert str(refused.value) == f"option 'share' {wrong}."


@pytest.mark.parametrize("name", ["free_generation", "routing", "fluency"])
def test_every_metric_that_asks_in_settings_keeps_to_both_options(name: str) -> None:
    probes = [Probe("rephrase", f"p{i}", "Bo Li") for i in range(3)]
    record_in_neither = next(
        Record(each.edit, tuple(probes)) for i, each in enumerate(RECORDS) if i not in drawn(0.5)
    )
    record_in_chat = next(
        Record(each.edit, tuple(probes)) for i, each in enumerate(RECORDS) if i in drawn(0.5)
    )
    options = {"settings": ["chat", "document"], "share": {"chat": 0.5, "document": 1e-9}}
    metric = make(name, {**options, "setting_probes": 2})

    def asked(given: Record) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for ask in metric.asks(given):
            found.setdefault(ask.setting, []).append(ask.prompt)
        return found

    own, everything = record_in_chat.edit.prompt, ["p0", "p1", "p2"]
    assert asked(record_in_chat) == {"bare": [own, *everything], "chat": [own, "p0", "p1"]}
    assert asked(record_in_neither) == {"bare": [record_in_neither.edit.prompt, *everything]}
