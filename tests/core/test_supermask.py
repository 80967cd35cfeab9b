"""Supermasks: exact counts, gradients straight through, and slopes by hand."""

from __future__ import annotations

import torch

from memoir.core.sparse import pack
from memoir.core.supermask import AT_ONCE, random_signs, slopes, through


def test_the_mask_is_of_ones_and_gradients_reach_every_score() -> None:
    scores = torch.tensor([[0.3, -0.2], [0.1, 0.9]], requires_grad=True)
    mask = through(scores, 2)
    assert mask.tolist() == [[1.0, 0.0], [0.0, 1.0]]
    weight = torch.tensor([[1.0, -2.0], [3.0, -4.0]])
    (gradient,) = torch.autograd.grad((mask * weight).sum(), scores)
    assert torch.equal(gradient, weight)


def test_signs_follow_from_the_generator() -> None:
    one, two = (random_signs((9, 7), torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(one, two)
    assert set(one.flatten().tolist()) == {1.0, -1.0}


def test_slopes_are_sums_over_each_mask() -> None:
    generator = torch.Generator().manual_seed(0)
    masks = [torch.rand(5, 3, generator=generator) < 0.5 for _ in range(AT_ONCE + 3)]
    sensitivity = torch.randn(2, 15, generator=generator)
    found = slopes([pack(mask) for mask in masks], sensitivity)
    for i, mask in enumerate(masks):
        torch.testing.assert_close(found[:, i], sensitivity[:, mask.flatten()].sum(1))
