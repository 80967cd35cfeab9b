"""AlphaEdit: Null-Space Constrained Knowledge Editing (Fang et al., ICLR 2025, arXiv 2410.02355).

MEMIT with another solve. A layer's change is projected onto what the keys to be preserved leave free,
and keeps the values of earlier edits' keys:

    (P (K Kᵀ + Kp Kpᵀ) + λ I) Δᵀ = P K Rᵀ           (eq. 12)

    P    projector onto the directions of C with singular values below a bound      (§3.1)
    Kp   keys of the edits in force

As in MEMIT, Δ is a sum with one rank-one part for each edit, and each keeps its own part and its keys.
Kp is read from the edits in force, so that an edit that is taken back protects its key no longer; the
parts of all others stay, bit for bit, as they were solved together with it.

The authors' bound of 2e-2 and λ of 10 are in units of LLaMA-3's activations. Here both follow from C:
the bound is in proportion to its mean eigenvalue, and λ to tr(P C), the squared length that a typical
key has left after projection; such a key gets 1 / (1 + weight) of what it is to gain. SmolLM2 leaves no
direction truly free: below the mean lie four fifths of them, with a third of tr C.

An edit without a subject has it estimated, as the rarest words of its prompt. Other defaults are the
authors' for LLaMA-3: layers 4 to 8 of 32.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from memoir import moments
from memoir.core.solve import null_projector, projected_rows
from memoir.errors import BadInput, EditRefused
from memoir.host import Host
from memoir.host.patch import Patch, as_tensors
from memoir.methods.base import Batch, Change, Need, Patching, Prepared
from memoir.spread import Share, layers_up_to, spread
from memoir.types import Edit, Progress, no_progress
from memoir.values import Subjects


@dataclass(frozen=True)
class AlphaEditConfig:
    """Settings of AlphaEdit.

    Attributes:
        depth: relative depth of the last layer, 0..1 (LLaMA: 8 of 32).
        first: relative depth of the first (LLaMA: 4 of 32).
        layers: how many there are from first to last; a shallow model has fewer.
        bound: of the singular values that count as free, in units of their mean.
        weight: λ, in units of tr(P C).
        lr: Adam's step on a value.
        max_steps: updates of a value at most.
        stop_loss: a value is done below this loss, nats per target token.
        kl: weight of keeping what follows "{subject} is a".
        decay: weight of ‖δ‖ / ‖v0‖².
        clamp: bound on ‖δ‖ / ‖v0‖, v0 being what leaves the last layer.
        prefixes: texts by the model that the prompt is also put behind, 0 to 5.
        prefix_tokens: tokens it writes of each.
        corpus: file of texts for C; None for WikiText, or what ``memoir stats`` last measured.
        texts: of the corpus, at most.
        batch_size: edits solved together.
    """

    depth: float = 8 / 32
    first: float = 4 / 32
    layers: int = 5
    bound: float = 1.0
    weight: float = 0.1
    lr: float = 0.1
    max_steps: int = 25
    stop_loss: float = 5e-2
    kl: float = 0.0625
    decay: float = 0.5
    clamp: float = 0.75
    prefixes: int = 5
    prefix_tokens: int = 10
    corpus: str | None = None
    texts: int = moments.TEXTS
    batch_size: int = 100


class AlphaEdit(Patching):
    """AlphaEdit on the layers up to the host's site."""

    Config: ClassVar[type] = AlphaEditConfig
    presets: ClassVar[Mapping[str, AlphaEditConfig]] = {"default": AlphaEditConfig()}
    paper: ClassVar[str] = "AlphaEdit, ICLR 2025, arXiv 2410.02355"
    needs: ClassVar[tuple[Need, ...]] = ("subject", "statistics")
    batch: ClassVar[Batch] = "together"
    storage: ClassVar[str] = "three vectors a layer"

    def __init__(self, host: Host, prepared: Prepared) -> None:
        self.host = host
        self.config: AlphaEditConfig = prepared.config
        self.layers = layers_up_to(host, self.config.first, self.config.layers)
        self.attachment = Patch(host, self.layers)
        self._evidence = prepared.evidence
        self._learnt: tuple[Subjects, dict[int, _Free]] | None = None
        self._live: dict[str, Mapping[str, Tensor]] = {}

    @classmethod
    def prepare(
        cls, host: Host, config: AlphaEditConfig, progress: Progress = no_progress
    ) -> Prepared:
        """Measure C of every layer, or find it in the cache."""
        layers = layers_up_to(host, config.first, config.layers)
        found = moments.measured(host, layers, config.corpus, config.texts, progress)
        return Prepared(config, {}, found)

    def fit(
        self, edits: Sequence[Edit], progress: Progress = no_progress
    ) -> list[Change | EditRefused]:
        """All edits together, from the weights as they are now."""
        start = time.perf_counter()
        subjects, free = self._ready(progress)

        def rows(layer: int, keys: Float[Tensor, "edits d_in"]) -> Float[Tensor, "edits d_in"]:
            past = [tensors[_key(layer)] for tensors in self._live.values()]
            kept = torch.stack(past) if past else keys[:0]
            projector, length = free[layer]
            return projected_rows(keys, kept, projector, self.config.weight * length)

        shares = spread(
            self.host, self.attachment, self.layers, subjects, edits, self.config, rows, progress
        )
        seconds = {"fit": (time.perf_counter() - start) / len(edits)}
        return [
            share
            if isinstance(share, EditRefused)
            else Change(edit, _tensors(share), share.losses, share.said, seconds)
            for edit, share in zip(edits, shares, strict=True)
        ]

    def _ready(self, progress: Progress) -> tuple[Subjects, dict[int, _Free]]:
        """What is learnt of the unedited model, at the first edit of this process."""
        if self._learnt is None:
            config = self.config
            with self.attachment.paused():
                found = moments.load_moments(
                    self.host, self.layers, self._evidence, config.corpus, config.texts, progress
                )
                subjects = Subjects(self.host, config.prefixes, config.prefix_tokens)
            free = {layer: _free(moment, config.bound) for layer, moment in found.items()}
            self._learnt = subjects, free
        return self._learnt

    def apply(self, id: str, edit: Edit, tensors: Mapping[str, Tensor]) -> None:
        self._live[id] = tensors
        super().apply(id, edit, tensors)

    def remove(self, id: str) -> None:
        del self._live[id]
        super().remove(id)


class _Free(NamedTuple):
    """What preserved keys leave free in a layer.

    Attributes:
        projector: P.
        length: tr(P C), the mean squared length of a preserved key after projection; not 0.
    """

    projector: Float[Tensor, "d_in d_in"]
    length: float


def _free(moment: Float[Tensor, "d_in d_in"], bound: float) -> _Free:
    projector = null_projector(moment, bound * float(moment.diagonal().mean()))
    if not projector.any():
        raise BadInput(
            f"no direction of the keys lies below {bound} of the mean; choose a larger bound."
        )
    # Where the corpus says nothing at all of a direction, some λ is needed still.
    length = max(float((projector * moment).sum()), 1e-6 * float(moment.trace()))
    return _Free(projector, length)


def _tensors(share: Share) -> dict[str, Tensor]:
    keys = {_key(layer): key for layer, key in share.keys.items()}
    return {**as_tensors(share.updates), **keys}


def _key(layer: int) -> str:
    return f"{layer}.key"
