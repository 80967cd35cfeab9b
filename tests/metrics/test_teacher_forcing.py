"""Teacher forcing: what must be said counts against the target, what must stay against itself."""

from __future__ import annotations

import pytest
from handmade import EDIT, EVERY_KIND, ranks, record, said

from memoir.metrics.base import GIVES_TARGET, STAYS, Force
from memoir.metrics.teacher_forcing import TeacherForcing
from memoir.types import Probe, Score

METRIC = TeacherForcing()
RELIABLE = Force(EDIT.prompt, EDIT.target)


def test_targets_are_fed_edited_and_true_answers_also_unedited() -> None:
    given = record(
        Probe("rephrase", "Acme is led by", "Bo Li"),
        Probe("locality", "How far is Mars?", "very far"),
        Probe("ood", "Acme is", "a firm"),
    )
    assert METRIC.asks(given) == [
        RELIABLE,
        Force("Acme is led by", "Bo Li", True),
        Force("How far is Mars?", "very far", False),
        Force("How far is Mars?", "very far", True),
    ]


def test_every_kind_is_asked_in_its_own_way() -> None:
    asks = METRIC.asks(EVERY_KIND)
    assert len(asks) == len(GIVES_TARGET) + 2 * len(STAYS)
    assert {ask.prompt for ask in asks if not ask.edits} == {f"a {kind} prompt" for kind in STAYS}


def test_several_probes_are_averaged_each_counting_once() -> None:
    one, two = Probe("rephrase", "p1", "t1"), Probe("rephrase", "p2", "t2")
    answers = {
        RELIABLE: ranks("1101"),
        Force("p1", "t1"): ranks("1"),
        Force("p2", "t2"): ranks("1000"),
    }
    assert METRIC.score(record(one, two), said(answers), "e1") == {
        "reliability_tf": 0.75,
        "generalization_tf": 0.625,  # not 2 of 5 tokens
    }


def locality(old: Score, new: Score) -> dict[str, float]:
    probe = Probe("locality", "p", "t")
    answers = {RELIABLE: ranks("1"), Force("p", "t", False): old, Force("p", "t", True): new}
    return METRIC.score(record(probe), said(answers), "e1")


@pytest.mark.parametrize(
    ("old", "new", "same", "gold"),
    [
        # The model was wrong and still is, in the same words: it stayed.
        (ranks("000", predicted=(7, 8, 9)), ranks("000", predicted=(7, 8, 9)), 1.0, 0.0),
        # The edit made it right: gold is happy, but it did not stay.
        (ranks("000", predicted=(7, 8, 9)), ranks("111", predicted=(1, 2, 3)), 0.0, 1.0),
        # Wrong before and after, but not in the same words: half of it moved.
        (ranks("00", predicted=(7, 8)), ranks("00", predicted=(7, 9)), 0.5, 0.0),
        (ranks("1100", predicted=(1, 2, 7, 8)), ranks("1001", predicted=(1, 5, 7, 4)), 0.5, 0.5),
    ],
)
def test_what_must_stay_is_compared_with_the_unedited_model_and_apart_from_that_with_gold(
    old: Score, new: Score, same: float, gold: float
) -> None:
    assert locality(old, new) == {
        "reliability_tf": 1.0,
        "locality_tf": same,
        "locality_gold_tf": gold,
    }


def test_a_probe_without_a_true_answer_is_neither_asked_nor_scored() -> None:
    given = record(Probe("rephrase", "p"), Probe("neighbour", "q"))
    assert METRIC.asks(given) == [RELIABLE]
    assert METRIC.score(given, said({RELIABLE: ranks("0")}), "e1") == {"reliability_tf": 0.0}


def test_a_refused_edit_is_asked_and_scored_like_any_other() -> None:
    assert METRIC.score(record(), said({RELIABLE: ranks("10")}), None) == {"reliability_tf": 0.5}
