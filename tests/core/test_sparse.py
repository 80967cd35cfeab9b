"""Masks: exactly as many as asked for, and the same after packing."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from memoir.core.sparse import among, largest, pack, unpack


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=40), st.integers(0, 45))
def test_exactly_as_many_are_chosen_and_none_left_out_is_larger(
    values: list[int], count: int
) -> None:
    tensor = torch.tensor(values, dtype=torch.float32)
    mask = largest(tensor, count)
    assert int(mask.sum()) == min(count, len(values))
    if mask.any() and not mask.all():
        assert tensor[mask].min() >= tensor[~mask].max()


def test_of_equal_values_the_first_are_taken() -> None:
    assert largest(torch.tensor([1.0, 2.0, 1.0, 1.0]), 2).tolist() == [True, True, False, False]


def test_only_the_eligible_are_chosen() -> None:
    values, eligible = torch.tensor([9.0, 1.0, 8.0]), torch.tensor([False, True, True])
    assert among(values, eligible, 1).tolist() == [False, False, True]
    assert among(values, eligible, 3).tolist() == [False, True, True]


@pytest.mark.parametrize("shape", [(3, 5), (8, 8), (1, 1)])
def test_a_mask_takes_one_bit_an_element(shape: tuple[int, int]) -> None:
    mask = torch.rand(shape, generator=torch.Generator().manual_seed(0)) < 0.5
    packed = pack(mask)
    assert packed.numel() == -(-mask.numel() // 8)
    assert torch.equal(unpack(packed, shape), mask)
