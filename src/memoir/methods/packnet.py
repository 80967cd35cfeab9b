"""PackNet: Adding Multiple Tasks to a Single Network by Iterative Pruning (Mallya & Lazebnik, CVPR
2018, arXiv 1711.05769), as an editor of one residual memory (:mod:`memoir.residual`).

For every task:

    1. train    all weights that no task owns, from zero, beside those that tasks do own
    2. prune    of these keep the share of largest magnitude; the others are zero and free again
    3. retrain  those kept
    4. freeze   them: they belong to this task, and no later one writes there

    in use      task t is answered with the weights of tasks ≤ t, so nothing learnt later moves a bit

**How much one edit keeps.** The paper keeps 25 % (50 %) of the free weights for a handful of tasks;
what is left shrinks by that factor each time. For a lifetime of edits ``default`` gives every edit the
same number, ``keep`` of *all* weights: 1/keep edits fit. ``paper`` keeps .25 of the *free* ones. Either
way an edit that would get fewer weights than the site has outputs is refused with
:class:`memoir.errors.MemoryFull`. The rule is ours.

**Steps** are SGD's, without the momentum of .9 in the authors' code, and with a bounded gradient,
scaled by the layer's gain (:mod:`memoir.core.descent`), which is our rule for models of any size;
learning rate and steps were chosen on ZsRE's training records.

**Taking an edit back** frees its weights and leaves all others as they are. Edits that were learnt on
top of it no longer see them, as in the model in which it was never stored.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from memoir.core.descent import Update, descend, step_of
from memoir.core.fit import Loss, Stop
from memoir.core.sparse import among
from memoir.errors import EditRefused, MemoryFull
from memoir.host.recital import Recital
from memoir.residual import Learnt, Residual, loss_with
from memoir.types import Edit

FREE = -1
"""Owner of a weight that no edit owns."""


@dataclass(frozen=True)
class PackNetConfig:
    """Settings of PackNet.

    Attributes:
        depth: relative depth of the layer, 0..1 (27 of 32, as MEMOIR's; the paper has no such layer).
        keep: share of the weights that one edit keeps, 0..1 (paper: .25 or .5 of the free ones).
        of: ``all`` weights, so that 1/keep edits fit, or the ``free`` ones (paper).
        lr: step of SGD, in units of what the layer puts out.
        max_steps: updates at most, before pruning and again after it.
        stop_loss: either is done once the target is said, at or below this loss, nats per token.
        pairs: a file of further pairs for the router, see :func:`memoir.routing.pairs.told`.
        threshold: probability from which an edit fires, 0..1. None: calibrated.
    """

    depth: float = 27 / 32
    keep: float = 1e-3
    of: Literal["all", "free"] = "all"
    lr: float = 1.0
    max_steps: int = 40
    stop_loss: float = 0.05
    pairs: str | None = None
    threshold: float | None = None


class PackedMemory:
    """Weights, each owned by one edit or none.

    Args:
        shape: of the weights.
    """

    def __init__(self, shape: tuple[int, int], device: torch.device | str = "cpu") -> None:
        self.values = torch.zeros(shape, device=device)
        self.owner: Int[Tensor, "d_out d_in"] = torch.full(
            shape, FREE, dtype=torch.int32, device=device
        )
        self._number: dict[str, int] = {}

    def copy(self) -> PackedMemory:
        other = type(self)((0, 0))
        other.values, other.owner = self.values.clone(), self.owner.clone()
        other._number = dict(self._number)
        return other

    def add(self, id: str, edit: Edit, tensors: Mapping[str, Tensor]) -> None:
        at = tensors["index"].to(self.owner.device).long()
        self._number[id] = len(self._number)
        self.values.view(-1)[at] = tensors["value"].to(self.values)
        self.owner.view(-1)[at] = self._number[id]

    def weight(self, id: str) -> Float[Tensor, "d_out d_in"]:
        """The weights of an edit and of those before it; zero elsewhere."""
        return self.values.masked_fill(self.owner > self._number[id], 0.0)

    @property
    def free(self) -> Bool[Tensor, "d_out d_in"]:
        """True where no edit owns the weight."""
        return self.owner == FREE


class PackNet(Residual):
    """PackNet on one host."""

    Config: ClassVar[type] = PackNetConfig
    presets: ClassVar[Mapping[str, PackNetConfig]] = {
        "default": PackNetConfig(),
        "paper": PackNetConfig(keep=0.25, of="free"),
    }
    paper: ClassVar[str] = "PackNet, CVPR 2018, arXiv 1711.05769"
    storage: ClassVar[str] = "the weights it owns, and where they are"

    config: PackNetConfig

    def _fresh(self) -> PackedMemory:
        return PackedMemory((self.host.site.d_out, self.host.site.d_in), self.host.device)

    def _learn(self, edit: Edit, recital: Recital, memory: PackedMemory) -> Learnt | EditRefused:
        free = memory.free
        left = int(free.sum())
        count = round(self.config.keep * (left if self.config.of == "free" else free.numel()))
        if count < self.host.site.d_out or count > left:
            return self._full(edit, count, left, free.numel())

        def closure(own: Float[Tensor, "d_out d_in"]) -> Loss:
            return loss_with(recital, memory.values + own)

        def updating(mask: Bool[Tensor, "d_out d_in"]) -> Update:
            gain, lr = recital.gain, self.config.lr
            return lambda weight, gradient: weight - step_of(gradient * mask, gain, lr)

        stop = Stop(self.config.max_steps, self.config.stop_loss)
        trained = descend(torch.zeros_like(memory.values), closure, updating(free), stop)
        if not math.isfinite(trained.losses[-1]):
            return Learnt({}, trained.losses, said=False)
        kept = among(trained.weight.abs(), free, count)
        retrained = descend(trained.weight * kept, closure, updating(kept), stop)
        at = kept.flatten().nonzero().flatten()
        tensors = {"index": at.int(), "value": retrained.weight.flatten()[at]}
        # Between the two, pruning is a step of its own.
        return Learnt(tensors, trained.losses + retrained.losses, retrained.said)

    def _full(self, edit: Edit, count: int, left: int, size: int) -> MemoryFull:
        config, least = self.config, self.host.site.d_out
        return MemoryFull(
            f"there is no room for '{edit.prompt}' → '{edit.target}': with keep={config.keep} of "
            f"{config.of} weights it would own {count}, but {left} of {size} are free and an edit "
            f"needs at least {least}, one for each output; nothing was written. Take edits back, or "
            "make a store with another keep (memoir methods shows the settings)."
        )
