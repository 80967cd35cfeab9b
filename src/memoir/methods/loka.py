"""A codebook of memories in the manner of LOKA (Zhang et al., *Conflict-Aware LLM Knowledge Update with
Adaptive Knowledge Memory*, ACL 2026; first as *Resolving Editing-Unlearning Conflicts: A Knowledge
Codebook Framework for Large Language Model Updating*, arXiv 2502.00158).

**The paper's internals are not public: this is built from its description, and is not its code.** It
says that updates are kept in several memories; that a similarity-aware mapping puts related ones into
one memory, by locality-sensitive hashing when they arrive one after another; that a conflict score of
gradients tells task-specific memories from shared ones; and that in use the most similar memory is
plugged in behind a learned gate. The paper edits and unlearns at once; here there is editing only, so
conflicts are those between edits. What was chosen to fill this out:

    d_i      direction of an edit: what its prompt puts into the site, mean over tokens, less the
             background's mean
    cluster  the one whose first member's code differs from d_i's in a quarter of the bits at most,
             which is an angle of 45° (:mod:`memoir.core.clusters`); else a new one
    memory   the cluster's shared one if cos(∇_i, Σ_j ∇_j) ≥ 0 over the edits j in it, ∇ being
             gradients of the unedited model's loss by the site's weight; else one of the edit's own,
             for it conflicts. An edit that cannot be learnt beside others gets its own as well
    learning adds C_iᵀ Ã_i to the memory's weight, Ã_i being what enters the site at the tokens that
             carry the edit (:mod:`memoir.lesson`), less its part in the span of the keys that the
             memory has: what it answers to those stays as it was
    in use   the edit that the gate (:mod:`memoir.routing.gate`) holds most likely; its memory is added
             to the site's output from the prompt's last token until the target has been said

A memory is thus of low rank, as wide as its edits' keys. ∇_j is taken at the keys as they are kept. The
gate is learnt from shipped records, not from the edits: a prompt is perfectly similar to itself, so
they alone would not tell how far a rewording may be. Everything an edit was given, cluster and memory
included, is stored with it; taking one back leaves the others' parts as they were fitted.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from memoir.calibration import Background, background_mean
from memoir.core.clusters import Hyperplanes, Page, agrees, first_codes, joined, nearest_cluster
from memoir.core.fit import Adam, Fitted, Stop, fit
from memoir.core.solve import outside
from memoir.errors import BadInput, EditRefused, LossNotFinite
from memoir.host import Attachment, Fed, Host
from memoir.host.spoken import Spoken
from memoir.lesson import Context, Lesson, bare, conversations
from memoir.methods.base import Batch, Change, Need, Prepared, Usual
from memoir.routing.gate import Gate, learn_gate
from memoir.routing.retrieval import (
    Best,
    ByActivations,
    ByWords,
    Shelf,
    background_texts,
    calibrated,
    wordings,
)
from memoir.routing.window import Window
from memoir.types import Edit, Match, Progress, no_progress

SAME = 1e-4
"""By how much rounding may lower the probability of a prompt being meant by itself."""


@dataclass(frozen=True)
class LokaConfig:
    """Settings of the codebook; all of them are ours.

    Attributes:
        depth: relative depth of the layer, 0..1.
        bits: of a direction's code.
        apart: share of the bits by which members of a cluster may differ from its first, 0..1;
            an angle of 180° times this.
        conflict: cosine of gradients below which an edit does not share, -1..1.
        threshold: probability from which the gate opens, 0..1; None: measured.
        false_fire_rate: share of background rephrases for which it may open wrongly, 0..1.
        contexts: edits are learnt from their ``bare`` prompts, or in ``conversations`` too.
        lr: Adam's step on what a key adds, in root mean squares of the site's output.
        max_steps: updates of one edit at most.
        stop_loss: an edit is done at or below this loss (nats per target token) once its target has
            rank one.
        seed: of the hyperplanes.
    """

    depth: float = 0.8
    bits: int = 32
    apart: float = 0.25
    conflict: float = 0.0
    threshold: float | None = None
    false_fire_rate: float = 0.01
    contexts: Literal["bare", "conversations"] = "conversations"
    lr: float = 0.2
    max_steps: int = 40
    stop_loss: float = 0.02
    seed: int = 0


class Route(NamedTuple):
    """What answers each row of a batch.

    Attributes:
        matches: the gate's verdicts.
        rows: those whose memory is plugged in.
        keys, coefficients: of these rows' memories; keys of zeros where others have more.
        spoken: whether their targets are said.
    """

    matches: list[Match]
    rows: Int[Tensor, " open"]
    keys: Float[Tensor, "open keys d_in"]
    coefficients: Float[Tensor, "open keys d_out"]
    spoken: Spoken


class Loka(Usual):
    """A codebook on one host."""

    Config: ClassVar[type] = LokaConfig
    presets: ClassVar[Mapping[str, LokaConfig]] = {"default": LokaConfig()}
    paper: ClassVar[str] = "after LOKA, ACL 2026, arXiv 2502.00158"
    undo: ClassVar[Literal["exact", "replay"]] = "replay"
    spares_others: ClassVar[bool] = True
    needs: ClassVar[tuple[Need, ...]] = ("background",)
    batch: ClassVar[Batch] = "one by one"
    storage: ClassVar[str] = "a few keys with what they add and their gradients, and a direction"

    def __init__(self, host: Host, prepared: Prepared) -> None:
        self.host = host
        self.config: LokaConfig = prepared.config
        if self.config.threshold is None:
            raise BadInput("this config was not prepared: threshold is still open.")
        self._threshold = self.config.threshold
        self._activations = ByActivations(host, prepared.tensors["background"])
        words = ByWords(background_texts(Background.shipped()))
        self._shelf = Shelf(Gate(self._activations, words, prepared.tensors["gate"]))
        self._planes = Hyperplanes(host.site.d_in, self.config.bits, self.config.seed)
        self._window = Window(host)
        self._pages: dict[str, Page] = {}
        self._memories: dict[int, tuple[Tensor, Tensor]] = {}
        self._targets: dict[str, str] = {}
        self.attachment = Attachment(host, self)

    @classmethod
    def prepare(cls, host: Host, config: LokaConfig, progress: Progress = no_progress) -> Prepared:
        """Learn the gate of this model, and choose its threshold."""
        background = Background.shipped()
        centre = background_mean(host, host.site.layer, progress)
        activations, words = ByActivations(host, centre), ByWords(background_texts(background))
        learnt = learn_gate(activations, words, background)
        found = calibrated(learnt.compared, config.false_fire_rate)
        # Whatever the background says, the gate opens to an edit's very own prompt.
        measured = min(found.threshold, learnt.same - SAME)
        threshold = measured if config.threshold is None else config.threshold
        tensors = {"background": centre, "gate": learnt.weights}
        return Prepared(replace(config, threshold=threshold), tensors, found._asdict())

    # ------------------------------------------------------------------ inference

    @torch.no_grad()
    def decide(self, activations: Float[Tensor, "batch seq d_in"], fed: Fed) -> Route:
        """The most likely edit of every prompt, and the memory it is in."""
        matches = self._matches(fed)
        rows = [row for row, match in enumerate(matches) if match.fired]
        ids = [str(matches[row].edit_id) for row in rows]
        memories = [self._joined(self._pages[id].memory) for id in ids]
        keys, coefficients = (
            pad_sequence([memory[part] for memory in memories], batch_first=True)
            if memories
            else torch.zeros(0, 0, 0)
            for part in range(2)
        )
        lengths = fed.prompt.sum(1)[rows].tolist()
        spoken = Spoken(self.host, [self._targets[id] for id in ids], lengths)
        device = self.host.site.weight.device
        at = torch.tensor(rows, dtype=torch.long)
        return Route(matches, at, keys.to(device), coefficients.to(device), spoken)

    def act(
        self,
        activations: Float[Tensor, "batch seq d_in"],
        output: Float[Tensor, "batch seq d_out"],
        route: Route,
        fed: Fed,
    ) -> Float[Tensor, "batch seq d_out"] | None:
        """Add the memories' outputs where they act; no bit changes anywhere else."""
        if not len(route.rows):
            return None
        rows = route.rows.to(output.device)
        ids = None if fed.ids is None else fed.ids[route.rows.to(fed.ids.device)]
        places = route.spoken.places(ids, fed.rank[route.rows.to(fed.rank.device)])
        acting = (places >= 0).unsqueeze(-1).to(output.device)
        if not acting.any():
            return None
        added = activations[rows.to(activations.device)].to(route.keys) @ route.keys.mT
        changed = output.clone()
        changed[rows] += (added @ route.coefficients * acting).to(output)
        return changed

    def _matches(self, fed: Fed) -> list[Match]:
        if fed.ids is None:
            return [Match(None, 0.0, self._threshold) for _ in fed.rank]
        prompts = [row[own].tolist() for row, own in zip(fed.ids, fed.prompt, strict=True)]
        found = self._shelf.best([self._window.turn(self.host.raw(each)).text for each in prompts])
        return [Match(best.id, best.score, self._threshold, self._evidence(best)) for best in found]

    def _evidence(self, best: Best) -> dict[str, int]:
        if best.id is None:
            return {}
        page = self._pages[best.id]
        return {"cluster": page.cluster, "memory": page.memory}

    # ------------------------------------------------------------------ state

    def apply(self, id: str, edit: Edit, tensors: Mapping[str, Tensor]) -> None:
        self._pages[id] = page = Page.from_tensors(tensors)
        self._memories.pop(page.memory, None)
        self._shelf.add(id, wordings(edit), tensors["directions"])
        self._targets[id] = edit.target

    def remove(self, id: str) -> None:
        self._memories.pop(self._pages.pop(id).memory, None)
        self._shelf.remove(id)
        del self._targets[id]

    def _joined(self, memory: int) -> tuple[Tensor, Tensor]:
        """A memory, put together when a prompt first needs it."""
        if memory not in self._memories:
            members = [page for page in self._pages.values() if page.memory == memory]
            self._memories[memory] = joined(members)
        return self._memories[memory]

    # ------------------------------------------------------------------ editing

    def fit(
        self, edits: Sequence[Edit], progress: Progress = no_progress
    ) -> list[Change | EditRefused]:
        """One edit after another, each in the codebook that those before it left."""
        pages = list(self._pages.values())
        results: list[Change | EditRefused] = []
        for number, edit in enumerate(edits):
            result = self._fit(edit, pages)
            if isinstance(result, Change):
                pages.append(Page.from_tensors(result.tensors))
            results.append(result)
            progress("fitting", number + 1, len(edits))
        return results

    def _fit(self, edit: Edit, pages: Sequence[Page]) -> Change | EditRefused:
        start = time.perf_counter()
        directions = self._activations.key(wordings(edit))
        with self.attachment.paused():
            lesson = Lesson(self.host, [edit], self._groups(), answer_only=True)
        read = time.perf_counter()
        code = self._planes(directions[0])
        clusters = first_codes(pages)
        cluster = nearest_cluster(code, clusters, self.config.apart)
        if cluster is None:
            cluster = max(clusters, default=-1) + 1
        memory = max((page.memory for page in pages), default=-1) + 1
        alone = Page(cluster, memory, True, code, *_starting(lesson, self.host.site.d_out))
        page, fitted = self._learn(lesson, alone, pages)
        seconds = {"read": read - start, "fit": time.perf_counter() - read}
        if not math.isfinite(fitted.losses[-1]):
            return LossNotFinite(
                f"the loss of '{edit.prompt}' → '{edit.target}' is {fitted.losses[-1]} after "
                f"{fitted.steps} steps; nothing was written. Lower the learning rate (lr).",
                fitted.losses,
            )
        tensors = {**page.tensors(), "directions": directions}
        tensors = {name: each.cpu().contiguous() for name, each in tensors.items()}
        return Change(edit, tensors, fitted.losses, fitted.said, seconds)

    def _learn(self, lesson: Lesson, alone: Page, pages: Sequence[Page]) -> tuple[Page, Fitted]:
        """The edit in its cluster's shared memory, or in a new one."""
        shared = [page for page in pages if page.cluster == alone.cluster and page.shared]
        if shared:
            if agrees(alone, shared, self.config.conflict):
                place = alone._replace(memory=shared[0].memory)
                page, fitted = self._trained(lesson, place, shared)
                if fitted.said:
                    return page, fitted
            alone = alone._replace(shared=False)
        return self._trained(lesson, alone, [])

    def _trained(self, lesson: Lesson, page: Page, shared: Sequence[Page]) -> tuple[Page, Fitted]:
        """C of an edit beside those that the memory holds."""
        config, keys, base = self.config, page.keys, None
        if shared:
            known, coefficients = (part.to(keys) for part in joined(shared))
            base = (keys @ known.T @ coefficients)[None]
            keys = outside(keys, known)
        (fitted,) = fit(
            keys[None],
            lesson.loss,
            Adam(config.lr * lesson.output_size()),
            Stop(config.max_steps, config.stop_loss),
            base=base,
            d_out=self.host.site.d_out,
        )
        used = fitted.coefficients.abs().amax(1) > 0
        return page._replace(
            keys=keys[used],
            coefficients=fitted.coefficients[used],
            gradients=page.gradients[used],
        ), fitted

    def _groups(self) -> list[list[Context]]:
        if self.config.contexts == "bare":
            return [[bare(self.host)]]
        return conversations(self.host)


def _starting(lesson: Lesson, d_out: int) -> tuple[Tensor, Tensor, Tensor]:
    """Keys of an edit, what they add before it is learnt, and the gradients there."""
    (keys,) = lesson.keys()
    with torch.enable_grad():
        added = keys.new_zeros(1, len(keys), d_out).requires_grad_()
        loss = lesson.loss(added, torch.zeros(1, dtype=torch.long, device=keys.device)).loss
        (gradients,) = torch.autograd.grad(loss.sum(), added)
    return keys, added[0].detach(), gradients[0]
