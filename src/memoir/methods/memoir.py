"""MEMOIR: Lifelong Model Editing with Minimal Overwrite and Informed Retention for LLMs
(Wang et al., NeurIPS 2025, arXiv 2506.07899).

    out_t = W0 a_t + Wm (m ⊙ a_t)                                     residual memory
    m(x)  = TopHash of the prompt's mean activation                   minimal overwrite
    the memory acts only on prompts that a router gives to an edit    informed retention

The mathematics lives in :mod:`memoir.core`, the routers in :mod:`memoir.routing`; this file binds them
to a host. Two presets:

``faithful``
    the authors' settings: one shared ``Wm``, the overlap router, SGD (lr 1.0, norm clip 1.0, weight
    decay 1e-5), the prompt and ten copies behind self-generated prefixes, at most 30 steps, stop at
    |Δloss| ≤ 1e-4 and loss ≤ 0.02, and every edit accepted however it ended. Their code divides the
    loss by one token more than the target has, and stops one step later; here it is the mean.
``default``
    ours. Isolated memory: no interference between edits. A router by meaning. The memory acts on what
    is answered only, and steps back once the target has been said, so that prompts leave the key/value
    cache the unedited model's and the text goes on as the unedited model would have it. Fitted bare,
    behind a sentence, and in the chat template with and without a system prompt; accepted only if the
    model says the target in each of them.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from memoir.calibration import Calibration, background_mean, calibrate
from memoir.core.fingerprint import TopHash, prompt_mean, random_permutation
from memoir.core.fit import SGD, Adam, Fitted, Optimiser, Stop, fit
from memoir.core.memory import Delta, IsolatedMemory, Memory, Recall, SharedMemory
from memoir.errors import BadInput, EditRefused, LossNotFinite, NotConverged
from memoir.host import Attachment, Fed, Host
from memoir.host.sites import PAPER_DEPTH
from memoir.host.spoken import Spoken
from memoir.host.tokens import Encoded
from memoir.lesson import Context, Lesson, bare, behind, conversations
from memoir.methods.base import Batch, Change, Need, Prepared, Usual
from memoir.routing.base import Prompts, Router
from memoir.routing.meaning import MeaningRouter
from memoir.routing.overlap import OverlapRouter
from memoir.routing.prepared import foreseen, prepare_router, prepared_router
from memoir.types import Edit, Match, Progress, no_progress

PAPER_DENSITY = 4096 / 14336
"""Active share of the columns in the paper's settings (LLaMA-3-8B: k = 4096 of 14336)."""

PREFIX_SEEDS = ("I", "You", "Because", "Yes", "Q: ")
PREFIX_LENGTHS = (5, 10)
"""The authors' prefixes: each seed word continued by 5 and by 10 tokens. Here that is done greedily,
and a prefix ends in a full stop; theirs follow the model's generation settings and end in a space."""


@dataclass(frozen=True)
class MemoirConfig:
    """Settings of MEMOIR; a value of None is decided by calibration.

    Attributes:
        layer: decoder block of the edited layer, 0-based. None: at ``depth``.
        depth: its relative depth, 0..1 (paper: 27 of 32 blocks).
        k: active columns of a mask, 1..d_in. None: 4096/14336 of them (paper).
        memory: ``shared`` (paper) or ``isolated``.
        router: ``overlap`` of fingerprints (paper) or ``meaning``.
        pairs: meaning: a file of further pairs to learn from, see
            :func:`memoir.routing.pairs.told`. None: only those that ship with the package.
        threshold: score from which an edit fires, 0..1 (the paper's τ). None: calibrated.
        false_fire_rate: overlap: share of unrelated prompts that may fire when τ is calibrated, 0..1.
        acts_on: ``all`` tokens of a prompt that fires (paper), or its ``answer`` only: from the
            prompt's last token until the target has been said.
        contexts: ``bare`` prompt alone, behind ten self-generated ``prefixes`` too (paper), or in
            ``conversations``.
        optimiser: ``sgd`` on ``Wm`` (paper) or ``adam`` on the dual coefficients.
        lr: SGD: step on ``Wm``. Adam: step in units of the root mean square of the site's output.
        clip_norm: SGD: bound on the gradient's norm (paper: 1.0).
        weight_decay: SGD: the authors' 1e-5 shrinks the whole memory a little at every step.
        max_steps: updates at most (paper: 30 to 70 by model); an edit that is not done then gets
            one more trial with twice as many.
        stop_loss: an edit may stop at or below this loss, nats per target token (paper: 0.02).
        stop_change: it stops once the loss also moved by no more than this (paper: 1e-4); None:
            once every target token has rank one.
        accept_unsaid: keep edits whose target does not have rank one at the end (paper).
        batch_size: edits fitted side by side (paper: 1).
        seed: of the permutation π.
    """

    layer: int | None = None
    depth: float = 0.9
    k: int | None = None
    memory: Literal["shared", "isolated"] = "isolated"
    router: Literal["overlap", "meaning"] = "meaning"
    pairs: str | None = None
    threshold: float | None = None
    false_fire_rate: float = 0.01
    acts_on: Literal["all", "answer"] = "answer"
    contexts: Literal["bare", "prefixes", "conversations"] = "conversations"
    optimiser: Literal["sgd", "adam"] = "adam"
    lr: float = 0.2
    clip_norm: float = 1.0
    weight_decay: float = 0.0
    max_steps: int = 40
    stop_loss: float = 0.02
    stop_change: float | None = None
    accept_unsaid: bool = False
    batch_size: int = 16
    seed: int = 0


FAITHFUL = MemoirConfig(
    depth=PAPER_DEPTH,
    memory="shared",
    router="overlap",
    acts_on="all",
    contexts="prefixes",
    optimiser="sgd",
    lr=1.0,
    clip_norm=1.0,
    weight_decay=1e-5,
    max_steps=30,
    stop_loss=0.02,
    stop_change=1e-4,
    accept_unsaid=True,
    batch_size=1,
)


def prepared_from(config: MemoirConfig, calibration: Calibration) -> Prepared:
    """The config completed by a calibration of the overlap router, ready for :class:`Memoir`."""
    chosen = calibration.chosen
    return Prepared(
        replace(config, layer=chosen.layer, k=chosen.k, threshold=chosen.threshold),
        {"background": calibration.background, "permutation": calibration.permutation},
        calibration.evidence(),
    )


class Route(NamedTuple):
    """Which rows of a batch matched, what the memory recalls for them, and whether it is said."""

    matches: list[Match]
    rows: Int[Tensor, " fired"]
    recall: Recall | None
    spoken: Spoken | None


class Memoir(Usual):
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
    spares_others: ClassVar[bool] = True
    needs: ClassVar[tuple[Need, ...]] = ("background",)
    batch: ClassVar[Batch] = "side by side"
    storage: ClassVar[str] = "a few keys and their coefficients, at some of the columns"

    def __init__(self, host: Host, prepared: Prepared) -> None:
        self.host = host
        self.config: MemoirConfig = prepared.config
        config, site = self.config, host.site
        if config.k is None or config.threshold is None:
            raise BadInput("this config was not prepared: k and threshold are still open.")
        self._hash = TopHash(
            prepared.tensors["background"], prepared.tensors["permutation"], config.k
        )
        self._router = _router(host, config, self._hash, prepared.tensors)
        memory = SharedMemory if config.memory == "shared" else IsolatedMemory
        self._memory: Memory = memory(site.d_in, site.d_out, site.weight.device)
        self.edits_apart = config.memory == "isolated"
        self._targets: dict[str, str] = {}
        self._prefixes: list[str] | None = None
        self.attachment = Attachment(host, self, self.decide_each)

    @classmethod
    def prepare(
        cls, host: Host, config: MemoirConfig, progress: Progress = no_progress
    ) -> Prepared:
        """Decide what the config leaves open.

        The overlap router is calibrated (:func:`memoir.calibration.calibrate`); what the router by
        meaning learns of a model is kept in the user's cache folder, so that the next store of the same
        model has it at once.
        """
        layer, k = host.site.layer, config.k or round(host.site.d_in * PAPER_DENSITY)
        if config.router == "overlap":
            found = calibrate(
                host,
                layers=[layer],
                ks=[k],
                seed=config.seed,
                false_fire_rate=config.false_fire_rate,
                threshold=config.threshold,
                progress=progress,
            )
            return prepared_from(config, found)
        router = prepare_router(host, config.pairs, config.threshold, progress)
        tensors = {
            "background": background_mean(host, layer, progress),
            "permutation": random_permutation(host.site.d_in, config.seed),
            **router.tensors,
        }
        decided = replace(config, layer=layer, k=k, threshold=router.threshold)
        return Prepared(decided, tensors, router.evidence)

    # ------------------------------------------------------------------ inference

    def decide(self, activations: Float[Tensor, "batch seq d_in"], fed: Fed) -> Route:
        """Match every prompt of the batch."""
        return self._route(*self._matched(activations, fed))

    def decide_each(self, activations: Float[Tensor, "batch seq d_in"], fed: Fed) -> list[Route]:
        """Match every prompt of the batch; each has a route of its own."""
        found = zip(*self._matched(activations, fed), strict=True)
        return [self._route([match], [length]) for match, length in found]

    def _matched(
        self, activations: Float[Tensor, "batch seq d_in"], fed: Fed
    ) -> tuple[list[Match], list[int]]:
        """A verdict on each prompt, and its length in tokens."""
        matches = self._router.match(Prompts(fed.ids, fed.prompt, activations))
        return matches, fed.prompt.sum(1).tolist()

    def _route(self, matches: list[Match], lengths: Sequence[int]) -> Route:
        """What is recalled, given verdicts on prompts of these lengths."""
        fired = [row for row, match in enumerate(matches) if match.fired]
        ids = [str(matches[row].edit_id) for row in fired]
        recall = self._memory.recall(ids) if fired else None
        spoken = None
        if self.config.acts_on == "answer":
            targets = [self._targets[id] for id in ids]
            spoken = Spoken(self.host, targets, [lengths[row] for row in fired])
        return Route(matches, torch.tensor(fired, dtype=torch.long), recall, spoken)

    def act(
        self,
        activations: Float[Tensor, "batch seq d_in"],
        output: Float[Tensor, "batch seq d_out"],
        route: Route,
        fed: Fed,
    ) -> Float[Tensor, "batch seq d_out"] | None:
        """Add the memory's output where it acts; no bit changes anywhere else."""
        if route.recall is None:
            return None
        rows = route.rows.to(output.device)
        start, places = 0, None
        if route.spoken is not None:
            ids = None if fed.ids is None else fed.ids[rows.to(fed.ids.device)]
            places = route.spoken.places(ids, fed.rank[rows.to(fed.rank.device)])
            acting = (places >= 0).any(0).nonzero()
            if not len(acting):
                return None
            start = int(acting[0])  # a prompt's earlier tokens cost nothing
            places = places[:, start:]
        added = route.recall(activations[rows.to(activations.device), start:], places)
        if places is not None:
            added = added * (places >= 0).unsqueeze(-1).to(added.device)
        changed = output.clone()
        changed[rows, start:] += added.to(output.device, output.dtype)
        return changed

    def spent(self, route: Route) -> bool:
        return route.spoken is not None and route.spoken.done

    def foresee(self, prompts: Sequence[Encoded]) -> list[Match] | None:
        if not isinstance(self._router, MeaningRouter):
            return None
        return foreseen(self._router, prompts)

    def empty_router(self) -> Router | None:
        return self._router.empty() if isinstance(self._router, MeaningRouter) else None

    # ------------------------------------------------------------------ state

    def apply(self, id: str, edit: Edit, tensors: Mapping[str, Tensor]) -> None:
        self._memory.add(id, tensors)
        self._router.add(id, edit, tensors)
        self._targets[id] = edit.target

    def remove(self, id: str) -> None:
        self._memory.remove(id)
        self._router.remove(id)
        del self._targets[id]

    # ------------------------------------------------------------------ editing

    def fit(
        self, edits: Sequence[Edit], progress: Progress = no_progress
    ) -> list[Change | EditRefused]:
        config, start = self.config, time.perf_counter()
        lesson = Lesson(self.host, edits, self._groups(), config.acts_on == "answer")
        tokens, activations = lesson.bare.tokens, lesson.bare.activations
        masks = self._hash(prompt_mean(activations, tokens.prompt))
        keys, places = lesson.keys() * masks.unsqueeze(1), self._places(lesson)
        read = time.perf_counter()
        fitted = self._fitted(lesson, keys, progress)
        end = time.perf_counter()
        routing = self._router.keys(edits)
        seconds = {
            "read": (read - start) / len(edits),
            "fit": (end - read) / len(edits),
            "route": (time.perf_counter() - end) / len(edits),
        }
        results: list[Change | EditRefused] = []
        for i, edit in enumerate(edits):
            refused = self._refusal(edit, fitted[i], lesson.contexts)
            if refused is not None:
                results.append(refused)
                continue
            decay = self._decay ** fitted[i].steps
            at = None if places is None else places[i]
            delta = Delta.of(masks[i], keys[i], fitted[i].coefficients, decay, at)
            tensors = {**delta.tensors(), **routing[i]}
            results.append(Change(edit, tensors, fitted[i].losses, fitted[i].said, seconds))
        return results

    def _places(self, lesson: Lesson) -> Int[Tensor, "edits keys"] | None:
        """Where keys answer; in the shared memory, which is one matrix, they do everywhere."""
        return lesson.places() if self.config.memory == "isolated" else None

    @property
    def _decay(self) -> float:
        """What one step leaves of the whole memory."""
        return 1.0 - self.config.lr * self.config.weight_decay

    def _fitted(
        self, lesson: Lesson, keys: Float[Tensor, "edits keys d_in"], progress: Progress
    ) -> list[Fitted]:
        """Every edit fitted; those whose target is not said at the end get a second trial."""
        everyone = torch.arange(len(keys), device=keys.device)
        fitted = self._trial(lesson, keys, everyone, self.config.max_steps, progress)
        again = [i for i, each in enumerate(fitted) if not each.said]
        if again and not self.config.accept_unsaid:
            rows = everyone[again]
            second = self._trial(lesson, keys, rows, 2 * self.config.max_steps, progress)
            for i, each in zip(again, second, strict=True):
                fitted[i] = each
        return fitted

    def _trial(
        self,
        lesson: Lesson,
        keys: Float[Tensor, "edits keys d_in"],
        rows: Int[Tensor, " some"],
        steps: int,
        progress: Progress,
    ) -> list[Fitted]:
        config = self.config
        some, places = keys[rows], self._places(lesson)
        return fit(
            some,
            lambda added, open_: lesson.loss(added, rows[open_]),
            self._optimiser(lesson.output_size()[rows]),
            Stop(steps, config.stop_loss, config.stop_change),
            base=self._memory.base(some),
            base_decay=self._decay,
            d_out=self.host.site.d_out,
            places=None if places is None else places[rows],
            on_step=lambda step, _open: progress("fitting", step, steps),
        )

    def _optimiser(self, output_size: Float[Tensor, " edits"]) -> Optimiser:
        config = self.config
        if config.optimiser == "sgd":
            return SGD(config.lr, config.clip_norm, config.weight_decay)
        # Each edit's step is a share of what the site puts out on that edit's own tokens.
        return Adam(config.lr * output_size)

    def _refusal(
        self, edit: Edit, fitted: Fitted, contexts: Sequence[Context]
    ) -> EditRefused | None:
        """Why an edit is not kept; None if it is."""
        losses = fitted.losses
        curve = " → ".join(f"{loss:.3g}" for loss in _thinned(losses))
        what = f"'{edit.prompt}' → '{edit.target}'"
        if not torch.isfinite(torch.tensor(losses[-1])):
            return LossNotFinite(
                f"the loss of {what} is {losses[-1]} after {fitted.steps} steps (loss {curve}); "
                "nothing was written. Lower the learning rate, or load the model in float32.",
                losses,
            )
        if fitted.said or self.config.accept_unsaid:
            return None
        missing = [c.name for c, said in zip(contexts, fitted.said_in, strict=True) if not said]
        where = f" in {len(missing)} of {len(contexts)} contexts ({'; '.join(missing[:3])})"
        return NotConverged(
            f"after {fitted.steps} steps the model still does not say {what}"
            f"{where if len(contexts) > 1 else ''} (loss {curve}); "
            "nothing was written. Allow more steps (max_steps), or split a long target.",
            losses,
        )

    def _groups(self) -> list[list[Context]]:
        """The contexts to fit in."""
        if self.config.contexts == "conversations":
            return conversations(self.host)
        only = bare(self.host)
        if self.config.contexts == "bare":
            return [[only]]
        return [[only, *(behind(self.host, prefix) for prefix in self._prefix_texts())]]

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


def _router(
    host: Host, config: MemoirConfig, top_hash: TopHash, tensors: Mapping[str, Tensor]
) -> Router:
    assert config.threshold is not None
    if config.router == "overlap":
        return OverlapRouter(top_hash, config.threshold)
    return prepared_router(host, tensors, config.threshold)


def _thinned(losses: Sequence[float], points: int = 8) -> list[float]:
    """At most ``points`` of the losses, evenly spread, first and last included."""
    if len(losses) <= points:
        return list(losses)
    return [losses[round(i * (len(losses) - 1) / (points - 1))] for i in range(points)]
