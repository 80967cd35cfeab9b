"""Shares of Adam's steps: they add up to what torch's own Adam makes of the same gradients."""

from __future__ import annotations

import torch
from torch.nn import functional as F

from memoir.core.adam_shares import SharedAdam, epoch

D_IN, D_OUT, LR = 6, 4, 0.03


def examples(count: int) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """Inputs of a linear layer, a few tokens each, and what shall come out of it."""
    draw = torch.Generator().manual_seed(0)
    tokens = [2 + i % 3 for i in range(count)]
    return (
        [torch.randn(n, D_IN, generator=draw) for n in tokens],
        [torch.randn(n, D_OUT, generator=draw) for n in tokens],
    )


def losses(
    weight: torch.Tensor, inputs: list[torch.Tensor], wanted: list[torch.Tensor], batch: list[int]
) -> torch.Tensor:
    """A loss that is not quadratic, so that gradients change in size and sign."""
    return torch.stack(
        [F.smooth_l1_loss((inputs[i] @ weight.T).tanh(), wanted[i]) for i in batch]
    ).mean()


def batches(count: int, size: int, epochs: int) -> list[list[int]]:
    order = torch.Generator().manual_seed(7)
    return [batch for _ in range(epochs) for batch in epoch(count, size, order)]


def trained(count: int, plan: list[list[int]]) -> tuple[SharedAdam, torch.Tensor]:
    """Ours and torch's, each on its own gradients."""
    inputs, wanted = examples(count)
    ours = SharedAdam(inputs, D_OUT, LR)
    for batch in plan:
        outputs = [(inputs[i] @ ours.change.T).requires_grad_() for i in batch]
        total = torch.stack(
            [F.smooth_l1_loss(out.tanh(), wanted[i]) for out, i in zip(outputs, batch, strict=True)]
        ).mean()
        ours.step(batch, torch.autograd.grad(total, outputs))
    theirs = torch.zeros(D_OUT, D_IN, requires_grad=True)
    adam = torch.optim.Adam([theirs], lr=LR)
    for batch in plan:
        adam.zero_grad()
        losses(theirs, inputs, wanted, batch).backward()
        adam.step()
    return ours, theirs.detach()


def test_the_change_is_that_of_torchs_adam_and_the_shares_add_up_to_it() -> None:
    ours, theirs = trained(7, batches(7, 3, epochs=40))
    torch.testing.assert_close(ours.change, theirs, rtol=1e-4, atol=1e-5)
    shares = ours.shares()
    torch.testing.assert_close(sum(shares), theirs, rtol=1e-4, atol=1e-5)
    assert all(float(share.abs().max()) > LR for share in shares)


def test_an_example_that_was_in_no_batch_has_no_share() -> None:
    plan = [[i for i in batch if i != 2] for batch in batches(5, 2, epochs=3)]
    ours, _ = trained(5, [batch for batch in plan if batch])
    assert not ours.shares()[2].any()


def test_a_single_example_owns_all_of_the_change() -> None:
    ours, theirs = trained(1, [[0]] * 30)
    torch.testing.assert_close(ours.shares()[0], theirs, rtol=1e-4, atol=1e-5)


def test_shares_follow_the_gradients_and_not_the_visits() -> None:
    """Of two examples in the same batches, each owns what its own gradients moved."""
    inputs = [torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 1.0]])]
    adam = SharedAdam(inputs, 1, lr=0.1)
    for _ in range(5):
        adam.step([0, 1], [torch.tensor([[1.0]]), torch.tensor([[-2.0]])])
    first, second = adam.shares()
    torch.testing.assert_close(first, torch.tensor([[-0.5, 0.0]]))  # lr a step, whatever the size
    torch.testing.assert_close(second, torch.tensor([[0.0, 0.5]]))


def test_gradients_that_grow_a_great_deal_are_split_all_the_same() -> None:
    """Second moments are undone step by step; small early ones survive large late ones."""
    adam = SharedAdam([torch.ones(1, 1), torch.ones(1, 1)], 1, lr=0.1)
    for step in range(11):
        size = 10.0 ** (step / 2)
        adam.step([0, 1], [torch.tensor([[size]]), torch.tensor([[-0.1 * size]])])
    torch.testing.assert_close(sum(adam.shares()), adam.change, rtol=1e-3, atol=1e-4)


def test_an_epoch_holds_every_example_once_in_an_order_from_the_seed() -> None:
    drawn = torch.Generator().manual_seed(3)
    first, second = epoch(10, 4, drawn), epoch(10, 4, drawn)
    for each in (first, second):
        assert [len(batch) for batch in each] == [4, 4, 2]
        assert sorted(i for batch in each for i in batch) == list(range(10))
    assert first != second
    assert epoch(10, 4, torch.Generator().manual_seed(3)) == first
