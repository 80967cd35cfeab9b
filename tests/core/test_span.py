"""GPM's basis: orthonormal, as large as its threshold asks, and of the main directions."""

from __future__ import annotations

import torch

from memoir.core.span import new_directions, off


def inputs(seed: int, rows: int = 6, d_in: int = 20) -> torch.Tensor:
    return torch.randn(rows, d_in, generator=torch.Generator().manual_seed(seed))


def test_the_basis_stays_orthonormal_until_it_is_full() -> None:
    basis = torch.zeros(0, 20)
    for seed in range(8):
        basis = torch.cat([basis, new_directions(inputs(seed), basis, 0.97, 20)])
        torch.testing.assert_close(basis @ basis.T, torch.eye(len(basis)), rtol=0, atol=1e-6)
        assert off(inputs(seed), basis).square().sum() <= 0.031 * inputs(seed).square().sum()
    assert len(basis) <= 20
    assert len(new_directions(inputs(9), torch.eye(20), 0.999, 20)) == 0


def test_what_is_off_the_basis_is_orthogonal_to_it() -> None:
    basis = new_directions(inputs(0), torch.zeros(0, 20), 1.0, 20)
    assert len(basis) == 6
    assert float((off(inputs(1), basis).float() @ basis.T).abs().max()) < 1e-6
    assert float(off(inputs(0), basis).abs().max()) < 1e-5


def test_as_few_directions_as_reach_the_threshold() -> None:
    rows = torch.diag(torch.tensor([3.0, 2.0, 1.0]))  # energies 9, 4, 1 of 14
    for share, count in ((0.5, 1), (9 / 14 + 0.01, 2), (0.95, 3)):
        found = new_directions(rows, torch.zeros(0, 3), share, 3)
        torch.testing.assert_close(found.abs(), torch.eye(3)[:count])


def test_what_the_basis_holds_counts_towards_the_threshold() -> None:
    rows = torch.diag(torch.tensor([3.0, 2.0, 1.0]))
    first = torch.tensor([[1.0, 0.0, 0.0]])
    assert len(new_directions(rows, first, 0.6, 3)) == 0
    assert len(new_directions(rows, first, 0.9, 3)) == 1


def test_no_more_directions_than_allowed() -> None:
    assert len(new_directions(inputs(0), torch.zeros(0, 20), 1.0, 2)) == 2
