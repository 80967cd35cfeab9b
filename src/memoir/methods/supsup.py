"""SupSup: Supermasks in Superposition (Wortsman et al., NeurIPS 2020, arXiv 2006.14769), as an editor
of one residual memory (:mod:`memoir.residual`).

    W       random signs times one constant σ, never trained (§3.1)
    M_i     the mask of task i: the share ``density`` of weights with the highest scores S_i (app. E)
    W_m     M_i ⊙ W for a prompt of task i (§3.2, equation 1)
    S_i     trained through the mask as if it were not there: ∂L/∂S = ∂L/∂(M ⊙ W) ⊙ W

What is stored of an edit is its mask, one bit a weight; masks never touch each other.

Masks of a chosen density are what the paper has for SplitImageNet and SplitCIFAR100, where its code
ranks |S_i|; for the MNIST tasks it keeps the weights whose score is above zero, however many (§4.2).

**Scaled for models of any size.** The paper's constant is the standard deviation of an initialisation.
Here σ = ``size`` · std(W0) / √density, so that a mask drawn at random puts out ``size`` times as much
as the layer's own weight would for inputs without a preferred direction. Scores start at random, the
same for every edit, with variance one; a step moves them by ``lr`` (root mean square) along the
gradient, since their scale means nothing. The authors use RMSprop (MNIST). Both rules are ours;
density, size and learning rate were chosen on ZsRE's training records.

**When the task is not known.** ``infer="router"``: the router by meaning, as with the methods beside.
``infer="entropy"``: the paper's one-shot inference (§3.3, equation 4). The memory is the mean of all
masks' weights, Σ α_i M_i ⊙ W, and the mask wins whose coefficient lowers the next token's entropy H
fastest, argmax −∂H/∂α_i, from one pass forwards and backwards over the layers above the site. The
paper has no answer "none of them"; here the zero mask is one more component, with gradient zero, so a
prompt is left alone if every mask would raise the entropy.

Expect little of it: the paper's networks know nothing but their masks, while a language model has an
answer of its own, and a little of any mask first makes it less sure. On ten of ZsRE's training records
(SmolLM2-135M) it found none of the edits, and it changed unrelated prompts. A gradient is compared with
every stored mask, so it also takes time in proportion to their number, and as much memory as the
layer's weight for each prompt of a batch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from memoir.core.descent import descend
from memoir.core.fit import Loss, Stop
from memoir.core.sparse import largest, pack, unpack
from memoir.core.supermask import random_signs, slopes, through
from memoir.errors import BadInput
from memoir.host import Host
from memoir.host.entropy import entropy_gradient
from memoir.host.recital import Recital
from memoir.host.tokens import Encoded
from memoir.methods.base import Batch, Prepared
from memoir.residual import Learnt, Residual, loss_with
from memoir.routing.base import Prompts
from memoir.types import Edit, Match

NEITHER = 0.5
"""Score of a mask that neither lowers nor raises the entropy."""


@dataclass(frozen=True)
class SupSupConfig:
    """Settings of SupSup.

    Attributes:
        depth: relative depth of the layer, 0..1 (27 of 32, as MEMOIR's; the paper has no such layer).
        density: share of the weights that a mask keeps, 0..1 (paper: .04 to .16 for SplitImageNet;
            about .5 at the start for the MNIST tasks).
        size: what a random mask puts out, in proportion to the layer's own weight.
        lr: root mean square of a step, in units of the scores' at the start.
        max_steps: updates of one edit at most.
        stop_loss: an edit is done once its target is said, at or below this loss, nats per token.
        infer: how the edit is found that a prompt is about: ``router`` by meaning, or ``entropy``
            (paper).
        pairs: a file of further pairs for the router, see :func:`memoir.routing.pairs.told`.
        threshold: probability from which an edit fires, 0..1. None: calibrated. Not used by
            ``entropy``.
        seed: of signs and of the scores at the start.
    """

    depth: float = 27 / 32
    density: float = 0.1
    size: float = 0.5
    lr: float = 0.1
    max_steps: int = 60
    stop_loss: float = 0.05
    infer: Literal["router", "entropy"] = "router"
    pairs: str | None = None
    threshold: float | None = None
    seed: int = 0


class Supermasks:
    """One mask for each edit, over the same random weights.

    Args:
        weight: W.
    """

    def __init__(self, weight: Float[Tensor, "d_out d_in"]) -> None:
        self.random = weight
        self.masks: dict[str, UInt8[Tensor, " bytes"]] = {}

    def copy(self) -> Supermasks:
        other = type(self)(self.random)
        other.masks = dict(self.masks)
        return other

    def add(self, id: str, edit: Edit, tensors: Mapping[str, Tensor]) -> None:
        self.masks[id] = tensors["mask"]

    def weight(self, id: str) -> Float[Tensor, "d_out d_in"]:
        """The random weights that an edit's mask keeps."""
        return self.random * self.mask(id)

    def mask(self, id: str) -> Bool[Tensor, "d_out d_in"]:
        """M_i."""
        return unpack(self.masks[id], self.random.shape).to(self.random.device)

    def mixture(self) -> Float[Tensor, "d_out d_in"]:
        """The mean of all masks' weights, the zero mask's included."""
        counts = torch.zeros_like(self.random)
        for id in self.masks:
            counts += self.mask(id)
        return self.random * counts / (len(self.masks) + 1)


class SupSup(Residual):
    """SupSup on one host."""

    Config: ClassVar[type] = SupSupConfig
    presets: ClassVar[Mapping[str, SupSupConfig]] = {
        "default": SupSupConfig(),
        "entropy": SupSupConfig(infer="entropy"),
    }
    paper: ClassVar[str] = "SupSup, NeurIPS 2020, arXiv 2006.14769"
    undo: ClassVar[Literal["exact", "replay"]] = "exact"
    batch: ClassVar[Batch] = "side by side"
    storage: ClassVar[str] = "a mask, one bit a weight"

    config: SupSupConfig

    def __init__(self, host: Host, prepared: Prepared) -> None:
        shape = (host.site.d_out, host.site.d_in)
        config: SupSupConfig = prepared.config
        generator = torch.Generator().manual_seed(config.seed)
        sigma = config.size * float(host.site.weight.detach().float().std()) / config.density**0.5
        self._random = (random_signs(shape, generator) * sigma).to(host.device)
        self._scores = torch.randn(shape, generator=generator).to(host.device)
        self._count = round(config.density * self._random.numel())
        self.spares_others = config.infer == "router"
        super().__init__(host, prepared)

    def _fresh(self) -> Supermasks:
        return Supermasks(self._random)

    def remove(self, id: str) -> None:
        del self._live[id], self._memory.masks[id]
        self._router.remove(id)

    def _learn(self, edit: Edit, recital: Recital, memory: Supermasks) -> Learnt:
        config = self.config

        def closure(scores: Float[Tensor, "d_out d_in"]) -> Loss:
            return loss_with(recital, self._random * through(scores, self._count))

        def update(
            scores: Float[Tensor, "d_out d_in"], gradient: Float[Tensor, "d_out d_in"]
        ) -> Float[Tensor, "d_out d_in"]:
            size = gradient.square().mean().sqrt().clamp_min(torch.finfo(gradient.dtype).tiny)
            return scores - config.lr * gradient / size

        found = descend(self._scores, closure, update, Stop(config.max_steps, config.stop_loss))
        mask = largest(found.weight, self._count)
        return Learnt({"mask": pack(mask)}, found.losses, found.said)

    # ------------------------------------------------------------------ without a task's number

    def foresee(self, prompts: Sequence[Encoded]) -> list[Match] | None:
        return super().foresee(prompts) if self.config.infer == "router" else None

    def _match(self, prompts: Prompts) -> list[Match]:
        return super()._match(prompts) if self.config.infer == "router" else self._infer(prompts)

    def _infer(self, prompts: Prompts) -> list[Match]:
        """One-shot inference: the mask that lowers the entropy of the next token fastest."""
        ids = list(self._memory.masks)
        if not ids:
            return [Match(None, 0.0, NEITHER) for _ in prompts.real]
        if prompts.ids is None:
            raise BadInput(
                "an edit is inferred from what the model makes of a prompt's tokens, but it was given "
                "inputs_embeds; give it input_ids."
            )
        rows = [
            Encoded(ids[real].tolist())
            for ids, real in zip(prompts.ids.cpu(), prompts.real.cpu(), strict=True)
        ]
        gradient = entropy_gradient(self.host, rows, self._memory.mixture()) * self._random
        lowers, best = (-slopes(list(self._memory.masks.values()), gradient.flatten(1))).max(1)
        return [
            Match(ids[i], float(torch.sigmoid(fall)), NEITHER, {"entropy falls by": float(fall)})
            for i, fall in zip(best.tolist(), lowers, strict=True)
        ]
