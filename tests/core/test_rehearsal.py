"""The buffer is a fair sample that follows from the stream; logits are compared where kept."""

from __future__ import annotations

from collections import Counter

import torch

from memoir.core.rehearsal import distance, reservoir


def test_a_reservoir_keeps_everything_until_it_is_full() -> None:
    assert reservoir([1, 2, 3], 5, 0) == [1, 2, 3]
    kept = reservoir(range(100), 5, 0)
    assert len(set(kept)) == 5
    assert kept == reservoir(range(100), 5, 0)


def test_all_of_a_stream_are_kept_equally_often() -> None:
    counts = Counter(item for seed in range(2000) for item in reservoir(range(10), 4, seed))
    assert min(counts.values()) > 700
    assert max(counts.values()) < 900


def test_logits_are_compared_where_they_are_remembered_and_over_targets_only() -> None:
    logits = torch.tensor([[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]])
    ids = torch.tensor([[[0, 2], [1, 0]]])
    remembered = torch.tensor([[[1.0, 1.0], [5.0, 8.0]]])
    both, last = torch.tensor([[True, True]]), torch.tensor([[False, True]])
    assert distance(logits, ids, remembered, both).tolist() == [(2.0 + 8.0) / 2]
    assert distance(logits, ids, remembered, last).tolist() == [8.0]
