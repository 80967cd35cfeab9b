"""The index finds the exact best overlap, and forgets what is removed."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from memoir.core.index import MaskIndex


def masks(count: int, d_in: int, k: int, seed: int) -> torch.Tensor:
    order = torch.rand(count, d_in, generator=torch.Generator().manual_seed(seed)).argsort(dim=1)
    return torch.zeros(count, d_in, dtype=torch.bool).scatter_(1, order[:, :k], True)


@given(st.integers(1, 40), st.integers(5, 200), st.integers(0, 1000))
@settings(max_examples=60, deadline=None)
def test_best_overlap_equals_a_plain_search(count: int, d_in: int, seed: int) -> None:
    k = max(1, d_in // 3)
    stored, query = masks(count, d_in, k, seed), masks(1, d_in, k, seed + 1)[0]
    index = MaskIndex(d_in, k)
    for i, mask in enumerate(stored):
        index.add(str(i), mask)
    overlaps = (stored & query).sum(1) / k
    best = index.best(query)
    assert best is not None
    assert abs(best.overlap - float(overlaps.max())) < 1e-6
    assert int(best.id) == max(i for i in range(count) if overlaps[i] == overlaps.max())


def test_latest_of_equal_masks_wins() -> None:
    index = MaskIndex(70, 20)
    mask = masks(1, 70, 20, 0)[0]
    index.add("old", mask)
    index.add("new", mask)
    best = index.best(mask)
    assert best is not None
    assert (best.id, best.overlap) == ("new", 1.0)
    index.remove("new")
    assert index.best(mask).id == "old"  # type: ignore[union-attr]


def test_removed_masks_never_match_and_the_rest_stay() -> None:
    index, stored = MaskIndex(64, 16), masks(30, 64, 16, 1)
    for i, mask in enumerate(stored):
        index.add(str(i), mask)
    for i in range(0, 30, 2):
        index.remove(str(i))
    assert len(index) == 15
    assert index.nbytes == 15 * 8
    for i in range(1, 30, 2):
        assert index.best(stored[i]).overlap == 1.0  # type: ignore[union-attr]
