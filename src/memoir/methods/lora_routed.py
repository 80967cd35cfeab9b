"""One LoRA adapter per edit, chosen per prompt by the router by meaning.

LoRA (Hu et al., ICLR 2022, arXiv 2106.09685) as in :mod:`memoir.methods.lora`, but every edit has an
adapter of its own, trained from the same start as if it were the only one:

    W x + (α / r) B_i A_i x        on the prompts, and the texts after them, that the router gives to
                                   edit i; W x, bit for bit, on all others

An adapter for each of many tasks, and a router that picks one, is common; for edits it is the idea of
MELO (Yu et al., AAAI 2024, arXiv 2312.11795), whose router is GRACE's. Here the router is
:mod:`memoir.routing.meaning`. It needs a prompt's token ids only, so the adapter is known before the
first layer runs. Adapters are in memory while a text on which they act is being written; all others
stay in the store.

Settings are those of :mod:`memoir.methods.lora`.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, NamedTuple
from weakref import WeakValueDictionary, finalize

from jaxtyping import Float
from torch import Tensor

from memoir.adapting import adapt
from memoir.errors import BadInput, EditRefused
from memoir.host import Fed, Host
from memoir.host.adapters import NONE, Adapters
from memoir.host.beforehand import Beforehand
from memoir.host.tokens import Encoded
from memoir.methods.base import Batch, Change, Need, Prepared, Usual
from memoir.routing.base import Prompts, Router
from memoir.routing.prepared import foreseen, prepare_router, prepared_router
from memoir.types import Edit, Match, Progress, no_progress


@dataclass(frozen=True)
class LoraRoutedConfig:
    """Settings of LoRA with one adapter per edit.

    Attributes:
        rank: r, rows of A and columns of B (EasyEdit: 8).
        alpha: α; what an adapter adds is scaled by α / r (EasyEdit: 32).
        modules: names of the layers that get adapters (EasyEdit: q_proj and v_proj). None: those
            that PEFT names for the model's family.
        lr: Adam's step on A and B (EasyEdit, for AdaLoRA: 5e-3).
        max_steps: updates of one edit at most (EasyEdit: 70).
        stop_loss: an edit is done below this loss, nats per target token.
        pairs: a file of further pairs for the router to learn from, see
            :func:`memoir.routing.pairs.told`. None: only those that ship with the package.
        threshold: probability from which an edit fires, 0..1. None: calibrated.
        seed: of every adapter's A before training.
    """

    rank: int = 8
    alpha: float = 32.0
    modules: tuple[str, ...] | None = None
    lr: float = 5e-4
    max_steps: int = 70
    stop_loss: float = 1e-2
    pairs: str | None = None
    threshold: float | None = None
    seed: int = 0


class _InMemory:
    """An adapter that PEFT's layers hold under a name, for as long as anything refers to this.

    Attributes:
        name: of the adapter.
    """

    def __init__(self, layers: Adapters, name: str, weights: Mapping[str, Tensor]) -> None:
        self.name = name
        layers.put(name, weights)
        finalize(self, layers.drop, name).atexit = False


class Route(NamedTuple):
    """What was decided of a batch.

    Attributes:
        matches: the router's verdicts.
        adapters: each row's, None where no edit fires; kept in memory as long as the route is.
    """

    matches: list[Match]
    adapters: list[_InMemory | None]


class LoraRouted(Usual):
    """One adapter per edit."""

    Config: ClassVar[type] = LoraRoutedConfig
    presets: ClassVar[Mapping[str, LoraRoutedConfig]] = {"default": LoraRoutedConfig()}
    paper: ClassVar[str] = "LoRA, ICLR 2022, arXiv 2106.09685"
    undo: ClassVar[Literal["exact", "replay"]] = "exact"
    spares_others: ClassVar[bool] = True
    needs: ClassVar[tuple[Need, ...]] = ()
    batch: ClassVar[Batch] = "side by side"
    storage: ClassVar[str] = "two thin matrices for each adapted layer"

    attachment: Beforehand
    edits_apart = True

    def __init__(self, host: Host, prepared: Prepared) -> None:
        self.host = host
        config: LoraRoutedConfig = prepared.config
        self.config = config
        if config.threshold is None:
            raise BadInput("this config was not prepared: the threshold is still open.")
        self._router = prepared_router(host, prepared.tensors, config.threshold)
        self._layers = Adapters(host, config.rank, config.alpha, config.modules, self._chosen)
        self._live: dict[str, Mapping[str, Tensor]] = {}
        self._in_memory: WeakValueDictionary[str, _InMemory] = WeakValueDictionary()
        self._loads = 0
        self.attachment = Beforehand(host, self)

    def close(self) -> None:
        super().close()
        self._layers.undo()

    @classmethod
    def prepare(
        cls, host: Host, config: LoraRoutedConfig, progress: Progress = no_progress
    ) -> Prepared:
        """Learn the router for this model, or find it in the cache."""
        router = prepare_router(host, config.pairs, config.threshold, progress)
        return Prepared(
            replace(config, threshold=router.threshold), router.tensors, router.evidence
        )

    # ------------------------------------------------------------------ inference

    def decide(self, activations: Float[Tensor, "batch seq hidden"], fed: Fed) -> Route:
        """Match every prompt of the batch, and have the adapters ready that are needed."""
        matches = self._router.match(Prompts(fed.ids, fed.prompt, activations))
        return Route(
            matches,
            [self._ready(str(match.edit_id)) if match.fired else None for match in matches],
        )

    def act(
        self,
        activations: Float[Tensor, "batch seq hidden"],
        output: Float[Tensor, "batch seq hidden"],
        route: Route,
        fed: Fed,
    ) -> None:
        """Nothing: adapters act in PEFT's layers."""

    def foresee(self, prompts: Sequence[Encoded]) -> list[Match] | None:
        return foreseen(self._router, prompts)

    def empty_router(self) -> Router | None:
        return self._router.empty()

    def _chosen(self, rows: int) -> list[str]:
        """Names of the rows' adapters in the pass under way."""
        route: Route | None = self.attachment.route()
        if route is None:
            return [NONE] * rows
        return [NONE if each is None else each.name for each in route.adapters]

    def _ready(self, id: str) -> _InMemory:
        adapter = self._in_memory.get(id)
        if adapter is None:
            self._loads += 1
            adapter = _InMemory(self._layers, f"edit {self._loads}", self._live[id])
            self._in_memory[id] = adapter
        return adapter

    # ------------------------------------------------------------------ state

    def apply(self, id: str, edit: Edit, tensors: Mapping[str, Tensor]) -> None:
        self._live[id] = tensors
        self._router.add(id, edit, tensors)

    def remove(self, id: str) -> None:
        del self._live[id]
        self._in_memory.pop(id, None)  # a text that is being written keeps its adapter
        self._router.remove(id)

    # ------------------------------------------------------------------ editing

    def fit(
        self, edits: Sequence[Edit], progress: Progress = no_progress
    ) -> list[Change | EditRefused]:
        """Each edit from the same start, as if there were no other."""
        results: list[Change | EditRefused] = []
        start = self._layers.initial(self.config.seed)
        for number, edit in enumerate(edits):
            try:
                with self.attachment.paused():
                    found = adapt(self.host, self._layers, start, edit, self.config)
            except EditRefused as refused:
                results.append(refused)
                continue
            begin = time.perf_counter()
            (routing,) = self._router.keys([edit])
            seconds = {"fit": found.seconds, "route": time.perf_counter() - begin}
            tensors = {**found.weights, **routing}
            results.append(Change(edit, tensors, found.losses, found.said, seconds))
            progress("fitting", number + 1, len(edits))
        return results
