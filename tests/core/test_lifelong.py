"""Moments of parts give those of the whole, and features come out in their units."""

from __future__ import annotations

import torch

from memoir.core.lifelong import Moments, directions


def test_moments_merged_part_by_part_are_those_of_all_rows() -> None:
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(20, 5, generator=generator) * torch.tensor([1e-4, 1.0, 5.0, 100.0, 0.0])
    rows += torch.tensor([1.0, -3.0, 0.0, 1e3, 2.0])
    merged = Moments.none(5)
    for part in rows.split([3, 1, 9, 7]):
        merged = merged.merged(Moments.of(part))
    assert merged.rows == 20
    torch.testing.assert_close(merged.mean, rows.double().mean(0))
    expected = (rows.double() - rows.double().mean(0)) / rows.double().std(0)
    expected[:, 4] = 0.0  # what never varies says nothing
    torch.testing.assert_close(merged.normalised(rows), expected, rtol=1e-6, atol=1e-6)


def test_of_a_single_row_only_the_signs_are_left() -> None:
    row = torch.tensor([[3.0, -0.1, 0.0]])
    signs = torch.tensor([[1.0, -1.0, 0.0]], dtype=torch.float64)
    assert torch.equal(Moments.of(row).normalised(row), signs)


def test_the_longer_a_key_the_more_is_asked_against_its_gradient() -> None:
    keys = torch.tensor([[3.0, 4.0], [1.0, 0.0]])
    gradients = torch.tensor([[1.0, -1.0, 0.0], [2.0, 0.0, 0.0]])
    expected = torch.tensor([[-25.0, 25.0, 0.0], [-2.0, 0.0, 0.0]])
    assert torch.equal(directions(keys, gradients), expected)
