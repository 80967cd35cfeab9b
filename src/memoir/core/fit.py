"""Fit edits, many side by side, on the outputs of one layer.

An edit's memory is ``ΔWm = Cᵀ Ã`` (see :mod:`memoir.core.memory`), so on the edit's own tokens it
adds ``K C`` with the Gram matrix ``K = Ã Ãᵀ``: fitting needs ``K`` (keys × keys) and never the weight
matrix. Both optimisers start from ``C = 0`` and use ``G``, the gradient of the loss with respect to
what the memory adds:

* :class:`SGD` does to ``C`` exactly what SGD with gradient clipping and weight decay would do to
  ``Wm``: since ``∂loss/∂Wm = Gᵀ Ã``, the step is ``C ← (1 − lr·wd) C − lr·clip·G``, and the gradient's
  norm is ``‖GᵀÃ‖² = ⟨G Gᵀ, K⟩``. This is the authors' optimiser.
* :class:`Adam` follows ``∂loss/∂C = K G``. Keys and step are normalised by the edit's mean squared
  key, so that one learning rate serves models of any width.

The loss is a closure; this file does not know what computes it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


class Loss(NamedTuple):
    """What the model makes of the edits' current outputs.

    Attributes:
        loss: what is minimised, nats.
        on_target: its part on the targets: mean cross-entropy per target token, nats.
        said: whether each edit's whole target has rank one, in each of its contexts.
        ended: whether the text then goes on as it shall, in all of them.
    """

    loss: Float[Tensor, " edits"]
    on_target: Float[Tensor, " edits"]
    said: Bool[Tensor, "edits contexts"]
    ended: Bool[Tensor, " edits"]


LossClosure = Callable[
    [Float[Tensor, "edits keys d_out"], Int[Tensor, " edits"]],
    Loss,
]
"""From what the memory adds at the keys of some edits, and which edits these are, to their losses."""


@dataclass(frozen=True)
class Stop:
    """When an edit is done.

    Attributes:
        max_steps: updates at most.
        loss: done only at or below this loss on the target (nats per token).
        change: done only when the loss moved by no more than this since the step before; ``None``
            asks instead that the whole target has rank one and the text then goes on as it shall.
    """

    max_steps: int
    loss: float
    change: float | None = None


class Fitted(NamedTuple):
    """One fitted edit.

    Attributes:
        coefficients: C; zero rows where the edit has no key.
        losses: on the target, before the first update, then after each.
        said_in: whether the target had rank one at the end, by context.
    """

    coefficients: Float[Tensor, "keys d_out"]
    losses: tuple[float, ...]
    said_in: tuple[bool, ...]

    @property
    def said(self) -> bool:
        """Whether the target had rank one in every context."""
        return all(self.said_in)

    @property
    def steps(self) -> int:
        """Updates made."""
        return len(self.losses) - 1


class Optimiser(Protocol):
    """Updates the coefficients of several edits at once; rows never influence each other."""

    def step(
        self,
        coefficients: Float[Tensor, "edits keys d_out"],
        gradient: Float[Tensor, "edits keys d_out"],
        gram: Float[Tensor, "edits keys keys"],
    ) -> Float[Tensor, "edits keys d_out"]:
        """The next coefficients, given ``G``."""

    def keep(self, rows: Int[Tensor, " edits"]) -> None:
        """Drop the state of edits that are done."""


@dataclass
class SGD:
    """SGD on ``Wm`` with gradient-norm clipping and weight decay, carried out on ``C``."""

    lr: float
    clip_norm: float
    weight_decay: float = 0.0

    def step(
        self,
        coefficients: Float[Tensor, "edits keys d_out"],
        gradient: Float[Tensor, "edits keys d_out"],
        gram: Float[Tensor, "edits keys keys"],
    ) -> Float[Tensor, "edits keys d_out"]:
        squared = ((gradient @ gradient.mT) * gram).sum(dim=(1, 2)).clamp_min(0.0)
        clip = (self.clip_norm / (squared.sqrt() + 1e-6)).clamp_max(1.0)
        kept = coefficients * (1.0 - self.lr * self.weight_decay)
        return kept - self.lr * clip[:, None, None] * gradient

    def keep(self, rows: Int[Tensor, " edits"]) -> None:
        return None


class Adam:
    """Adam on ``C``, in units of each edit's mean squared key.

    Args:
        lr: how much one key's contribution to the output changes a step, for each edit.
        betas: decay of the first and second moment.
    """

    def __init__(
        self, lr: Float[Tensor, " edits"], betas: tuple[float, float] = (0.9, 0.999)
    ) -> None:
        self._lr = lr
        self.betas = betas
        self._time = 0
        self._first: Tensor | None = None
        self._second: Tensor | None = None

    def step(
        self,
        coefficients: Float[Tensor, "edits keys d_out"],
        gradient: Float[Tensor, "edits keys d_out"],
        gram: Float[Tensor, "edits keys keys"],
    ) -> Float[Tensor, "edits keys d_out"]:
        squares = gram.diagonal(dim1=1, dim2=2)
        scale = squares.sum(1) / (squares > 0).sum(1).clamp_min(1)
        scale = scale.clamp_min(torch.finfo(gram.dtype).tiny)[:, None, None]
        slope = (gram / scale) @ gradient
        if self._first is None or self._second is None:
            self._first, self._second = torch.zeros_like(slope), torch.zeros_like(slope)
        self._time += 1
        decay1, decay2 = self.betas
        self._first = self._first.lerp(slope, 1 - decay1)
        self._second = self._second.lerp(slope.square(), 1 - decay2)
        first = self._first / (1 - decay1**self._time)
        second = self._second / (1 - decay2**self._time)
        step = self._lr[:, None, None] / scale
        return coefficients - step * first / (second.sqrt() + 1e-8)

    def keep(self, rows: Int[Tensor, " edits"]) -> None:
        self._lr = self._lr[rows]
        if self._first is not None and self._second is not None:
            self._first, self._second = self._first[rows], self._second[rows]


@torch.enable_grad()  # whatever the caller's mode
def fit(
    keys: Float[Tensor, "edits keys d_in"],
    closure: LossClosure,
    optimiser: Optimiser,
    stop: Stop,
    base: Float[Tensor, "edits keys d_out"] | None = None,
    base_decay: float = 1.0,
    d_out: int | None = None,
    places: Int[Tensor, "edits keys"] | None = None,
    on_step: Callable[[int, int], None] | None = None,
) -> list[Fitted]:
    """Fit every edit until it is done or out of steps; edits that are done cost nothing more.

    Args:
        keys: masked activations of each edit's tokens; rows of zeros where there is no key.
        closure: see :data:`LossClosure`. It must be differentiable in its first argument.
        base: what the memory already adds at these keys (shared memory), constant but for decay.
        base_decay: factor applied to ``base`` at every update (the authors' weight decay).
        d_out: outputs of the layer; needed when ``base`` is None.
        places: keys answer only at tokens of their own place; None if they answer at all of the edit's.
        on_step: called after every evaluation with (updates made, edits still open).

    Returns:
        One result per edit, in order. A loss that is not finite ends that edit with
        ``said=False``; judging results is the caller's part.
    """
    count, width = keys.shape[0], base.shape[-1] if base is not None else d_out
    if width is None:
        raise ValueError("fit needs base or d_out to know the layer's number of outputs")
    gram = keys @ keys.mT
    if places is not None:
        gram = gram * (places.unsqueeze(1) == places.unsqueeze(2))
    coefficients = keys.new_zeros(count, keys.shape[1], width)
    open_ = torch.arange(count, device=keys.device)
    losses: list[list[float]] = [[] for _ in range(count)]
    results: list[Fitted | None] = [None] * count

    for step in range(stop.max_steps + 1):
        added = gram @ coefficients
        if base is not None:
            added = added + base[open_] * base_decay**step
        added.requires_grad_(True)
        verdict = closure(added, open_)
        for edit, loss in zip(open_.tolist(), verdict.on_target.tolist(), strict=True):
            losses[edit].append(loss)

        done = _done(stop, step, verdict, [losses[edit] for edit in open_.tolist()])
        for row in done.nonzero().squeeze(-1).tolist():
            edit = int(open_[row])
            results[edit] = Fitted(
                coefficients[row].clone(), tuple(losses[edit]), tuple(verdict.said[row].tolist())
            )
        if on_step is not None:
            on_step(step, int((~done).sum()))
        if bool(done.all()):
            break

        (gradient,) = torch.autograd.grad(verdict.loss.sum(), added)
        if bool(done.any()):
            rows = (~done).nonzero().squeeze(-1)
            open_, gram = open_[rows], gram[rows]
            coefficients, gradient = coefficients[rows], gradient[rows]
            optimiser.keep(rows)
        coefficients = optimiser.step(coefficients, gradient, gram)

    return [result for result in results if result is not None]


def _done(
    stop: Stop, step: int, verdict: Loss, losses: list[list[float]]
) -> Bool[Tensor, " edits"]:
    """Which of the open edits end at this evaluation."""
    loss = verdict.on_target.detach()
    if stop.change is None:
        settled = verdict.said.all(1) & verdict.ended
    else:
        changes = [abs(past[-1] - past[-2]) if len(past) > 1 else float("inf") for past in losses]
        settled = torch.tensor(changes, device=loss.device) <= stop.change
    done = settled & (loss <= stop.loss)
    return done | ~torch.isfinite(verdict.loss.detach()) | (step == stop.max_steps)
