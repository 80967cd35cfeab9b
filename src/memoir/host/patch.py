"""Weights of feed-forward output projections, changed by edits and given back bit for bit.

    W = W0 + Δ1 + Δ2 + …        in the order in which the edits were made, summed in float32

``W0`` is kept aside, for the patched layers alone. Taking an edit out adds the others to ``W0`` anew:
the weights are then, bit for bit, those of a model that was never given it. That takes time in
proportion to their number, and changes that were fitted on top of it stay as they were fitted.

Unlike what is attached (:class:`memoir.host.Attachment`), a patch acts on every prompt, and while it is
paused it is so for every thread.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from memoir.errors import BadInput
from memoir.host.host import Host
from memoir.host.scoped import Scope
from memoir.host.sites import Site, find_site


class Update(NamedTuple):
    """A change of one weight: the product of two thin matrices.

    A dense change has ``right=None``.
    """

    left: Float[Tensor, "d_out rank"]
    right: Float[Tensor, "rank d_in"] | None = None

    def dense(self) -> Float[Tensor, "d_out d_in"]:
        """The change itself, in float32."""
        left = self.left.float()
        return left if self.right is None else left @ self.right.float()


Updates = Mapping[int, Update]
"""Changes by layer."""


def as_tensors(updates: Updates) -> dict[str, Tensor]:
    """Named tensors, to be stored."""
    return {
        f"{layer}.{name}": part.contiguous()
        for layer, update in updates.items()
        for name, part in update._asdict().items()
        if part is not None
    }


def from_tensors(tensors: Mapping[str, Tensor]) -> dict[int, Update]:
    """Inverse of :func:`as_tensors`; tensors with other names are left alone."""
    layers = sorted(int(name.removesuffix(".left")) for name in tensors if name.endswith(".left"))
    return {
        layer: Update(
            tensors[f"{layer}.left"],
            tensors.get(f"{layer}.right"),
        )
        for layer in layers
    }


class Patch:
    """Patches some layers of a host until :meth:`undo`.

    Args:
        host: the model.
        layers: decoder blocks whose feed-forward output projection may change.

    Raises:
        BadInput: a weight is quantised or offloaded, so that nothing can be added to it.
    """

    row_by_row: ClassVar[bool] = False

    def __init__(self, host: Host, layers: Sequence[int]) -> None:
        self._model = host.model
        self._sites = {layer: find_site(host.model, layer) for layer in sorted(set(layers))}
        for site in self._sites.values():
            _check(site)
        self._base = {layer: site.weight.detach() for layer, site in self._sites.items()}
        self._sum = {layer: base.float().clone() for layer, base in self._base.items()}
        self._live: dict[str, Mapping[str, Tensor]] = {}

    def add(self, id: str, tensors: Mapping[str, Tensor]) -> None:
        """Make the changes that an edit's tensors hold (:func:`as_tensors`)."""
        self._live[id] = tensors
        self._take_in(tensors)
        self._show()

    def remove(self, id: str) -> None:
        """Take an edit's changes back."""
        del self._live[id]
        self._sum = {layer: base.float().clone() for layer, base in self._base.items()}
        for tensors in self._live.values():
            self._take_in(tensors)
        self._show()

    def undo(self) -> None:
        """Give the model its own weights back; calling it again does nothing."""
        for layer, site in self._sites.items():
            site.weight.data = self._base[layer]
        self._live.clear()

    def merged(self) -> dict[str, Tensor]:
        """All weights of the model with the changes, by their names in a checkpoint."""
        return dict(self._model.state_dict())

    def base(self, layer: int) -> Float[Tensor, "d_out d_in"]:
        """A layer's own weight."""
        return _upright(self._sites[layer], self._base[layer])

    @contextmanager
    def paused(self) -> Iterator[None]:
        """While open, the model has its own weights."""
        shown = {layer: site.weight.data for layer, site in self._sites.items()}
        for layer, site in self._sites.items():
            site.weight.data = self._base[layer]
        try:
            yield
        finally:
            for layer, site in self._sites.items():
                site.weight.data = shown[layer]

    @contextmanager
    def tried(self, updates: Updates) -> Iterator[None]:
        """While open, further changes are made on top of those in force."""
        shown = {layer: self._sites[layer].weight.data for layer in updates}
        for layer, update in updates.items():
            site = self._sites[layer]
            site.weight.data = (self._sum[layer] + _laid(site, update)).to(shown[layer].dtype)
        try:
            yield
        finally:
            for layer, data in shown.items():
                self._sites[layer].weight.data = data

    @contextmanager
    def scope(self, prompt_lengths: Sequence[int] | None = None) -> Iterator[Scope]:
        """One batch; a patch decides nothing, so the scope's route stays None."""
        yield Scope(prompt_lengths)

    def _take_in(self, tensors: Mapping[str, Tensor]) -> None:
        for layer, update in from_tensors(tensors).items():
            self._sum[layer] += _laid(self._sites[layer], update)

    def _show(self) -> None:
        for layer, site in self._sites.items():
            base = self._base[layer]
            # Without edits the very tensor of before, so that nothing is left of the patch.
            site.weight.data = self._sum[layer].to(base.dtype).clone() if self._live else base


def _laid(site: Site, update: Update) -> Tensor:
    """A change as the layer stores its weight."""
    return _upright(site, update.dense().to(site.weight.device))


def _upright(site: Site, weight: Tensor) -> Tensor:
    """(d_out, d_in) to the layer's own way round, or back."""
    return weight.T if type(site.module).__name__ == "Conv1D" else weight


def _check(site: Site) -> None:
    weight = site.weight
    if weight.is_meta or not torch.is_floating_point(weight):
        state = "offloaded" if weight.is_meta else f"quantised ({weight.dtype})"
        raise BadInput(
            f"the weight of {site.path} is {state}, so no change can be added to it; load the model in "
            "float32, float16 or bfloat16 on one device, or use a method that leaves weights alone "
            "(memoir methods tells which)."
        )
