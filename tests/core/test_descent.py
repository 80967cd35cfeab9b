"""Descent: when it ends, and that its steps are SGD's in units of the layer's gain."""

from __future__ import annotations

import pytest
import torch

from memoir.core.descent import descend, step_of
from memoir.core.fit import Loss, Stop


def bowl(said_below: float = torch.inf, scale: float = 1.0) -> object:
    """A loss that is smallest at one, and an answer that is right from some loss on."""

    def closure(weight: torch.Tensor) -> Loss:
        loss = scale * (weight - 1).square().sum().reshape(1)
        said = (loss.detach() <= said_below).unsqueeze(1)
        return Loss(loss, loss, said, said.all(1))

    return closure


def halved(weight: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
    return weight - gradient / 4  # halves the distance


def test_it_ends_once_the_target_is_said_with_a_small_loss() -> None:
    found = descend(torch.zeros(1), bowl(), halved, Stop(50, 0.05))
    assert found.losses == pytest.approx([1, 1 / 4, 1 / 16, 1 / 64])
    assert found.said
    later = descend(torch.zeros(1), bowl(said_below=1e-3), halved, Stop(50, 0.05))
    assert len(later.losses) == 6
    assert later.said


def test_it_ends_unsaid_when_no_step_is_left_or_the_loss_is_not_finite() -> None:
    short = descend(torch.zeros(1), bowl(said_below=0.0), halved, Stop(2, 0.05))
    assert len(short.losses) == 3
    assert not short.said
    broken = descend(torch.full((1,), torch.nan), bowl(), halved, Stop(5, 0.05))
    assert len(broken.losses) == 1
    assert not broken.said


def test_it_works_when_the_caller_has_switched_gradients_off() -> None:
    with torch.no_grad():
        assert descend(torch.zeros(1), bowl(), halved, Stop(50, 0.05)).said


def test_a_step_is_clipped_and_does_not_depend_on_the_units_of_the_layer() -> None:
    gradient = torch.tensor([[3.0, 4.0]])
    assert step_of(gradient, unit=1.0, lr=0.5).norm() == pytest.approx(0.5)
    assert step_of(gradient / 100, unit=1.0, lr=0.5).norm() == pytest.approx(0.5 / 20)
    # Outputs counted ten times larger: weights are ten times larger, gradients ten times smaller.
    for size in (1.0, 0.01):
        other = step_of(gradient * size / 10, unit=10.0, lr=0.5)
        torch.testing.assert_close(other, 10 * step_of(gradient * size, unit=1.0, lr=0.5))
