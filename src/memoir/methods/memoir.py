"""MEMOIR: Lifelong Model Editing with Minimal Overwrite and Informed Retention for LLMs
(Wang et al., NeurIPS 2025, arXiv 2506.07899).

    out_t = W0 a_t + Wm (m ⊙ a_t)                                     §3.1 residual memory
    m(x)  = TopHash of the prompt's mean activation                   §3.2 minimal overwrite
    at inference m is the best matching *stored* mask, if its
    overlap with m(x) reaches τ; otherwise the memory is silent       §3.3 informed retention

The mathematics lives in :mod:`memoir.core`; this file binds it to a host. Two presets:

``faithful``
    the authors' settings: one shared ``Wm``, SGD (lr 1.0, norm clip 1.0, weight decay 1e-5), the
    prompt and ten copies behind self-generated prefixes, at most 30 steps, stop at |Δloss| ≤ 1e-4
    and loss ≤ 0.02, and every edit accepted however it ended.
``default``
    ours: isolated memory (no interference between edits), Adam on the dual coefficients, the bare
    prompt alone, many edits side by side, and an edit accepted only if the model says its target.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

from memoir.calibration import Calibration, calibrate
from memoir.core.fingerprint import TopHash, prompt_mean
from memoir.core.fit import SGD, Adam, Fitted, Loss, Optimiser, Stop, fit
from memoir.core.index import MaskIndex
from memoir.core.memory import Delta, IsolatedMemory, Memory, Recall, SharedMemory
from memoir.core.router import OverlapRouter
from memoir.errors import BadInput, EditRefused, LossNotFinite, NotConverged
from memoir.host import Attachment, Host, Reading
from memoir.host.tokens import Encoded
from memoir.methods.base import Change, Prepared
from memoir.types import Edit, Match, Progress, no_progress

PAPER_DENSITY = 4096 / 14336
"""Active share of the columns in the paper's settings (LLaMA-3-8B: k = 4096 of 14336)."""

TAIL_CANDIDATES = 20
"""Ranks searched for a token that begins a new word after the target."""

PREFIX_SEEDS = ("I", "You", "Because", "Yes", "Q: ")
PREFIX_LENGTHS = (5, 10)
"""The authors' prefixes: each seed word continued greedily by 5 and by 10 tokens."""


@dataclass(frozen=True)
class MemoirConfig:
    """Settings of MEMOIR; a value of None is decided by calibration.

    Attributes:
        layer: decoder block of the edited layer, 0-based. None: 27/32 of the depth (paper, LLaMA-3).
        k: active columns of a mask, 1..d_in. None: 4096/14336 of them (paper).
        overlap_threshold: τ, 0..1. None: the smallest with the false-fire rate below.
        false_fire_rate: share of unrelated prompts that may fire when τ is calibrated, 0..1.
        memory: ``shared`` (paper) or ``isolated``.
        prefixes: whether each edit is also fitted behind ten self-generated prefixes (paper).
        optimiser: ``sgd`` on ``Wm`` (paper) or ``adam`` on the dual coefficients.
        lr: SGD: step on ``Wm``. Adam: step in units of the root mean square of the site's output.
        clip_norm: SGD: bound on the gradient's norm (paper: 1.0).
        weight_decay: SGD: the authors' 1e-5 shrinks the whole memory a little at every step.
        max_steps: updates at most (paper: 30 to 70 by model).
        stop_loss: an edit may stop at or below this loss, nats per target token (paper: 0.02).
        stop_change: it stops once the loss also moved by no more than this (paper: 1e-4); None:
            once every target token has rank one.
        accept_unsaid: keep edits whose target does not have rank one at the end (paper).
        anchor_tokens: tokens after the target on which the edit is held to the unedited model; 0 for
            none (paper).
        anchor_weight: weight of that KL divergence against the cross-entropy of the target.
        batch_size: edits fitted side by side (paper: 1).
        seed: of the permutation π.
    """

    layer: int | None = None
    k: int | None = None
    overlap_threshold: float | None = None
    false_fire_rate: float = 0.01
    memory: Literal["shared", "isolated"] = "isolated"
    prefixes: bool = False
    optimiser: Literal["sgd", "adam"] = "adam"
    lr: float = 0.2
    clip_norm: float = 1.0
    weight_decay: float = 0.0
    max_steps: int = 60
    stop_loss: float = 0.15
    stop_change: float | None = None
    accept_unsaid: bool = False
    anchor_tokens: int = 6
    anchor_weight: float = 1.0
    batch_size: int = 16
    seed: int = 0


FAITHFUL = MemoirConfig(
    memory="shared",
    prefixes=True,
    optimiser="sgd",
    lr=1.0,
    clip_norm=1.0,
    weight_decay=1e-5,
    max_steps=30,
    stop_loss=0.02,
    stop_change=1e-4,
    accept_unsaid=True,
    anchor_tokens=0,
    batch_size=1,
)


def prepared_from(config: MemoirConfig, calibration: Calibration) -> Prepared:
    """The config completed by a calibration, ready for :class:`Memoir`."""
    chosen = calibration.chosen
    return Prepared(
        replace(config, layer=chosen.layer, k=chosen.k, overlap_threshold=chosen.threshold),
        {"background": calibration.background, "permutation": calibration.permutation},
        calibration.evidence(),
    )


class Route(NamedTuple):
    """Which rows of a batch matched, and what the memory recalls for them."""

    matches: list[Match]
    rows: Int[Tensor, " fired"]
    recall: Recall | None


class Memoir:
    """MEMOIR on one host; attached from construction until :meth:`close`.

    Args:
        host: its site must be the prepared config's layer.
        prepared: see :meth:`prepare`.
    """

    Config: ClassVar[type] = MemoirConfig
    presets: ClassVar[Mapping[str, MemoirConfig]] = {
        "default": MemoirConfig(),
        "faithful": FAITHFUL,
    }
    paper: ClassVar[str] = "MEMOIR, NeurIPS 2025, arXiv 2506.07899"
    undo: ClassVar[Literal["exact", "replay"]] = "exact"

    def __init__(self, host: Host, prepared: Prepared) -> None:
        self.host = host
        self.config: MemoirConfig = prepared.config
        config, site = self.config, host.site
        if config.k is None or config.overlap_threshold is None:
            raise BadInput("this config was not prepared: k and overlap_threshold are still open.")
        self._hash = TopHash(
            prepared.tensors["background"], prepared.tensors["permutation"], config.k
        )
        self._router = OverlapRouter(MaskIndex(site.d_in, config.k), config.overlap_threshold)
        memory = SharedMemory if config.memory == "shared" else IsolatedMemory
        self._memory: Memory = memory(site.d_in, site.d_out, site.weight.device)
        self._prefixes: list[str] | None = None
        self.attachment = Attachment(host, self)

    def close(self) -> None:
        self.attachment.undo()

    @classmethod
    def prepare(
        cls, host: Host, config: MemoirConfig, progress: Progress = no_progress
    ) -> Prepared:
        """Decide what the config leaves open: see :func:`memoir.calibration.calibrate`."""
        calibration = calibrate(
            host,
            layers=[host.site.layer],
            ks=[config.k or round(host.site.d_in * PAPER_DENSITY)],
            seed=config.seed,
            false_fire_rate=config.false_fire_rate,
            threshold=config.overlap_threshold,
            progress=progress,
        )
        return prepared_from(config, calibration)

    # ------------------------------------------------------------------ inference

    def decide(
        self, activations: Float[Tensor, "batch seq d_in"], prompt: Bool[Tensor, "batch seq"]
    ) -> Route:
        """Match every prompt of the batch (§3.3)."""
        matches = self._router.match(self._hash(prompt_mean(activations, prompt)))
        fired = [row for row, match in enumerate(matches) if match.fired]
        recall = None
        if fired:
            recall = self._memory.recall([str(matches[row].edit_id) for row in fired])
        return Route(matches, torch.tensor(fired, dtype=torch.long), recall)

    def act(
        self,
        activations: Float[Tensor, "batch seq d_in"],
        output: Float[Tensor, "batch seq d_out"],
        route: Route,
    ) -> Float[Tensor, "batch seq d_out"] | None:
        """Add the memory's output to the rows that matched; no bit changes anywhere else."""
        if route.recall is None:
            return None
        rows = route.rows.to(output.device)
        added = route.recall(activations[rows.to(activations.device)])
        return output.index_add(0, rows, added.to(output.device, output.dtype))

    def verdicts(self, route: Route) -> list[Match]:
        return route.matches

    # ------------------------------------------------------------------ state

    def apply(self, id: str, tensors: Mapping[str, Tensor]) -> None:
        delta = Delta.from_tensors(tensors)
        self._memory.add(id, delta)
        self._router.index.add(id, delta.mask(self.host.site.d_in))

    def remove(self, id: str) -> None:
        self._memory.remove(id)
        self._router.index.remove(id)

    # ------------------------------------------------------------------ editing

    def fit(
        self, edits: Sequence[Edit], progress: Progress = no_progress
    ) -> list[Change | EditRefused]:
        start = time.perf_counter()
        contexts = ["", *self._prefix_texts()] if self.config.prefixes else [""]
        rows = [
            self.host.encode(context + edit.prompt, edit.target)
            for edit in edits
            for context in contexts
        ]
        if self.config.anchor_tokens:
            rows = self._with_tails(rows)
        reading = self.host.read(self.host.batch(rows))
        masks, keys = self._keys(reading, len(contexts))
        anchor = self._anchor(reading) if self.config.anchor_tokens else None
        read = time.perf_counter()

        decay = 1.0 - self.config.lr * self.config.weight_decay
        fitted = fit(
            keys,
            lambda added, open_: self._loss(reading, anchor, added, open_, len(contexts)),
            self._optimiser(reading, len(edits)),
            Stop(self.config.max_steps, self.config.stop_loss, self.config.stop_change),
            base=self._memory.base(keys),
            base_decay=decay,
            d_out=self.host.site.d_out,
            on_step=lambda step, _open: progress("fitting", step, self.config.max_steps),
        )
        end = time.perf_counter()

        seconds = {"read": (read - start) / len(edits), "fit": (end - read) / len(edits)}
        return [
            self._judged(edit, masks[i], keys[i], fitted[i], decay, seconds)
            for i, edit in enumerate(edits)
        ]

    def _keys(
        self, reading: Reading, contexts: int
    ) -> tuple[Bool[Tensor, "edits d_in"], Float[Tensor, "edits keys d_in"]]:
        """Each edit's mask, from its bare prompt, and its masked activations in all contexts."""
        tokens = reading.tokens
        bare = slice(None, None, contexts)
        masks = self._hash(prompt_mean(reading.activations[bare], tokens.prompt[bare]))
        writes = tokens.attention.clone()
        writes[:, -1] = False  # nothing is read after the last target token
        keys = reading.activations.float() * writes.unsqueeze(-1)
        keys = keys.reshape(len(masks), -1, keys.shape[-1]) * masks.unsqueeze(1)
        return masks, keys

    def _with_tails(self, rows: Sequence[Encoded]) -> list[Encoded]:
        """Each target closed by one more token, and followed by what the unedited model says then.

        The closing token is the unedited model's best that does not go on inside the target's last
        word, so that an edit also learns where its target ends.
        """
        host = self.host
        with self.attachment.paused(), torch.no_grad():
            bare = [Encoded(row.ids) for row in rows]
            ranked = host.logits(host.batch(bare), keep=1)[:, 0].topk(TAIL_CANDIDATES).indices
            closing = [
                next((id for id in candidates if host.begins_anew(id)), candidates[0])
                for candidates in ranked.tolist()
            ]
            begun = [Encoded([*row.ids, first]) for row, first in zip(bare, closing, strict=True)]
            rests = host.generate(begun, self.config.anchor_tokens)
        return [
            # Nothing follows a token that ends the text.
            Encoded(row.prompt, [*row.target, first], [] if first in host.end_ids else rest)
            for row, first, rest in zip(rows, closing, rests, strict=True)
        ]

    @torch.no_grad()
    def _anchor(self, reading: Reading) -> Float[Tensor, "rows answer vocab"]:
        """Log-probabilities of the unedited model along target and tail."""
        keep = reading.tokens.longest_answer
        return self.host.replay(reading, None, keep + 1)[:, :-1].float().log_softmax(-1)

    def _loss(
        self,
        reading: Reading,
        anchor: Float[Tensor, "rows answer vocab"] | None,
        added: Float[Tensor, "edits keys d_out"],
        open_: Int[Tensor, " edits"],
        contexts: int,
    ) -> Loss:
        """Cross-entropy on the targets, and KL to the unedited model on what follows them.

        Both are averaged over tokens, then over contexts.
        """
        rows = (
            open_.unsqueeze(1) * contexts + torch.arange(contexts, device=open_.device)
        ).flatten()
        part = reading.rows(rows)
        keep = part.tokens.longest_answer
        added = added.reshape(len(rows), -1, added.shape[-1])
        logits = self.host.replay(part, added, keep + 1)[:, :-1].float()
        ids = part.tokens.ids[:, -keep:]
        target, tail = part.tokens.target[:, -keep:], part.tokens.tail[:, -keep:]
        nll = F.cross_entropy(logits.transpose(1, 2), ids, reduction="none")
        loss = (nll * target).sum(1) / target.sum(1)
        if anchor is not None:
            kept = anchor[rows][:, -keep:]
            kl = F.kl_div(logits.log_softmax(-1), kept, reduction="none", log_target=True).sum(-1)
            kl = (kl * tail).sum(1) / tail.sum(1).clamp_min(1)
            loss = loss + self.config.anchor_weight * kl
        said = ((logits.detach().argmax(-1) == ids) | ~target).all(1)
        return Loss(loss.reshape(-1, contexts).mean(1), said.reshape(-1, contexts).all(1))

    @torch.no_grad()
    def _optimiser(self, reading: Reading, edits: int) -> Optimiser:
        config = self.config
        if config.optimiser == "sgd":
            return SGD(config.lr, config.clip_norm, config.weight_decay)
        # Each edit's step is a share of what the site puts out on that edit's own tokens.
        squares = self.host.site.module(reading.activations).float().square().mean(-1)
        real = reading.tokens.attention.float()
        sums = torch.stack([squares * real, real]).reshape(2, edits, -1).sum(-1)
        return Adam(config.lr * (sums[0] / sums[1]).sqrt())

    def _judged(
        self,
        edit: Edit,
        mask: Bool[Tensor, " d_in"],
        keys: Float[Tensor, "keys d_in"],
        fitted: Fitted,
        decay: float,
        seconds: dict[str, float],
    ) -> Change | EditRefused:
        losses = fitted.losses
        curve = " → ".join(f"{loss:.3g}" for loss in _thinned(losses))
        what = f"'{edit.prompt}' → '{edit.target}'"
        if not torch.isfinite(torch.tensor(losses[-1])):
            return LossNotFinite(
                f"the loss of {what} is {losses[-1]} after {fitted.steps} steps (loss {curve}); "
                "nothing was written. Lower the learning rate, or load the model in float32.",
                losses,
            )
        if not fitted.said and not self.config.accept_unsaid:
            return NotConverged(
                f"after {fitted.steps} steps the model still does not say {what} (loss {curve}); "
                "nothing was written. Allow more steps (max_steps), or split a long target.",
                losses,
            )
        delta = Delta.of(mask, keys, fitted.coefficients, decay**fitted.steps)
        return Change(edit, delta.tensors(), losses, fitted.said, seconds)

    def _prefix_texts(self) -> list[str]:
        if self._prefixes is None:
            seeds = [self.host.encode(seed) for seed in PREFIX_SEEDS]
            with self.attachment.paused():
                self._prefixes = [
                    self.host.decode([*seed.prompt, *ids]) + ". "
                    for length in PREFIX_LENGTHS
                    for seed, ids in zip(seeds, self.host.generate(seeds, length), strict=True)
                ]
        return self._prefixes


def _thinned(losses: Sequence[float], points: int = 8) -> list[float]:
    """At most ``points`` of the losses, evenly spread, first and last included."""
    if len(losses) <= points:
        return list(losses)
    return [losses[round(i * (len(losses) - 1) / (points - 1))] for i in range(points)]
