"""MEMIT: Mass-Editing Memory in a Transformer (Meng et al., ICLR 2023, arXiv 2210.07229).

    z_i   what shall leave the last layer where the subject of edit i ends      (§4.3, eq. 16)
    per layer, from below:  R = (z − what leaves the last layer now) / layers left   (eq. 20)
                            Δ = R Kᵀ (λ C + K Kᵀ)⁻¹                     (§4.2, eqs. 14 and 15)

A batch is solved together, and its Δ is a sum with one rank-one part for each edit
(:mod:`memoir.core.solve`). Each edit keeps its own part: taking one back leaves, bit for bit, the sum
of all others. Those were solved together with it, and stay as they were solved; they are not what a
batch without it would have given.

λ says as how many keys the preserved ones count. The authors' 15,000 is for GPT-J, whose layers take
16,384 inputs. A typical key has kᵀ C⁻¹ k ≈ d_in, and gets the share kᵀC⁻¹k / (λ + kᵀC⁻¹k) of what it is
to gain; for that to be the same in any model, λ here is in proportion to d_in.

An edit without a subject has it estimated, as the rarest words of its prompt. Other defaults are those
of EasyEdit's LLaMA config: layers 4 to 8 of 32; Adam's step is in units of what it changes
(:mod:`memoir.values`).
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from jaxtyping import Float
from torch import Tensor

from memoir import moments
from memoir.core.solve import ridge_rows
from memoir.errors import EditRefused
from memoir.host import Host
from memoir.host.patch import Patch, as_tensors
from memoir.methods.base import Batch, Change, Need, Patching, Prepared
from memoir.spread import Share, Solve, layers_up_to, spread
from memoir.types import Edit, Progress, no_progress
from memoir.values import Subjects


@dataclass(frozen=True)
class MemitConfig:
    """Settings of MEMIT.

    Attributes:
        depth: relative depth of the last layer, 0..1 (LLaMA: 8 of 32).
        first: relative depth of the first (LLaMA: 4 of 32).
        layers: how many there are from first to last; a shallow model has fewer.
        preserve: λ of C, per input of the layer (GPT-J: 15,000 for 16,384).
        lr: Adam's step on a value, in units of the root mean square of v0.
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
    preserve: float = 15_000 / 16_384
    lr: float = 0.3
    max_steps: int = 25
    stop_loss: float = 5e-2
    kl: float = 0.0625
    decay: float = 1e-3
    clamp: float = 4.0
    prefixes: int = 5
    prefix_tokens: int = 10
    corpus: str | None = None
    texts: int = moments.TEXTS
    batch_size: int = 100


class Memit(Patching):
    """MEMIT on the layers up to the host's site."""

    Config: ClassVar[type] = MemitConfig
    presets: ClassVar[Mapping[str, Any]] = {"default": MemitConfig()}
    paper: ClassVar[str] = "MEMIT, ICLR 2023, arXiv 2210.07229"
    needs: ClassVar[tuple[Need, ...]] = ("subject", "statistics")
    batch: ClassVar[Batch] = "together"
    storage: ClassVar[str] = "two vectors a layer"

    config: Any

    def __init__(self, host: Host, prepared: Prepared) -> None:
        self.host = host
        self.config = prepared.config
        self.layers = layers_up_to(host, self.config.first, self.config.layers)
        self.attachment = Patch(host, self.layers)
        self._evidence = prepared.evidence
        self._learnt: tuple[Subjects, Solve] | None = None

    @classmethod
    def prepare(cls, host: Host, config: Any, progress: Progress = no_progress) -> Prepared:
        """Measure C of every layer, or find it in the cache."""
        layers = layers_up_to(host, config.first, config.layers)
        found = moments.measured(host, layers, config.corpus, config.texts, progress)
        return Prepared(config, {}, found)

    def fit(
        self, edits: Sequence[Edit], progress: Progress = no_progress
    ) -> list[Change | EditRefused]:
        """All edits together, from the weights as they are now."""
        start = time.perf_counter()
        subjects, solve = self._ready(progress)
        shares = spread(
            self.host,
            self.attachment,
            self.layers,
            subjects,
            edits,
            self.config,
            solve,
            progress,
        )
        seconds = {"fit": (time.perf_counter() - start) / len(edits)}
        return [
            share
            if isinstance(share, EditRefused)
            else Change(edit, self._kept(share), share.losses, share.said, seconds)
            for edit, share in zip(edits, shares, strict=True)
        ]

    def _solver(self, moment: Mapping[int, Float[Tensor, "d_in d_in"]]) -> Solve:
        """From a layer and keys to the rows of its change, given C by layer."""
        preserve = self.config.preserve
        return lambda layer, keys: ridge_rows(keys, moment[layer], preserve * keys.shape[1])

    def _kept(self, share: Share) -> dict[str, Tensor]:
        """What is stored of an edit."""
        return as_tensors(share.updates)

    def _ready(self, progress: Progress) -> tuple[Subjects, Solve]:
        """What is learnt of the unedited model, at the first edit of this process."""
        if self._learnt is None:
            config = self.config
            with self.attachment.paused():
                found = moments.load_moments(
                    self.host, self.layers, self._evidence, config.corpus, config.texts, progress
                )
                subjects = Subjects(self.host, config.prefixes, config.prefix_tokens)
            self._learnt = subjects, self._solver(found)
        return self._learnt
