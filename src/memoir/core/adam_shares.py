"""Adam on one weight, with each example's exact share in what it made of it.

Adam (Kingma & Ba, ICLR 2015, arXiv 1412.6980, algorithm 1) divides by the root of the gradients'
second moment, so a step is not a sum over examples. But once all second moments v̂_t are known, it is
linear in the gradients g_s, and those are sums over examples:

    Δ = −lr Σ_t m̂_t / (√v̂_t + ε),    m_t = (1 − β1) Σ_{s≤t} β1^(t−s) g_s,    g_s = Σ_i g_{i,s}

    share_i = Σ_s C_s ⊙ g_{i,s},      C_s = β1 C_{s+1} − lr (1 − β1) / (1 − β1^s) / (√v̂_s + ε)

The last one is a recursion backwards over the steps. It needs v_s of every step. They are not kept:
v_{s−1} = (v_s − (1 − β2) g_s²) / β2 undoes the forward recursion, in float64: good to a tenth of a
percent as long as a number's gradient does not grow more than a hundred thousandfold.

At a linear layer an example's gradient is δᵀ a: what its tokens put into the layer, which never
changes while the layers below are frozen, and the gradients δ at its outputs. So all that is kept of a
step is δ. Memory: d_out numbers per token and visit of an example, and four matrices of the weight's
size; the shares themselves are one more matrix for each example.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor


class _Step(NamedTuple):
    """What is kept of one step."""

    examples: tuple[int, ...]
    deltas: tuple[Float[Tensor, "_tokens d_out"], ...]


class SharedAdam:
    """Adam on the change of a linear layer's weight.

    Args:
        inputs: what each example's tokens put into the layer.
        d_out: its outputs.
        lr: step on each number.
        betas: decay of the first and second moment.
        eps: ε.

    Attributes:
        change: Δ, after the steps so far.
    """

    def __init__(
        self,
        inputs: Sequence[Float[Tensor, "_tokens d_in"]],
        d_out: int,
        lr: float,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
    ) -> None:
        self._inputs, self._lr, self._betas, self._eps = inputs, lr, betas, eps
        self._steps: list[_Step] = []
        self.change: Float[Tensor, "d_out d_in"] = inputs[0].new_zeros(d_out, inputs[0].shape[1])
        self._first = torch.zeros_like(self.change)
        self._second = torch.zeros_like(self.change, dtype=torch.float64)

    def step(
        self, examples: Sequence[int], deltas: Sequence[Float[Tensor, "_tokens d_out"]]
    ) -> None:
        """One step on a batch.

        Args:
            examples: which ones it holds.
            deltas: for each of them, the gradient of the batch's loss at the layer's outputs.
        """
        self._steps.append(_Step(tuple(examples), tuple(deltas)))
        time, (decay1, decay2) = len(self._steps), self._betas
        gradient = self._gradient(self._steps[-1])
        self._first = self._first.lerp(gradient, 1 - decay1)
        self._second = decay2 * self._second + (1 - decay2) * gradient.double().square()
        step = self._lr / (1 - decay1**time)
        self.change = self.change - step * self._first * self._scale(self._second, time)

    def shares(self) -> list[Float[Tensor, "d_out d_in"]]:
        """Each example's part of the change; one that was in no batch has none. They add up to it."""
        shares = [torch.zeros_like(self.change) for _ in self._inputs]
        decay1, decay2 = self._betas
        second, weight = self._second, torch.zeros_like(self.change)
        for time in range(len(self._steps), 0, -1):
            step = self._steps[time - 1]
            share = self._lr * (1 - decay1) / (1 - decay1**time)
            weight = decay1 * weight - share * self._scale(second, time)
            for example, delta in zip(step.examples, step.deltas, strict=True):
                shares[example] += weight * (delta.T @ self._inputs[example])
            squared = self._gradient(step).double().square()
            second = ((second - (1 - decay2) * squared) / decay2).clamp_min(0.0)
        return shares

    def _gradient(self, step: _Step) -> Float[Tensor, "d_out d_in"]:
        """The batch's gradient: the sum over its examples."""
        inputs = torch.cat([self._inputs[example] for example in step.examples])
        return torch.cat(step.deltas).T @ inputs

    def _scale(self, second: Float[Tensor, "d_out d_in"], time: int) -> Tensor:
        """1 / (√v̂ + ε), in the weight's precision."""
        unbiased = second / (1 - self._betas[1] ** time)
        return (1.0 / (unbiased.sqrt() + self._eps)).to(self.change.dtype)


def epoch(count: int, size: int, generator: torch.Generator) -> list[list[int]]:
    """Mini-batches of an epoch: every example once, in random order; the last may be smaller."""
    order = torch.randperm(count, generator=generator).tolist()
    return [order[start : start + size] for start in range(0, count, size)]
