"""WISE's side memories on one host: what each shard of edits changes, and which prompts it answers.

The mathematics is in :mod:`memoir.core.side_memory`, the training in :mod:`memoir.methods.wise`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from transformers.activations import ACT2FN

from memoir.calibration import BATCH
from memoir.core.side_memory import Activation, activation_change, means, shard_mask, ties_merge
from memoir.host import Host
from memoir.types import Match, Progress, no_progress

AT_THE_THRESHOLD = 0.5
"""Score of a prompt whose Δact is ε."""


class Sharding(Protocol):
    """The settings that side memories take; documented in the method's config."""

    @property
    def retrieve(self) -> bool: ...  # noqa: D102
    @property
    def mask_ratio(self) -> float: ...  # noqa: D102
    @property
    def clamp(self) -> float: ...  # noqa: D102
    @property
    def shard_size(self) -> int: ...  # noqa: D102
    @property
    def density(self) -> float: ...  # noqa: D102
    @property
    def ratio(self) -> float: ...  # noqa: D102
    @property
    def seed(self) -> int: ...  # noqa: D102


class SideMemory(NamedTuple):
    """One side memory, ready to answer.

    Attributes:
        change: τ, on top of the layer's own weight.
        threshold: ε, in units.
        ids: the edits in it.
        keys: mean activations of their prompts.
    """

    change: Float[Tensor, "d_out d_in"]
    threshold: float
    ids: list[str]
    keys: Float[Tensor, "edits d_in"]

    def match(self, change: float, key: Float[Tensor, " d_in"], number: int) -> Match:
        """The verdict on a prompt, given its Δact and mean activation."""
        nearest = torch.cdist(key[None], self.keys)[0].argmin()
        score = change / (change + self.threshold) if change > 0 else 0.0
        evidence = {"Δact": change, "ε": self.threshold, "memory": number}
        return Match(self.ids[int(nearest)], score, AT_THE_THRESHOLD, evidence)


class _Live(NamedTuple):
    """An edit in force; its tensors may lie in a file."""

    shard: int
    prompt: Float[Tensor, "tokens d_in"]
    tensors: Mapping[str, Tensor]


class SideMemories:
    """The shards of edits in force.

    Args:
        host: the model.
        settings: see :class:`memoir.methods.wise.WiseConfig`.
        unit: one unit of Δact.
    """

    def __init__(self, host: Host, settings: Sharding, unit: float) -> None:
        self._host = host
        self._settings = settings
        self._unit = unit
        self._activation = activation_of(host)
        self._live: dict[str, _Live] = {}
        self._shards: dict[int, Float[Tensor, "d_out d_in"]] = {}
        self._masks: dict[int, Bool[Tensor, "d_out d_in"]] = {}
        self._ready: list[SideMemory] | None = None  # made when a prompt first needs them

    def add(self, id: str, tensors: Mapping[str, Tensor]) -> None:
        """Take an edit in: its ``shard``, its ``prompt`` at the site, and its ``difference``."""
        self._live[id] = _Live(int(tensors["shard"]), tensors["prompt"], tensors)
        self._take_in(self._live[id])

    def remove(self, id: str) -> None:
        """Take an edit out; the others of its shard are added up anew."""
        shard = self._live.pop(id).shard
        del self._shards[shard]
        self._ready = None
        for live in self._live.values():
            if live.shard == shard:
                self._take_in(live)

    def sizes(self) -> Counter[int]:
        """Edits in each shard."""
        return Counter(live.shard for live in self._live.values())

    def shard(self, number: int) -> Float[Tensor, "d_out d_in"]:
        """τ of a shard; zero before its first edit."""
        site = self._host.site
        none = torch.zeros(site.d_out, site.d_in, device=self._host.device)
        return self._shards.get(number, none)

    def mask(self, shard: int) -> Bool[Tensor, "d_out d_in"]:
        """The elements that a shard may change."""
        if shard not in self._masks:
            site, settings = self._host.site, self._settings
            mask = shard_mask(site.d_out, site.d_in, settings.mask_ratio, shard, settings.seed)
            self._masks[shard] = mask.to(self._host.device)
        return self._masks[shard]

    def changed_by(
        self,
        change: Float[Tensor, "d_out d_in"],
        shard: int,
        difference: Float[Tensor, " masked"],
    ) -> Float[Tensor, "d_out d_in"]:
        """A shard's τ with one edit's difference, as a new tensor."""
        mask = self.mask(shard)
        changed = change.clone()
        changed[mask] += difference.to(change)
        return changed.clamp_(-self._settings.clamp, self._settings.clamp)

    def moved(
        self,
        activations: Float[Tensor, "tokens d_in"],
        lengths: Sequence[int],
        change: Float[Tensor, "d_out d_in"],
    ) -> Float[Tensor, " prompts"]:
        """Δact of prompts, in units; their tokens lie one prompt after another."""
        added = activations.to(change) @ change.T
        by_token = activation_change(_own(self._host, activations), added, self._activation)
        return means(by_token, lengths) / self._unit

    @torch.no_grad()
    def ready(self) -> list[SideMemory]:
        """The side memories that answer: one for each shard, or one merged of all."""
        if self._ready is None:
            shards = sorted(self._shards)
            if self._settings.retrieve:
                changes = [(self._shards[shard], {shard}) for shard in shards]
            elif shards:
                merged = ties_merge(
                    torch.stack([self._shards[shard] for shard in shards]), self._settings.density
                )
                changes = [(merged, set(shards))]
            else:
                changes = []
            self._ready = [self._memory(change, members) for change, members in changes]
        return self._ready

    def _take_in(self, live: _Live) -> None:
        before = self.shard(live.shard)
        self._shards[live.shard] = self.changed_by(before, live.shard, live.tensors["difference"])
        self._ready = None

    def _memory(self, change: Float[Tensor, "d_out d_in"], shards: set[int]) -> SideMemory:
        """A side memory with the threshold of its edits."""
        ids = [id for id, live in self._live.items() if live.shard in shards]
        prompts = [self._live[id].prompt for id in ids]
        tokens = torch.cat(prompts).to(self._host.device)
        least = float(self.moved(tokens, [len(prompt) for prompt in prompts], change).min())
        keys = torch.stack([prompt.mean(0) for prompt in prompts]).to(self._host.device)
        return SideMemory(change, self._settings.ratio * least, ids, keys)


def activation_of(host: Host) -> Activation:
    """The activation function of the model's feed-forward parts."""
    config = host.model.config
    names = ("hidden_activation", "hidden_act", "activation_function")
    name = next(filter(None, (getattr(config, each, None) for each in names)), "silu")
    return ACT2FN[name]


@torch.no_grad()
def read_texts(host: Host, texts: Sequence[str]) -> list[Float[Tensor, "tokens d_in"]]:
    """What each text puts into the site."""
    tokens = host.batch([host.encode(text) for text in texts])
    activations = host.read(tokens).activations.float()
    return [row[real] for row, real in zip(activations, tokens.attention, strict=True)]


@torch.no_grad()
def output_size(host: Host, texts: Sequence[str], progress: Progress = no_progress) -> float:
    """Mean ‖a(W x)‖ over the tokens of the texts."""
    activation, norms = activation_of(host), []
    for start in range(0, len(texts), BATCH):
        read = torch.cat(read_texts(host, texts[start : start + BATCH]))
        norms.append(torch.linalg.vector_norm(activation(_own(host, read)), dim=-1).cpu())
        progress("reading background prompts", min(start + BATCH, len(texts)), len(texts))
    return float(torch.cat(norms).mean())


def _own(host: Host, activations: Float[Tensor, "*tokens d_in"]) -> Float[Tensor, "*tokens d_out"]:
    """The site's own output; by its forward, since hooks may be running."""
    return host.site.module.forward(activations.to(host.model.dtype)).float()
