"""SparCL: Sparse Continual Learning on the Edge (Wang et al., NeurIPS 2022, arXiv 2209.09476), as an
editor of one residual memory (:mod:`memoir.residual`).

    weights    a share ``sparsity`` of them is zero after every step; which ones changes while an edit
               is learnt (task-aware dynamic masking, see :mod:`memoir.core.dynamic_masks`)
    gradients  a share ``gradient_sparsity`` of them is not applied (dynamic gradient masking)
    data       of the edits that are replayed, those learnt well rest until the next adjustment
               (dynamic data removal)
    loss       CE(edit) + α ‖z − z'‖² (replayed) + β CE(replayed)        DER++; z' as it was when learnt

Prompts that fire are answered by the whole memory.

**As here.** The paper's adjustments between tasks first expand, then shrink; those within a task first
shrink. Here all shrink first, so that the sparsity holds at every step; both happen every ``adjust``
steps in the first ``adjust_until`` of an edit's steps, the first of them before its first step. As in
the authors' code, importance takes the gradient of the whole loss, and weights that come in are drawn
at random; but which gradients are applied is chosen in every step, and there in every thirtieth. The
paper removes examples of the present task for good; an edit is one example, so it is the replayed ones
that rest, and they come back if they are forgotten.

**The buffer** is a reservoir of ``buffer`` edits in force, which follows from the log
(:mod:`memoir.core.rehearsal`); ``replayed`` of them are drawn for every edit, not for every step, so
that the lower layers run once. Of the logits z' the ``logits`` largest of each target token are kept.

**Steps** are SGD's, as in the paper, scaled by the layer's gain (:mod:`memoir.core.descent`): our rule
for models of any size, in whose units weights and gradients also add up to an importance. Learning rate
and steps were chosen on ZsRE's training records.

**State.** A change is the difference that one edit made to the weights, and which were in use after it.
The memory is the sum of the differences in force, in log order, at the weights that the latest edit in
force uses. Taking an edit back adds up the others anew.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from memoir.core.descent import descend, step_of
from memoir.core.dynamic_masks import adjusted, learning, random_mask
from memoir.core.fit import Loss, Stop
from memoir.core.rehearsal import distance, reservoir
from memoir.core.sparse import pack, unpack
from memoir.host import Host
from memoir.host.recital import Recital, Recited
from memoir.residual import Learnt, Residual, as_loss
from memoir.types import Edit


@dataclass(frozen=True)
class SparCLConfig:
    """Settings of SparCL.

    Attributes:
        depth: relative depth of the layer, 0..1 (27 of 32, as MEMOIR's; the paper has no such layer).
        sparsity: share of weights that are zero, 0..1 (paper: .75, .90, .95).
        gradient_sparsity: share of all gradients that are not applied, 0..1 (authors: .80).
        swap: share of all weights that an adjustment exchanges, 0..1 (authors: .01).
        adjust: steps between adjustments (authors: 5 epochs of 50).
        adjust_until: share of ``max_steps`` after which there are no more (authors: 45 of 50 epochs).
        gradient_weight: λ of the gradient in an importance (authors: .5).
        buffer: edits in the replay buffer (paper: 500).
        replayed: of these, how many are replayed with an edit (authors: batches of 32).
        alpha: weight of the replayed logits (DER++: .1).
        beta: weight of the replayed targets (DER++: .5).
        logits: logits kept of each target token.
        lr: step of SGD, in units of what the layer puts out.
        max_steps: updates of one edit at most.
        stop_loss: an edit is done once its target is said, at or below this loss, nats per token;
            a replayed one rests under the same condition.
        pairs: a file of further pairs for the router, see :func:`memoir.routing.pairs.told`.
        threshold: probability from which an edit fires, 0..1. None: calibrated.
        seed: of masks, buffer and draws.
    """

    depth: float = 27 / 32
    sparsity: float = 0.75
    gradient_sparsity: float = 0.8
    swap: float = 0.01
    adjust: int = 5
    adjust_until: float = 0.9
    gradient_weight: float = 0.5
    buffer: int = 500
    replayed: int = 8
    alpha: float = 0.1
    beta: float = 0.5
    logits: int = 64
    lr: float = 0.2
    max_steps: int = 40
    stop_loss: float = 0.05
    pairs: str | None = None
    threshold: float | None = None
    seed: int = 0


class Remembered(NamedTuple):
    """A past edit, with its largest logits when it was learnt; these may lie in a file."""

    edit: Edit
    tensors: Mapping[str, Tensor]


class SparseMemory:
    """Weights of which a fixed number is in use.

    Args:
        active: the weights in use before the first edit.
    """

    def __init__(self, active: Bool[Tensor, "d_out d_in"]) -> None:
        self.active = active
        self.total = torch.zeros_like(active, dtype=torch.float32)
        self.values = self.total
        self.past: list[Remembered] = []

    def copy(self) -> SparseMemory:
        other = type(self)(self.active)
        other.total, other.values, other.past = self.total, self.values, list(self.past)
        return other

    def add(self, id: str, edit: Edit, tensors: Mapping[str, Tensor]) -> None:
        changed, active = (
            unpack(tensors[name], self.total.shape).to(self.total.device)
            for name in ("changed", "active")
        )
        self.total = self.total.clone()
        self.total[changed] += tensors["difference"].to(self.total)
        self.active = active
        self.values = self.total * active
        self.past.append(Remembered(edit, tensors))

    def weight(self, id: str) -> Float[Tensor, "d_out d_in"]:
        """The same for every edit."""
        return self.values


class SparCL(Residual):
    """SparCL on one host."""

    Config: ClassVar[type] = SparCLConfig
    presets: ClassVar[Mapping[str, SparCLConfig]] = {
        "default": SparCLConfig(),
        "sparsest": SparCLConfig(sparsity=0.95, gradient_sparsity=0.96),
    }
    paper: ClassVar[str] = "SparCL, NeurIPS 2022, arXiv 2209.09476"
    storage: ClassVar[str] = "the weights it changed, where they are, and some logits"

    config: SparCLConfig

    def _fresh(self) -> SparseMemory:
        shape = (self.host.site.d_out, self.host.site.d_in)
        generator = torch.Generator().manual_seed(self.config.seed)
        count = round((1 - self.config.sparsity) * shape[0] * shape[1])
        return SparseMemory(random_mask(shape, count, generator).to(self.host.device))

    def _learn(self, edit: Edit, recital: Recital, memory: SparseMemory) -> Learnt:
        config = self.config
        number = len(memory.past)
        rehearsal = Rehearsal(self.host, self._drawn(memory.past), config)
        masks = Masks(memory.active, recital.gain, config, config.seed + 1 + number)

        def closure(weight: Float[Tensor, "d_out d_in"]) -> Loss:
            own = as_loss(recital.recite(recital.keys @ weight.T))
            if masks.due:
                rehearsal.wake(weight)
            return own._replace(loss=own.loss + rehearsal.loss(weight))

        stop = Stop(config.max_steps, config.stop_loss)
        found = descend(memory.values, closure, masks.update, stop)
        with torch.no_grad():
            recited = recital.recite(recital.keys @ found.weight.T)
        difference = found.weight - memory.total
        changed = difference != 0
        values, ids = recited.logits[0].topk(min(config.logits, recited.logits.shape[-1]))
        tensors = {
            "changed": pack(changed),
            "difference": difference[changed],
            "active": pack(masks.active),
            "logit_ids": ids.int(),
            "logits": values,
        }
        return Learnt(tensors, found.losses, found.said)

    def _drawn(self, past: Sequence[Remembered]) -> list[Remembered]:
        """The edits that are replayed with the next one."""
        kept = reservoir(past, self.config.buffer, self.config.seed)
        generator = torch.Generator().manual_seed(self.config.seed + len(past))
        order = torch.randperm(len(kept), generator=generator)[: self.config.replayed]
        return [kept[i] for i in order.tolist()]


class Masks:
    """The weights in use while one edit is learnt, and the steps they take.

    Attributes:
        active: the weights in use.
    """

    def __init__(
        self, active: Bool[Tensor, "d_out d_in"], gain: float, config: SparCLConfig, seed: int
    ) -> None:
        self.active = active
        self._gain = gain
        self._config = config
        self._generator = torch.Generator().manual_seed(seed)
        self._step = 0

    @property
    def due(self) -> bool:
        """Whether the next step begins with an adjustment."""
        config = self._config
        until = config.adjust_until * config.max_steps
        return self._step % config.adjust == 0 and self._step < until

    def update(
        self, weight: Float[Tensor, "d_out d_in"], gradient: Float[Tensor, "d_out d_in"]
    ) -> Float[Tensor, "d_out d_in"]:
        """The weights after one step, adjusted first if that is due."""
        config, gain = self._config, self._gain
        if self.due:
            importance = weight.abs() / gain + config.gradient_weight * gradient.abs() * gain
            count = round(config.swap * weight.numel())
            self.active = adjusted(self.active, importance, count, self._generator)
        self._step += 1
        count = round((1 - config.gradient_sparsity) * weight.numel())
        steep = learning(gradient, self.active, count)
        return (weight - step_of(gradient * steep, gain, config.lr)) * self.active


class Rehearsal:
    """Past edits, replayed while another is learnt; those learnt well rest."""

    def __init__(self, host: Host, past: Sequence[Remembered], config: SparCLConfig) -> None:
        self._config = config
        self._recital = Recital(host, [each.edit for each in past]) if past else None
        self._awake: Int[Tensor, " edits"] = torch.arange(len(past), device=host.device)
        lengths = [len(each.tensors["logits"]) for each in past]
        kept = max((each.tensors["logits"].shape[1] for each in past), default=0)
        shape = (len(past), max(lengths, default=0), kept)
        self._ids = torch.zeros(shape, dtype=torch.long, device=host.device)
        self._logits = torch.zeros(shape, device=host.device)
        for row, (length, each) in enumerate(zip(lengths, past, strict=True)):
            self._ids[row, -length:] = each.tensors["logit_ids"].to(self._ids)
            self._logits[row, -length:] = each.tensors["logits"].to(self._logits)

    def wake(self, weight: Float[Tensor, "d_out d_in"]) -> None:
        """Look at all of them again: those learnt well rest from now on, the others do not."""
        if self._recital is None:
            return
        everyone = torch.arange(len(self._ids), device=self._ids.device)
        with torch.no_grad():
            recited = self._recite(self._recital, weight, everyone)
        well = recited.said & (recited.loss <= self._config.stop_loss)
        self._awake = everyone[~well]

    def loss(self, weight: Float[Tensor, "d_out d_in"]) -> Float[Tensor, ""]:
        """DER++'s two terms, averaged over the edits that do not rest."""
        if self._recital is None or not len(self._awake):
            return weight.new_zeros(())
        recited = self._recite(self._recital, weight, self._awake)
        # A batch of shorter targets has fewer places.
        longest = recited.logits.shape[1]
        ids, logits = (each[self._awake, -longest:] for each in (self._ids, self._logits))
        apart = distance(recited.logits, ids, logits, recited.target)
        return (self._config.alpha * apart + self._config.beta * recited.loss).mean()

    def _recite(
        self, recital: Recital, weight: Float[Tensor, "d_out d_in"], rows: Int[Tensor, " edits"]
    ) -> Recited:
        return recital.recite(recital.keys[rows] @ weight.T, rows)
