"""One residual memory beside the site, found by meaning: what methods from continual learning share.

    output = W0 a + W_m a        on every token of a prompt that is about an edit, and of what follows
    output = W0 a                on any other, bit for bit

A task is an edit; tasks come one after another, in the order of the log. Which edit a prompt is about
is decided by the router by meaning, in place of the task's number, which these methods are given in
their papers. How ``W_m`` grows, and what of it an edit's prompts see, is each method's own
(:class:`Memory`). It is zero before the first edit.
"""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar, Literal, NamedTuple, Protocol

import torch
from jaxtyping import Float
from torch import Tensor

from memoir.core.fit import Loss
from memoir.errors import EditRefused, LossNotFinite
from memoir.host import Attachment, Fed, Host
from memoir.host.recital import Recital, Recited
from memoir.host.tokens import Encoded
from memoir.methods.base import Batch, Change, Need, Prepared, Usual
from memoir.routing.base import Prompts, Router
from memoir.routing.prepared import foreseen, prepare_router, prepared_router
from memoir.types import Edit, Match, Progress, no_progress


class Memory(Protocol):
    """The residual memory, as a fold of the changes in force."""

    def add(self, id: str, edit: Edit, tensors: Mapping[str, Tensor]) -> None:
        """Take a change in. What :meth:`weight` gave before stays as it is."""

    def weight(self, id: str) -> Float[Tensor, "d_out d_in"]:
        """``W_m`` as an edit's prompts see it."""

    def copy(self) -> Memory:
        """One that can be added to without changing this one."""


class Learnt(NamedTuple):
    """What fitting one edit gave.

    Attributes:
        tensors: all that the memory needs of it.
        losses: on the target, nats per token: before the first step and after each.
        said: whether every target token has rank one.
    """

    tensors: dict[str, Tensor]
    losses: tuple[float, ...]
    said: bool


def as_loss(recited: Recited) -> Loss:
    """An answer as fitting wants it; nothing is asked of what follows the target."""
    said = recited.said.unsqueeze(1)
    return Loss(recited.loss, recited.loss, said, torch.ones_like(recited.said))


def loss_with(recital: Recital, weight: Float[Tensor, "d_out d_in"]) -> Loss:
    """What the model makes of a recital with these weights beside the site."""
    return as_loss(recital.recite(recital.keys @ weight.T))


class Part(NamedTuple):
    """Rows of a batch that see the same weights."""

    weight: Float[Tensor, "d_out d_in"]
    rows: list[int]


class Route(NamedTuple):
    """What was decided of a batch: a verdict for each row, and what those that fired see."""

    matches: list[Match]
    parts: list[Part]


class Residual(Usual, ABC):
    """A method with one residual memory. Its config has ``threshold`` and ``pairs`` of the router.

    A method says how its memory begins (:meth:`_fresh`) and how an edit is learnt (:meth:`_learn`).
    """

    undo: ClassVar[Literal["exact", "replay"]] = "replay"
    spares_others: bool = True
    needs: ClassVar[tuple[Need, ...]] = ()
    batch: ClassVar[Batch] = "one by one"

    config: Any

    def __init__(self, host: Host, prepared: Prepared) -> None:
        self.host = host
        self.config = prepared.config
        self._router = prepared_router(host, prepared.tensors, self.config.threshold)
        self._live: dict[str, tuple[Edit, Mapping[str, Tensor]]] = {}
        self._memory = self._fresh()
        self.attachment = Attachment(host, self)

    @classmethod
    def prepare(cls, host: Host, config: Any, progress: Progress = no_progress) -> Prepared:
        """Learn the router, or find what was learnt of this model before."""
        router = prepare_router(host, config.pairs, config.threshold, progress)
        return Prepared(
            replace(config, threshold=router.threshold), router.tensors, router.evidence
        )

    @abstractmethod
    def _fresh(self) -> Any:
        """The :class:`Memory` before the first edit."""

    @abstractmethod
    def _learn(self, edit: Edit, recital: Recital, memory: Any) -> Learnt | EditRefused:
        """Fit one edit to what those before it left in the memory, which does not change."""

    # ------------------------------------------------------------------ inference

    @torch.no_grad()
    def decide(self, activations: Float[Tensor, "batch seq d_in"], fed: Fed) -> Route:
        """Which edit each prompt is about, and the weights it therefore sees."""
        matches = self._match(Prompts(fed.ids, fed.prompt, activations))
        rows: dict[str, list[int]] = {}
        for row, match in enumerate(matches):
            if match.fired:
                rows.setdefault(str(match.edit_id), []).append(row)
        parts: dict[int, Part] = {}
        for id, mine in rows.items():
            weight = self._memory.weight(id)
            # Edits that see one and the same weights are answered together.
            parts.setdefault(weight.data_ptr(), Part(weight, [])).rows.extend(mine)
        return Route(matches, list(parts.values()))

    def act(
        self,
        activations: Float[Tensor, "batch seq d_in"],
        output: Float[Tensor, "batch seq d_out"],
        route: Route,
        fed: Fed,
    ) -> Float[Tensor, "batch seq d_out"] | None:
        """Add the memory's output to the rows that fired; no bit changes in the others."""
        if not route.parts:
            return None
        changed = output.clone()
        for weight, rows in route.parts:
            changed[rows] += (activations[rows].to(weight) @ weight.T).to(output)
        return changed

    def foresee(self, prompts: Sequence[Encoded]) -> list[Match] | None:
        """The router needs no pass through the model."""
        return foreseen(self._router, prompts)

    def empty_router(self) -> Router | None:
        """One like its own before the first edit."""
        return self._router.empty()

    def _match(self, prompts: Prompts) -> list[Match]:
        return self._router.match(prompts)

    # ------------------------------------------------------------------ state

    def apply(self, id: str, edit: Edit, tensors: Mapping[str, Tensor]) -> None:
        """Take a change into router and memory."""
        self._live[id] = (edit, tensors)
        self._router.add(id, edit, tensors)
        self._memory.add(id, edit, tensors)

    def remove(self, id: str) -> None:
        """Take a change back: the memory is made of the others anew."""
        del self._live[id]
        self._router.remove(id)
        self._memory = self._fresh()
        for other, (edit, tensors) in self._live.items():
            self._memory.add(other, edit, tensors)

    # ------------------------------------------------------------------ editing

    def fit(
        self, edits: Sequence[Edit], progress: Progress = no_progress
    ) -> list[Change | EditRefused]:
        """One edit after another, each on what those before it left."""
        memory = self._memory.copy()
        results: list[Change | EditRefused] = []
        for number, edit in enumerate(edits):
            result = self._fit(edit, memory)
            if isinstance(result, Change):
                memory.add(f"fitting {number}", edit, result.tensors)
            results.append(result)
            progress("fitting", number + 1, len(edits))
        return results

    def _fit(self, edit: Edit, memory: Any) -> Change | EditRefused:
        start = time.perf_counter()
        (routing,) = self._router.keys([edit])
        recital = Recital(self.host, [edit])
        read = time.perf_counter()
        learnt = self._learn(edit, recital, memory)
        if isinstance(learnt, EditRefused):
            return learnt
        if not math.isfinite(learnt.losses[-1]):
            return LossNotFinite(
                f"the loss of '{edit.prompt}' → '{edit.target}' is {learnt.losses[-1]} after "
                f"{len(learnt.losses) - 1} steps; nothing was written. Lower the learning rate (lr), "
                "or load the model in float32.",
                learnt.losses,
            )
        seconds = {"read": read - start, "fit": time.perf_counter() - read}
        tensors = {**routing, **{name: each.cpu() for name, each in learnt.tensors.items()}}
        return Change(edit, tensors, learnt.losses, learnt.said, seconds)
