"""SparCL's masks: their number never changes, and importance decides who leaves."""

from __future__ import annotations

import torch

from memoir.core.dynamic_masks import adjusted, learning, random_mask


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_an_adjustment_exchanges_the_least_important() -> None:
    active = random_mask((6, 10), 15, generator())
    assert int(active.sum()) == 15
    importance = torch.arange(60.0).reshape(6, 10)
    after = adjusted(active, importance, 4, generator(1))
    assert int(after.sum()) == 15
    left, came = active & ~after, after & ~active
    assert int(left.sum()) == int(came.sum()) == 4
    assert importance[left].max() < importance[active & after].min()


def test_which_come_in_is_drawn() -> None:
    active, importance = random_mask((6, 10), 15, generator()), torch.rand(6, 10)
    first, again, other = (adjusted(active, importance, 4, generator(s)) for s in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_the_steepest_in_use_learn() -> None:
    active = torch.tensor([[True, True, False, True]])
    gradient = torch.tensor([[-5.0, 1.0, 9.0, 2.0]])
    assert learning(gradient, active, 2).tolist() == [[True, False, False, True]]
    assert learning(gradient, active, 4).tolist() == active.tolist()
