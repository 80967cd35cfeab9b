"""The contract every editing method keeps, and nothing else.

A method never writes to disk and never changes itself while it fits. It turns edits into *changes*
(plain tensors), and replaying the changes of the live edits in log order gives its state back:

    fit(edits) → Change        computed, nothing touched
    store.commit(rows)         durable
    apply(id, edit, tensors)   live
    remove(id)                 taken back

So an edit that fails, or a process that dies, leaves nothing half done.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Protocol

from torch import Tensor

from memoir.errors import EditRefused, NotMergeable
from memoir.host import Host
from memoir.host.patch import Patch
from memoir.host.scoped import Scope
from memoir.host.summed_adapter import SummedAdapter
from memoir.host.tokens import Encoded
from memoir.routing.base import Router
from memoir.types import Edit, Match, Progress, no_progress

Need = Literal["subject", "statistics", "background"]
Batch = Literal["one by one", "side by side", "together"]
Merges = Literal["exact", "rounded", "no"]


@dataclass(frozen=True)
class Change:
    """One fitted edit, not yet applied.

    Attributes:
        edit: what it teaches.
        tensors: everything :meth:`Method.apply` needs.
        losses: what the fit minimised (nats), before the first step and after each.
        said: whether every target token ends with rank one.
        seconds: wall time of ``read`` and ``fit``, and of what else the method does.
    """

    edit: Edit
    tensors: dict[str, Tensor]
    losses: tuple[float, ...]
    said: bool
    seconds: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Prepared:
    """What a method needs to know of a model before its first edit.

    Attributes:
        config: the method's settings, with everything open now decided.
        tensors: e.g. background mean and permutation.
        evidence: the measurements behind the choice, as plain values.
    """

    config: Any
    tensors: dict[str, Tensor]
    evidence: dict[str, Any]


class Attached(Protocol):
    """How a method takes part in forward passes: beside a layer, in weights, before the prompt.

    Attributes:
        row_by_row: whether one batch may hold prompts of several scopes, each with what was decided for
            it; see :func:`memoir.host.scoped.joint`.
    """

    row_by_row: ClassVar[bool]

    def scope(self, prompt_lengths: Sequence[int] | None = None) -> AbstractContextManager[Scope]:
        """Run one batch; afterwards the scope holds what was decided, see :class:`Scope`."""

    def paused(self) -> AbstractContextManager[None]:
        """While open, the model is as it was without the method."""

    def undo(self) -> None:
        """Leave the model as it was, for good."""


class Method(Protocol):
    """An editing method bound to one host.

    Attributes:
        Config: its settings, a frozen dataclass.
        presets: named settings.
        paper: where it is from.
        undo: how an edit is taken back: ``exact``, the others untouched; or ``replay``: what they
            changed is added up anew without it, in time proportional to their number. Either way the
            model is, bit for bit, the one in which it was never stored.
        spares_others: whether prompts that no edit is about keep every bit of their logits.
        edits_apart: whether fitting an edit, and what it makes the model say, depend on no other one: a
            prompt on which the same edit fires as before is answered as before, and edits are fitted
            while other processes write.
        needs: what it cannot do without: the ``subject`` of an edit (estimated if it is not given),
            ``statistics`` of a corpus (``memoir stats``), ``background`` prompts (they ship).
        batch: how edits that are given at once are made: ``one by one``, each on what those before it
            left; ``side by side``, none seeing the others; or ``together``, in one solution.
        storage: what one edit keeps, in words.
        merges: whether an ordinary checkpoint can say what edits do: ``exact``, they are a change of
            weights; ``rounded``, they can be added to the weights, which rounds; or ``no``, they act on
            some prompts only.
    """

    Config: ClassVar[type]
    presets: ClassVar[Mapping[str, Any]]
    paper: ClassVar[str]
    undo: ClassVar[Literal["exact", "replay"]]
    spares_others: ClassVar[bool]
    edits_apart: bool
    needs: ClassVar[tuple[Need, ...]]
    batch: ClassVar[Batch]
    storage: ClassVar[str]
    merges: ClassVar[Merges]

    config: Any
    attachment: Attached

    def __init__(self, host: Host, prepared: Prepared) -> None: ...

    @classmethod
    def prepare(cls, host: Host, config: Any, progress: Progress = no_progress) -> Prepared:
        """Measure what the method needs before its first edit."""

    def fit(
        self, edits: Sequence[Edit], progress: Progress = no_progress
    ) -> list[Change | EditRefused]:
        """One result per edit, fitted side by side on the present state, which does not change."""

    def apply(self, id: str, edit: Edit, tensors: Mapping[str, Tensor]) -> None:
        """Make a change live. The tensors may be read from a file each time they are looked up."""

    def remove(self, id: str) -> None:
        """Take a live change back."""

    def foresee(self, prompts: Sequence[Encoded]) -> list[Match] | None:
        """What will be decided of prompts, if that takes no pass through the model; else None."""

    def empty_router(self) -> Router | None:
        """A router like the method's own before the first edit, if it decides ahead of the model by
        what an edit says; else None. Edits can be tried in it before they are fitted."""

    def verdicts(self, route: Any) -> list[Match]:
        """What the router decided for each row of a batch, from its scope's route."""

    def spent(self, route: Any) -> bool:
        """Whether what was decided changes no token to come, unless some are taken back."""

    def merged(self) -> dict[str, Tensor]:
        """The weights of a model that answers as the edited one does, by their names in a checkpoint;
        asked only where ``merges`` is not ``no``."""

    def close(self) -> None:
        """Leave the model as it was before the method was bound to it."""


class Usual:
    """What most methods do: they measure nothing before the first edit, decide on a prompt while it
    passes through the model, and leave that as they found it."""

    attachment: Attached
    edits_apart: bool = False
    merges: ClassVar[Merges] = "no"

    @classmethod
    def prepare(cls, host: Host, config: Any, progress: Progress = no_progress) -> Prepared:
        return Prepared(config, {}, {})

    def close(self) -> None:
        self.attachment.undo()

    def foresee(self, prompts: Sequence[Encoded]) -> list[Match] | None:
        return None

    def empty_router(self) -> Router | None:
        return None

    def verdicts(self, route: Any) -> list[Match]:
        """Those of a route that has ``matches``; none where nothing decides."""
        matches: list[Match] = [] if route is None else route.matches
        return matches

    def spent(self, route: Any) -> bool:
        return False

    def merged(self) -> dict[str, Tensor]:
        raise NotMergeable(
            "edits of this method act on some prompts only; no weights can say that."
        )


class Summing(Usual):
    """What methods have in common whose changes add up, to weights or to an adapter."""

    undo: ClassVar[Literal["exact", "replay"]] = "replay"
    spares_others: ClassVar[bool] = False

    attachment: Patch | SummedAdapter

    def apply(self, id: str, edit: Edit, tensors: Mapping[str, Tensor]) -> None:
        self.attachment.add(id, tensors)

    def remove(self, id: str) -> None:
        self.attachment.remove(id)

    def merged(self) -> dict[str, Tensor]:
        return self.attachment.merged()


class Patching(Summing):
    """What methods that change weights have in common: their changes are a :class:`Patch`'s."""

    merges: ClassVar[Merges] = "exact"

    attachment: Patch
