"""Which records a metric asks in which settings, and what the numbers are called there."""

from __future__ import annotations

import pytest
from handmade import record

from memoir.errors import BadInput, UnknownName
from memoir.metrics import make
from memoir.metrics.settings import BESIDES, WHERE, asked_in, check, named
from memoir.surroundings import SETTINGS
from memoir.types import Edit, Record

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
