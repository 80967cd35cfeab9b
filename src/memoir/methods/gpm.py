"""GPM: Gradient Projection Memory for Continual Learning (Saha et al., ICLR 2021, arXiv 2103.09762), as
an editor of one residual memory (:mod:`memoir.residual`).

    g ← g − g M Mᵀ                 every gradient is taken off the span of earlier inputs (§5, eq. 6)
    after a task                   the main directions of its own inputs join M, see
                                   :mod:`memoir.core.span`; M's columns stay orthonormal

So what earlier edits put into the site keeps its output, as far as M holds it. Prompts that fire are
answered by the whole memory, the sum of all edits; prompts of other edits are as little disturbed as M
is complete.

**Fitting** is the paper's plain SGD, but for a bound on the gradient's norm, carried out in the dual
(:mod:`memoir.core.fit`): with the edit's inputs K (a row for each token), every projected gradient is
Gᵀ K (I − M Mᵀ), so a change is

    ΔW_m = Cᵀ K̂,   K̂ = K (I − M Mᵀ)

and is stored as these two factors, beside the directions that join M. Steps are scaled by the layer's
gain, as in :mod:`memoir.core.descent`: our rule for models of any size; learning rate and steps were
chosen on ZsRE's training records.

**When the basis is full.** M has room for as many directions as the site has inputs. At the authors'
threshold for Split CIFAR-100, ε = .97 + .003·task, a question of a dozen tokens takes about ten of
them, and a hundred edits fill a layer of 1,536 inputs. The paper has five to twenty tasks; so that
hundreds of edits fit, ``default`` spreads the rise of ε over ``edits`` tasks, and lets one edit claim
1/``edits`` of the inputs at most (one at least): its largest directions not held yet. What it cannot
claim is not protected, so the more edits are planned, the more they disturb each other. ``paper`` has
neither rule. An edit of whose inputs less than ``least_free`` lies outside M can hardly be learnt and
is refused with :class:`memoir.errors.MemoryFull`. Both rules are ours.

**Taking an edit back** removes its factors from the sum and its directions from M; the others' remain
orthonormal, and their changes as they were fitted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from memoir.core.fit import SGD, Stop, fit
from memoir.core.span import new_directions, off
from memoir.errors import EditRefused, MemoryFull
from memoir.host.recital import Recital
from memoir.residual import Learnt, Residual, as_loss
from memoir.types import Edit

HIGHEST = 0.999
"""Bound on the threshold: at 1 every rounding error would be a direction."""


@dataclass(frozen=True)
class GpmConfig:
    """Settings of GPM.

    Attributes:
        depth: relative depth of the layer, 0..1 (27 of 32, as MEMOIR's; the paper has no such layer).
        threshold_first: ε of the first edit: share of its inputs' energy that M shall hold, 0..1
            (authors, Split CIFAR-100: .97).
        threshold_rise: how much ε rises from the first edit to the last planned one, which has the
            number ``edits`` (authors: .003 a task, .03 over ten); it stays below 1.
        edits: how many edits are planned; more than that are taken as long as there is room.
        most: directions that one edit may claim. 0: 1/``edits`` of the site's inputs; None: no limit
            (paper).
        least_free: share of an edit's energy that must lie outside M for it to be learnt, 0..1.
        lr: step of SGD, in units of what the layer puts out.
        max_steps: updates of one edit at most.
        stop_loss: an edit is done once its target is said, at or below this loss, nats per token.
        pairs: a file of further pairs for the router, see :func:`memoir.routing.pairs.told`.
        threshold: probability from which an edit fires, 0..1. None: calibrated.
    """

    depth: float = 27 / 32
    threshold_first: float = 0.97
    threshold_rise: float = 0.03
    edits: int = 300
    most: int | None = 0
    least_free: float = 0.01
    lr: float = 0.2
    max_steps: int = 40
    stop_loss: float = 0.05
    pairs: str | None = None
    threshold: float | None = None


class ProjectedMemory:
    """The sum of all changes, and the directions they must leave alone.

    Args:
        shape: of the weights.
    """

    def __init__(self, shape: tuple[int, int], device: torch.device | str = "cpu") -> None:
        self.total = torch.zeros(shape, device=device)
        self.tasks = 0
        self._directions: list[Float[Tensor, "new d_in"]] = [self.total.new_zeros(0, shape[1])]

    def copy(self) -> ProjectedMemory:
        other = type(self)((0, 0))
        other.total, other.tasks = self.total, self.tasks
        other._directions = list(self._directions)
        return other

    def add(self, id: str, edit: Edit, tensors: Mapping[str, Tensor]) -> None:
        left, right, directions = (
            tensors[name].to(self.total) for name in ("left", "right", "directions")
        )
        self.total = self.total + left @ right
        self.tasks += 1
        self._directions.append(directions)

    def weight(self, id: str) -> Float[Tensor, "d_out d_in"]:
        """The same for every edit."""
        return self.total

    @property
    def basis(self) -> Float[Tensor, "size d_in"]:
        """M, a direction in each row."""
        return torch.cat(self._directions)


class Gpm(Residual):
    """GPM on one host."""

    Config: ClassVar[type] = GpmConfig
    presets: ClassVar[Mapping[str, GpmConfig]] = {
        "default": GpmConfig(),
        "paper": GpmConfig(edits=10, most=None),
    }
    paper: ClassVar[str] = "GPM, ICLR 2021, arXiv 2103.09762"
    storage: ClassVar[str] = "two vectors for each token, and a few directions"

    config: GpmConfig

    def _fresh(self) -> ProjectedMemory:
        return ProjectedMemory((self.host.site.d_out, self.host.site.d_in), self.host.device)

    def _learn(self, edit: Edit, recital: Recital, memory: ProjectedMemory) -> Learnt | EditRefused:
        config, gain, basis = self.config, recital.gain, memory.basis
        keys = recital.keys[0, :-1]  # no key at the last token
        rest = off(keys, basis).to(keys)
        free = float(rest.square().sum() / keys.square().sum())
        if free < config.least_free:
            return self._full(edit, free, basis)
        before = recital.keys @ memory.total.T
        (fitted,) = fit(
            torch.nn.functional.pad(rest, (0, 0, 0, 1)).unsqueeze(0),
            lambda added, _open: as_loss(recital.recite(added)),
            SGD(config.lr * gain**2, 1.0 / gain),
            Stop(config.max_steps, config.stop_loss),
            base=before,
        )
        tensors = {
            "left": fitted.coefficients[:-1].T.contiguous(),
            "right": rest,
            "directions": new_directions(keys, basis, self._threshold(memory.tasks), self._most()),
        }
        return Learnt(tensors, fitted.losses, fitted.said)

    def _threshold(self, task: int) -> float:
        """ε of a task, the first being 0."""
        config = self.config
        rise = config.threshold_rise * task / max(1, config.edits)
        return min(config.threshold_first + rise, HIGHEST)

    def _most(self) -> int:
        """Directions that one edit may claim."""
        d_in = self.host.site.d_in
        if self.config.most is None:
            return d_in
        return self.config.most or max(1, d_in // self.config.edits)

    def _full(self, edit: Edit, free: float, basis: Float[Tensor, "size d_in"]) -> MemoryFull:
        size, d_in = basis.shape
        return MemoryFull(
            f"there is no room for '{edit.prompt}' → '{edit.target}': only {free:.2%} of what it puts "
            f"into the site lies outside the {size} of {d_in} directions that earlier edits need, and "
            f"least_free asks for {self.config.least_free:.2%}; nothing was written. Take edits back, "
            "or make a store that plans for more edits (setting edits), each with fewer directions."
        )
