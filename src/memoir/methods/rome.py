"""ROME: Locating and Editing Factual Associations in GPT (Meng et al., NeurIPS 2022, arXiv 2202.05262).

    k*  what enters the layer's output projection at the subject's last token      (§3.1, eq. 3)
    δ   trained: added to what leaves it there, the target follows                 (eq. 4)
    Δ = δ (C⁻¹k*)ᵀ / (k*ᵀ C⁻¹ k*)       adds δ to the value of k*, and disturbs other keys least (eq. 2)

C is the second moment of the layer's keys over texts (:mod:`memoir.moments`). The value of k* is taken
at k* itself, the mean over the prompt alone and behind a few texts the model wrote. The authors' code
takes the prompt's own key in one place and the mean in another, which ruins models after some tens of
edits (Gupta et al., *Rebuilding ROME*, 2024, arXiv 2403.07175).

An edit without a subject has it estimated, as the rarest words of its prompt. Defaults are those of
EasyEdit's LLaMA config, layer 5 of 32, with these exceptions: that config leaves C out (C = I), and
there and in the paper (E.5) twenty texts are written, ten of 5 tokens and ten of 10; here five of 10,
as in MEMIT's code. Adam's step is in units of v0 (:mod:`memoir.values`), which for it and for the
bound is that of the unedited model: by that of the weights as edited so far, as the authors' bound has
it, one edit makes the next one larger.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from memoir import moments
from memoir.core.solve import rank_one
from memoir.errors import EditRefused, LossNotFinite
from memoir.host import Host
from memoir.host.patch import Patch, Update, as_tensors
from memoir.methods.base import Batch, Change, Need, Patching, Prepared
from memoir.types import Edit, Progress, no_progress
from memoir.values import Subjects, keys_of, outputs_of, said, train


@dataclass(frozen=True)
class RomeConfig:
    """Settings of ROME.

    Attributes:
        depth: relative depth of the layer, 0..1 (LLaMA: 5 of 32).
        lr: Adam's step on δ, in units of the root mean square of v0.
        max_steps: updates of δ at most.
        stop_loss: δ is done below this loss, nats per target token.
        kl: weight of keeping what follows "{subject} is a".
        decay: weight of ‖δ‖ / ‖v0‖².
        clamp: bound on ‖δ‖ / ‖v0‖, v0 being what leaves the layer there in the unedited model.
        prefixes: texts by the model that the prompt is also put behind, 0 to 5.
        prefix_tokens: tokens it writes of each.
        corpus: file of texts for C; None for WikiText, or what ``memoir stats`` last measured.
        texts: of the corpus, at most.
    """

    depth: float = 5 / 32
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


class Rome(Patching):
    """ROME at the host's site."""

    Config: ClassVar[type] = RomeConfig
    presets: ClassVar[Mapping[str, RomeConfig]] = {"default": RomeConfig()}
    paper: ClassVar[str] = "ROME, NeurIPS 2022, arXiv 2202.05262"
    needs: ClassVar[tuple[Need, ...]] = ("subject", "statistics")
    batch: ClassVar[Batch] = "one by one"
    storage: ClassVar[str] = "two vectors"

    def __init__(self, host: Host, prepared: Prepared) -> None:
        self.host = host
        self.config: RomeConfig = prepared.config
        self.attachment = Patch(host, [host.site.layer])
        self._evidence = prepared.evidence
        self._learnt: tuple[Subjects, Float[Tensor, "d_in d_in"]] | None = None

    @classmethod
    def prepare(cls, host: Host, config: RomeConfig, progress: Progress = no_progress) -> Prepared:
        """Measure C, or find it in the cache."""
        layers = [host.site.layer]
        found = moments.measured(host, layers, config.corpus, config.texts, progress)
        return Prepared(config, {}, found)

    def fit(
        self, edits: Sequence[Edit], progress: Progress = no_progress
    ) -> list[Change | EditRefused]:
        """One edit after another, each from the weights that those before it left."""
        layer = self.host.site.layer
        total = torch.zeros_like(self.attachment.base(layer), dtype=torch.float32)
        results: list[Change | EditRefused] = []
        for edit in edits:
            try:
                change, update = self._fit(edit, total, progress)
            except EditRefused as refused:
                results.append(refused)
                continue
            total += update.dense().to(total.device)
            results.append(change)
        return results

    def _fit(self, edit: Edit, total: Tensor, progress: Progress) -> tuple[Change, Update]:
        start = time.perf_counter()
        host, layer = self.host, self.host.site.layer
        subjects, moment = self._ready(progress)
        each = [subjects.of(edit)]
        with self.attachment.paused():
            own = outputs_of(host, each)
        with self.attachment.tried({layer: Update(total)}):
            read = time.perf_counter()
            deltas, losses = train(host, each, own, self.config, progress)
            row = rank_one(keys_of(host, each, layer)[0], moment)
        update = Update(deltas.T.cpu(), row[None].float())
        if not all(part.isfinite().all() for part in update if part is not None):
            raise LossNotFinite(f"the value for {edit.prompt!r} is not finite.", losses[0])
        with self.attachment.tried({layer: Update(total + update.dense().to(total.device))}):
            spoken = said(host, each)[0]
        seconds = {"read": read - start, "fit": time.perf_counter() - read}
        return Change(edit, as_tensors({layer: update}), losses[0], spoken, seconds), update

    def _ready(self, progress: Progress) -> tuple[Subjects, Float[Tensor, "d_in d_in"]]:
        """What is learnt of the unedited model, at the first edit of this process."""
        if self._learnt is None:
            config, layer = self.config, self.host.site.layer
            with self.attachment.paused():
                found = moments.load_moments(
                    self.host, [layer], self._evidence, config.corpus, config.texts, progress
                )
                subjects = Subjects(self.host, config.prefixes, config.prefix_tokens)
            self._learnt = subjects, found[layer]
        return self._learnt
