"""Calibration keeps the stated false-fire rate and says what it measured."""

from __future__ import annotations

import pytest
import torch

from memoir.calibration import (
    Background,
    Setting,
    _measure,
    _threshold,
    background_mean,
    calibrate,
)
from memoir.errors import BadInput
from memoir.host import Host


def test_threshold_is_the_smallest_that_keeps_the_rate() -> None:
    others = torch.arange(100) / 100  # overlaps 0.00 … 0.99 at k = 100
    for rate, allowed in ((0.0, 0), (0.01, 1), (0.1, 10)):
        threshold = _threshold(others, rate, 100)
        assert int((others >= threshold).sum()) == allowed
        assert int((others >= threshold - 0.01).sum()) > allowed


def test_recall_counts_rephrases_that_fire_on_their_own_prompt() -> None:
    overlaps = torch.tensor([[0.9, 0.1, 0.1], [0.2, 0.3, 0.8], [0.1, 0.1, 0.7]])
    near = torch.tensor([[0.6, 0.1, 0.1], [0.1, 0.1, 0.1], [0.1, 0.1, 0.1]])
    found = _measure(2, 10, overlaps, near, false_fire_rate=0.4, threshold=None)
    # Queries 0 and 2 meet their own prompt best; query 1 fires on another one, which 0.4 allows.
    assert found == Setting(
        2, 10, 0.2, pytest.approx(2 / 3), pytest.approx(1 / 3), pytest.approx(1 / 3)
    )


def test_every_candidate_is_measured_and_the_best_chosen(
    host: Host, few_background: Background
) -> None:
    calibration = calibrate(host, [1, 3], [8, 16], seed=0, false_fire_rate=0.1)
    evidence = calibration.evidence()
    assert [(row["layer"], row["k"]) for row in evidence["settings"]] == [
        (1, 8),
        (1, 16),
        (3, 8),
        (3, 16),
    ]
    best = max(row["recall"] for row in evidence["settings"])
    assert evidence["chosen"]["recall"] >= best - 0.005
    assert all(row["false_fire"] <= 0.1 for row in evidence["settings"])
    assert calibration.background.shape == calibration.permutation.shape == (64,)


def test_the_same_seed_gives_the_same_calibration(host: Host, few_background: Background) -> None:
    one, two = (calibrate(host, [2], [16], seed=7) for _ in range(2))
    assert one.chosen == two.chosen
    assert torch.equal(one.background, two.background)
    assert torch.equal(one.permutation, two.permutation)


def test_a_given_threshold_is_kept(host: Host, few_background: Background) -> None:
    assert calibrate(host, [2], [16], seed=0, threshold=0.75).chosen.threshold == 0.75


def test_the_background_mean_alone_is_that_of_a_calibration(
    host: Host, few_background: Background
) -> None:
    whole = calibrate(host, [1, 2], [16], seed=0, threshold=0.5)
    assert torch.allclose(background_mean(host, whole.chosen.layer), whole.background, atol=1e-5)
    assert not torch.allclose(background_mean(host, 0), whole.background, atol=1e-2)


@pytest.mark.parametrize("k", [0, 65])
def test_k_out_of_range_is_refused(host: Host, k: int) -> None:
    with pytest.raises(BadInput, match=rf"k must lie in 1\.\.64 .* not {k}"):
        calibrate(host, [2], [k], seed=0)
