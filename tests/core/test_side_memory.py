"""The mathematics of WISE, worked by hand."""

from __future__ import annotations

import pytest
import torch

from memoir.core.side_memory import activation_change, margin_loss, means, shard_mask, ties_merge


def test_a_mask_holds_its_share_and_differs_from_shard_to_shard() -> None:
    first, second = (shard_mask(40, 50, 0.2, shard, seed=0) for shard in (0, 1))
    assert first.shape == (40, 50)
    assert first.sum() == second.sum() == 400
    assert torch.equal(first, shard_mask(40, 50, 0.2, 0, seed=0))
    assert not torch.equal(first, shard_mask(40, 50, 0.2, 0, seed=1))
    both = int((first & second).sum())
    assert 40 < both < 130  # subspaces overlap by chance: 2,000 · 0.2 · 0.2 = 80


def test_ties_trims_elects_and_merges() -> None:
    changes = torch.tensor(
        [
            [[4.0, -0.1, 3.0], [2.0, 0.0, -5.0]],
            [[2.0, 6.0, -4.0], [0.2, 0.0, 0.1]],
            [[-1.0, 3.0, 2.0], [0.1, 0.0, 0.0]],
        ]
    )
    # Half of six elements stay of each:
    #   4 0 3 0 0 -5     2 6 -4 0 0 0     -1 3 2 0 0 0
    # sums 5 9 1 0 0 -5; of the third element 3 and 2 agree with the sign, -4 does not.
    merged = ties_merge(changes, density=0.5)
    assert merged.tolist() == [[3.0, 4.5, 2.5], [0.0, 0.0, -5.0]]


def test_one_shard_alone_is_only_trimmed() -> None:
    change = torch.tensor([[[0.0, 1.0, -3.0, 0.5, 0.0]]])
    assert torch.equal(ties_merge(change, 0.6), change[0])
    assert ties_merge(change, 0.4).tolist() == [[0.0, 1.0, -3.0, 0.0, 0.0]]


def test_the_change_is_measured_behind_the_activation_and_averaged_over_tokens() -> None:
    own = torch.tensor([[1.0, -1.0], [0.0, 0.0], [2.0, 2.0]])
    added = torch.tensor([[3.0, 5.0], [-4.0, -1.0], [0.0, -1.0]])
    by_token = activation_change(own, added, torch.relu)
    assert by_token.tolist() == [5.0, 0.0, 1.0]  # (1, 0) → (4, 4);  0 → 0;  (2, 2) → (2, 1)
    assert means(by_token, [1, 2]).tolist() == [5.0, 0.5]


@pytest.mark.parametrize(
    ("inside", "outside", "expected"),
    [
        (25.0, [3.0], 0.0),
        (25.0, [9.0], 4.0),  # above α = 5
        (17.0, [3.0], 3.0),  # below β = 20
        (17.0, [9.0], 4.0 + 3.0 + 2.0),  # and 8 apart where γ = 10
        (25.0, [3.0, 9.0], 2.0),
    ],
)
def test_the_margin_loss(inside: float, outside: list[float], expected: float) -> None:
    loss = margin_loss(torch.tensor(inside), torch.tensor(outside), 5.0, 20.0, 10.0)
    assert float(loss) == pytest.approx(expected)
