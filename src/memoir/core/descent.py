"""Gradient descent on one weight matrix, where a method wants a say in every step.

Steps are scaled to the layer. With u, the layer's gain (how long its outputs are for inputs of
length one), weights are counted in units of u, and SGD with a clipped gradient on w = W / u is, on W,

    W ← W − lr · u · clip(u ∂L/∂W)            clip(g) = g · min(1, 1 / ‖g‖)

so one step moves the memory's output by about ``lr`` times what the layer puts out there, at most,
whatever the model's width and depth.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from memoir.core.fit import Loss, Stop

Closure = Callable[[Float[Tensor, "*shape"]], Loss]
"""What the model makes of one edit, given the weights."""

Update = Callable[[Float[Tensor, "*shape"], Float[Tensor, "*shape"]], Float[Tensor, "*shape"]]
"""The next weights, given these and the gradient of the loss."""


class Descended(NamedTuple):
    """Where a descent ended.

    Attributes:
        weight: the last weights.
        losses: on the target, nats per token: before the first step and after each.
        said: whether the target has rank one at the end.
    """

    weight: Float[Tensor, "*shape"]
    losses: tuple[float, ...]
    said: bool


def descend(
    weight: Float[Tensor, "*shape"], closure: Closure, update: Update, stop: Stop
) -> Descended:
    """Update weights until the target is said with a small loss, or no step is left.

    A loss that is not finite ends the descent with ``said=False``.
    """
    losses: list[float] = []
    for step in range(stop.max_steps + 1):
        with torch.enable_grad():
            leaf = weight.detach().requires_grad_()
            verdict = closure(leaf)
            total = verdict.loss.sum()
        losses.append(float(verdict.on_target.detach()))
        finite = math.isfinite(float(total.detach()))
        said = finite and bool(verdict.said.all())
        if step == stop.max_steps or not finite or (said and losses[-1] <= stop.loss):
            break
        (gradient,) = torch.autograd.grad(total, leaf)
        weight = update(weight, gradient)
    return Descended(weight.detach(), tuple(losses), said)


def step_of(
    gradient: Float[Tensor, "d_out d_in"], unit: float, lr: float
) -> Float[Tensor, "d_out d_in"]:
    """What to take from the weights: one step of SGD in units of the layer's gain."""
    scaled = gradient * unit
    norm = torch.linalg.vector_norm(scaled).clamp_min(torch.finfo(scaled.dtype).tiny)
    return scaled * (lr * unit * (1.0 / norm).clamp_max(1.0))
