"""One LoRA adapter for every prompt, to which each edit adds its part.

    A = A0 + ΔA1 + ΔA2 + …,   B = ΔB1 + ΔB2 + …        in the order in which the edits were made

in float32. Taking an edit out adds the others up anew: the adapter is then, bit for bit, that of a
model that was never given it. Without any edit no adapter acts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import ClassVar

from torch import Tensor

from memoir.host.adapters import NONE, Adapters, Weights
from memoir.host.host import Host
from memoir.host.scoped import Scope

SUM = "sum"


class SummedAdapter:
    """One adapter in a model until :meth:`undo`.

    Args:
        host: the model.
        rank, alpha, modules: see :class:`memoir.host.adapters.Adapters`.
        seed: of A0.
    """

    row_by_row: ClassVar[bool] = False

    def __init__(
        self, host: Host, rank: int, alpha: float, modules: Sequence[str] | None, seed: int
    ) -> None:
        self._paused: ContextVar[bool] = ContextVar("memoir_paused", default=False)
        self._live: dict[str, Mapping[str, Tensor]] = {}
        self.layers = Adapters(host, rank, alpha, modules, self._chosen)
        self._initial = self.layers.initial(seed)
        self.weights: Weights = self._initial

    def add(self, id: str, tensors: Weights) -> None:
        """Make the change of an edit."""
        self._live[id] = tensors
        self.weights = added(self.weights, tensors)
        self.layers.put(SUM, self.weights)

    def remove(self, id: str) -> None:
        """Take the change of an edit back."""
        del self._live[id]
        self.weights = self._initial
        for tensors in self._live.values():
            self.weights = added(self.weights, tensors)
        if self._live:
            self.layers.put(SUM, self.weights)
        else:
            self.layers.drop(SUM)

    def undo(self) -> None:
        """Leave the model as it was; calling it again does nothing."""
        self.layers.undo()
        self._live.clear()

    def merged(self) -> dict[str, Tensor]:
        """All weights of the model with the adapter added to them, by their names in a checkpoint."""
        return self.layers.merged(SUM if self._live else None)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """While open, this thread sees the model without the adapter."""
        token = self._paused.set(True)
        try:
            yield
        finally:
            self._paused.reset(token)

    @contextmanager
    def scope(self, prompt_lengths: Sequence[int] | None = None) -> Iterator[Scope]:
        """One batch; nothing is decided, so the scope's route stays None."""
        yield Scope(prompt_lengths)

    def _chosen(self, rows: int) -> list[str]:
        return [SUM if self._live and not self._paused.get() else NONE] * rows


def added(weights: Weights, change: Weights) -> dict[str, Tensor]:
    """The sum of two adapters' matrices."""
    return {name: each + change[name].to(each.device) for name, each in weights.items()}
