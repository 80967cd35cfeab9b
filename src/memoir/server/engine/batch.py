"""The sequences that are decoded together: one left-padded key/value cache for all of them.

transformers' own continuous batching packs all sequences into one row of tokens, where nothing outside
its attention can tell them apart; what acts on some of them only, as an edit does, needs a row each.

Every layer keeps all its columns, also where a model attends to a sliding window of them: columns of
all layers then mean the same positions, and rows of different lengths can be put side by side.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from transformers.cache_utils import (
    Cache,
    DynamicCache,
    DynamicLayer,
    DynamicSlidingWindowLayer,
)

from memoir.errors import NotServable
from memoir.host import Host
from memoir.host.tokens import Encoded

ROOM = 64
"""Columns that a cache has in reserve, so that a step writes one column and copies none."""


class RoomyLayer(DynamicLayer):
    """Keys and values of one layer, at the beginning of longer tensors."""

    def __init__(self) -> None:
        super().__init__()
        self._whole: list[Tensor] | None = None

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        """Add columns; returns all keys and values."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
            self.keys, self.values = key_states, value_states
            return key_states, value_states
        kept = [each for each in (self.keys, self.values) if each is not None]
        used = kept[0].shape[-2]
        end = used + key_states.shape[-2]
        if self._whole is None or end > self._whole[0].shape[-2]:
            self._whole = [_roomy(each, len(each), end) for each in kept]
            for whole, each in zip(self._whole, kept, strict=True):
                whole[:, :, :used] = each
        for whole, new in zip(self._whole, (key_states, value_states), strict=True):
            whole[:, :, used:end] = new
        self.keys, self.values = (whole[:, :, :end] for whole in self._whole)
        return self.keys, self.values

    @classmethod
    def joined(cls, parts: Sequence[tuple[Any, Tensor]], width: int) -> RoomyLayer:
        """Rows of several layers below each other, each with its last columns, padded on the left."""
        rows = sum(len(index) for _, index in parts)
        made = cls()
        first = parts[0][0]
        made.lazy_initialization(first.keys, first.values)
        made._whole = [_roomy(like, rows, width) for like in (first.keys, first.values)]
        done = 0
        for layer, index in parts:
            for whole, given in zip(made._whole, (layer.keys, layer.values), strict=True):
                last = given[index.to(given.device), :, -width:]
                whole[done : done + len(index), :, width - last.shape[-2] : width] = last
            done += len(index)
        made.keys, made.values = (whole[:, :, :width] for whole in made._whole)
        return made


def _roomy(like: Tensor, rows: int, columns: int) -> Tensor:
    # Zeros: what is masked must still be finite.
    return like.new_zeros(rows, like.shape[1], columns + ROOM, like.shape[3])


class Batch(NamedTuple):
    """Sequences side by side, each but for its newest token in the cache.

    Attributes:
        cache: keys and values.
        attention: true at real tokens of the cache; a row's are at its end.
        newest: the token of each that comes next.
    """

    cache: Cache
    attention: Bool[Tensor, "rows width"]
    newest: Int[Tensor, " rows"]


def begin(host: Host, prompts: Sequence[Encoded]) -> tuple[Batch, Float[Tensor, "rows vocab"]]:
    """Read prompts; the batch, whose newest tokens are still to be chosen, and the logits for that."""
    tokens = host.batch([Encoded(prompt.prompt) for prompt in prompts])
    cache = Cache(layer_class_to_replicate=RoomyLayer)
    logits, cache = host.step(tokens.ids, tokens.attention, cache, keep=1)
    return Batch(cache, tokens.attention, tokens.ids[:, -1]), logits[:, -1]


def step(host: Host, batch: Batch) -> tuple[Batch, Float[Tensor, "rows vocab"]]:
    """Feed the newest tokens; the longer batch, and the logits to choose the next ones from."""
    real = batch.attention.new_ones(len(batch.newest), 1)
    attention = torch.cat([batch.attention, real], dim=1)
    logits, cache = host.step(batch.newest.unsqueeze(1), attention, batch.cache, keep=1)
    return Batch(cache, attention, batch.newest), logits[:, -1]


def joined(parts: Sequence[tuple[Batch, Sequence[int]]]) -> Batch:
    """Rows of several batches as one, without padding that all of them have.

    Args:
        parts: each batch with the rows that are taken from it, in order; at least one in all.
    """
    chosen = [(batch, torch.tensor(rows)) for batch, rows in parts if rows]
    masks = [batch.attention[rows.to(batch.attention.device)] for batch, rows in chosen]
    width = max(int(mask.sum(1).max()) for mask in masks)
    attention = masks[0].new_zeros(sum(map(len, masks)), width)
    done = 0
    for mask in masks:
        last = mask[:, -width:]
        attention[done : done + len(mask), width - last.shape[1] :] = last
        done += len(mask)
    layers = [
        RoomyLayer.joined(
            [(batch.cache.layers[number], rows) for batch, rows in chosen],
            width,
        )
        for number in range(len(chosen[0][0].cache.layers))
    ]
    newest = torch.cat([batch.newest[rows.to(batch.newest.device)] for batch, rows in chosen])
    return Batch(Cache(layers=[*layers]), attention, newest)


def check_cache(host: Host) -> None:
    """Refuse a model whose memory of what it read cannot be cut into columns.

    Raises:
        NotServable: it keeps a running state, for instance.
    """
    kinds = {type(layer) for layer in DynamicCache(config=host.model.config).layers}
    other = sorted(kind.__name__ for kind in kinds - {DynamicLayer, DynamicSlidingWindowLayer})
    if other:
        raise NotServable(
            f"{host.name} keeps what it has read as {', '.join(other)}, and only keys and values of "
            "each token can be put side by side; serve a model whose layers all attend."
        )
