"""One change of the residual stream, made by several layers together.

MEMIT (Meng et al., ICLR 2023, arXiv 2210.07229, §4.3, algorithm 1) and after it AlphaEdit. What shall
leave the last of the layers where the subject ends is trained there (:mod:`memoir.values`); then from
the lowest layer up each one is changed to make an equal share of what is still missing, with the keys
and the missing part read anew from the model as the changed layers below leave it.

This takes a model whose layers' outputs are added to the residual stream as they are; where they are
normalised on the way (Gemma 2 and 3), layers come short of their share.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from memoir.errors import BadInput, EditRefused, LossNotFinite
from memoir.host import Host
from memoir.host.patch import Patch, Update
from memoir.types import Edit, Progress, no_progress
from memoir.values import Descent, Subjected, Subjects, keys_of, said, streams_of, train

Solve = Callable[[int, Float[Tensor, "edits d_in"]], Float[Tensor, "edits d_in"]]
"""From a layer and its keys to the rows U of its change R U, see :mod:`memoir.core.solve`."""


class Share(NamedTuple):
    """An edit's part in what was solved for a batch.

    Attributes:
        updates: its rank-one changes, by layer.
        keys: its keys there.
        losses: of its value, before the first step and after each.
        said: whether the whole target has rank one with all of the batch in force.
    """

    updates: dict[int, Update]
    keys: dict[int, Float[Tensor, " d_in"]]
    losses: tuple[float, ...]
    said: bool


def layers_up_to(host: Host, first: float, count: int) -> list[int]:
    """Layers from a relative depth up to the host's site, evenly spaced.

    Args:
        first: depth of the first, 0..1.
        count: how many at most; a shallow model has fewer between.

    Raises:
        BadInput: the site is the model's last layer.
    """
    blocks, last = len(host.site.blocks), host.site.layer
    if last == blocks - 1:
        raise BadInput(
            f"layer {last} is the model's last; this method reads what leaves its last layer where it "
            f"enters the next one: choose a site below (0 to {last - 1})."
        )
    lowest = min(last, round(blocks * first))
    return sorted({round(float(at)) for at in torch.linspace(last, lowest, count)})


def default_layers(host: Host) -> list[int]:
    """Those that LLaMA's configs name for ROME, MEMIT and AlphaEdit, 4 to 8 of 32, in this model."""
    blocks = len(host.site.blocks)
    return sorted({min(blocks - 1, round(blocks * layer / 32)) for layer in range(4, 9)})


def spread(
    host: Host,
    patch: Patch,
    layers: Sequence[int],
    subjects: Subjects,
    edits: Sequence[Edit],
    settings: Descent,
    solve: Solve,
    progress: Progress = no_progress,
) -> list[Share | EditRefused]:
    """Each edit's part of the changes that teach all of them, or why it has none."""
    found = [_subject(subjects, edit) for edit in edits]
    some = [each for each in found if isinstance(each, Subjected)]
    if not some:
        return [each for each in found if isinstance(each, EditRefused)]
    streams = streams_of(host, some, host.site.layer)
    deltas, losses = train(host, some, streams, settings, progress)
    fine = deltas.isfinite().all(1).tolist()
    taken = [each for each, is_fine in zip(some, fine, strict=True) if is_fine]
    shares = iter(_solved(host, patch, layers, taken, (streams + deltas)[fine], solve, progress))
    trained = iter(zip(fine, losses, strict=True))

    def result(each: Subjected | EditRefused) -> Share | EditRefused:
        if isinstance(each, EditRefused):
            return each
        is_fine, its = next(trained)
        if is_fine:
            return next(shares)._replace(losses=its)
        return LossNotFinite(f"the value for {each.edit.prompt!r} is not finite.", its)

    return [result(each) for each in found]


def _solved(
    host: Host,
    patch: Patch,
    layers: Sequence[int],
    edits: Sequence[Subjected],
    wanted: Float[Tensor, "edits hidden"],
    solve: Solve,
    progress: Progress,
) -> list[Share]:
    """Layer by layer; losses are left open."""
    if not edits:
        return []
    shares = [Share({}, {}, (), False) for _ in edits]
    with ExitStack() as stack:
        for number, layer in enumerate(layers):
            progress("spreading over layers", number, len(layers))
            keys = keys_of(host, edits, layer)
            missing = wanted - streams_of(host, edits, host.site.layer)
            left = missing.T.cpu() / (len(layers) - number)
            right = solve(layer, keys).float().cpu()
            for i, share in enumerate(shares):
                share.updates[layer] = Update(left[:, i : i + 1], right[i : i + 1])
                share.keys[layer] = keys[i].float()
            stack.enter_context(patch.tried({layer: Update(left, right)}))
        progress("spreading over layers", len(layers), len(layers))
        spoken = said(host, edits)
    return [share._replace(said=its) for share, its in zip(shares, spoken, strict=True)]


def _subject(subjects: Subjects, edit: Edit) -> Subjected | EditRefused:
    try:
        return subjects.of(edit)
    except EditRefused as refused:
        return refused
