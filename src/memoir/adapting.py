"""Training a LoRA adapter on one edit: what methods with one adapter, and with many, have in common.

    A, B ← Adam(∇ loss)        the mean cross-entropy on target tokens, until it is low enough

Everything else is frozen. Adapters stand in every layer, so each step runs the whole model, but for
logits nobody reads.
"""

from __future__ import annotations

import time
from typing import NamedTuple, Protocol

import torch
from torch import Tensor
from torch.nn import functional as F

from memoir.errors import LossNotFinite
from memoir.host import Host
from memoir.host.adapters import Adapters, Weights
from memoir.types import Edit


class Recipe(Protocol):
    """Settings of a training."""

    @property
    def lr(self) -> float:
        """Adam's step on A and B."""

    @property
    def max_steps(self) -> int:
        """Updates at most."""

    @property
    def stop_loss(self) -> float:
        """The edit is done below this loss, nats per target token."""


class Adapted(NamedTuple):
    """A trained adapter.

    Attributes:
        weights: its matrices, on the CPU.
        losses: before the first step and after each.
        said: whether every target token has rank one.
        seconds: it took.
    """

    weights: dict[str, Tensor]
    losses: tuple[float, ...]
    said: bool
    seconds: float


def adapt(host: Host, layers: Adapters, start: Weights, edit: Edit, recipe: Recipe) -> Adapted:
    """Train an adapter on an edit; the model stays as it was.

    Args:
        start: the adapter to start from.

    Raises:
        LossNotFinite: it became NaN or infinite.
    """
    begin = time.perf_counter()
    row = host.encode(edit.prompt, edit.target)
    tokens, target = host.batch([row]), torch.tensor(row.target, device=host.device)
    losses: list[float] = []
    with layers.tried(start) as parameters, torch.enable_grad():
        weights = list(parameters.values())
        adam = torch.optim.Adam(weights, lr=recipe.lr)
        for step in range(recipe.max_steps + 1):
            logits = host.logits(tokens, keep=len(target) + 1)[0, :-1].float()
            loss = F.cross_entropy(logits, target)
            losses.append(float(loss.detach()))
            if not torch.isfinite(loss):
                raise LossNotFinite(
                    f"the loss of '{edit.prompt}' → '{edit.target}' is {losses[-1]} after {step} "
                    "steps; nothing was written. Lower the learning rate (lr).",
                    losses,
                )
            if step == recipe.max_steps or losses[-1] < recipe.stop_loss:
                break
            for weight, gradient in zip(weights, torch.autograd.grad(loss, weights), strict=True):
                weight.grad = gradient
            adam.step()
        trained = {name: each.detach().cpu() for name, each in parameters.items()}
    said = bool((logits.detach().argmax(-1) == target).all())
    return Adapted(trained, tuple(losses), said, time.perf_counter() - begin)
