"""Choosing layer, k and τ by measurement, on prompts that have nothing to do with any edit.

The package ships background records: a prompt, a rewording of it, and the same wording about another
subject. Of these

* the *neighbours* give the centre μ (they are about subjects that no other prompt mentions);
* the *prompts* stand for stored edits;
* the *rephrases* are the queries. Against its own prompt a query should fire; against all the
  others it must not. τ is the smallest threshold at which at most the stated share of queries would
  fire on a prompt of another fact.

Nothing here is a benchmark record, and no label of one is used.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from memoir.core.fingerprint import TopHash, prompt_mean, random_permutation
from memoir.errors import BadInput
from memoir.host import Host
from memoir.host.sites import find_site
from memoir.types import Progress, no_progress

BATCH = 32
TIE = 0.005
"""Recalls closer than this are a tie, won by the later layer: its edits are cheaper to fit."""


@dataclass(frozen=True)
class Background:
    """The shipped background records, one list per role, aligned."""

    prompts: list[str]
    rephrases: list[str]
    neighbours: list[str]

    @classmethod
    def shipped(cls) -> Background:
        """Read them from the package."""
        lines = (files("memoir") / "resources" / "background.jsonl").read_text("utf-8").splitlines()
        records = [json.loads(line) for line in lines if line.strip()]
        return cls(
            [record["prompt"] for record in records],
            [record["rephrase"] for record in records],
            [record["neighbour"] for record in records],
        )


@dataclass(frozen=True)
class Setting:
    """What one choice of layer and k achieves on the background records.

    Attributes:
        layer, k: the choice.
        threshold: τ at the stated false-fire rate.
        recall: share of rephrases that fire on their own prompt at that τ.
        false_fire: share that fire on another prompt.
        neighbour_fire: share of neighbours (same wording, other subject) that fire.
    """

    layer: int
    k: int
    threshold: float
    recall: float
    false_fire: float
    neighbour_fire: float


@dataclass(frozen=True)
class Calibration:
    """The chosen setting and everything a fingerprint needs.

    Attributes:
        chosen: the winning setting.
        measured: all settings that were tried.
        background: μ at the chosen layer.
        permutation: π.
        records: number of background records.
        false_fire_rate: the rate τ was set for.
    """

    chosen: Setting
    measured: list[Setting]
    background: Float[Tensor, " d_in"]
    permutation: Int[Tensor, " d_in"]
    records: int
    false_fire_rate: float

    def evidence(self) -> dict[str, Any]:
        """The measurements as plain values, for the store's log."""
        return {
            "false_fire_rate": self.false_fire_rate,
            "records": self.records,
            "chosen": asdict(self.chosen),
            "settings": [asdict(setting) for setting in self.measured],
        }


def calibrate(
    host: Host,
    layers: Sequence[int],
    ks: Sequence[int],
    *,
    seed: int,
    false_fire_rate: float = 0.01,
    threshold: float | None = None,
    background: Background | None = None,
    progress: Progress = no_progress,
) -> Calibration:
    """Measure every combination of layer and k, and keep the one with the highest recall.

    Args:
        host: the model to calibrate.
        layers, ks: candidates.
        seed: of the permutation π.
        false_fire_rate: share of queries that may fire on a prompt of another fact, 0..1.
        threshold: use this τ instead of choosing one.
        background: records to use in place of the shipped ones.
    """
    d_in = host.site.d_in
    for k in ks:
        if not 1 <= k <= d_in:
            raise BadInput(f"k must lie in 1..{d_in} (inputs of the edited layer), not {k}.")
    background = background or Background.shipped()
    roles = [background.prompts, background.rephrases, background.neighbours]
    means = prompt_means(host, [text for role in roles for text in role], layers, progress)
    prompts, rephrases, neighbours = means.chunk(3, dim=1)
    permutation = random_permutation(prompts.shape[-1], seed)
    centres = neighbours.mean(dim=1)

    measured = []
    for at, layer in enumerate(layers):
        for k in ks:
            top_hash = TopHash(centres[at], permutation, k)
            stored, queries, near = (
                top_hash(role[at]).float() for role in (prompts, rephrases, neighbours)
            )
            overlaps, near_overlaps = queries @ stored.T / k, near @ stored.T / k
            measured.append(_measure(layer, k, overlaps, near_overlaps, false_fire_rate, threshold))
    best_recall = max(setting.recall for setting in measured)
    tied = [setting for setting in measured if setting.recall >= best_recall - TIE]
    best = max(tied, key=lambda setting: (setting.layer, setting.recall))
    return Calibration(
        best,
        measured,
        centres[list(layers).index(best.layer)],
        permutation,
        len(background.prompts),
        false_fire_rate,
    )


def background_mean(
    host: Host, layer: int, progress: Progress = no_progress
) -> Float[Tensor, " d_in"]:
    """μ at one layer: the mean over shipped neighbours of their prompt means."""
    return prompt_means(host, Background.shipped().neighbours, [layer], progress)[0].mean(dim=0)


def prompt_means(
    host: Host, texts: Sequence[str], layers: Sequence[int], progress: Progress = no_progress
) -> Float[Tensor, "layers prompts d_in"]:
    """Mean prompt activations at several layers, read in batches of similar length."""
    encoded = [host.encode(text) for text in texts]
    order = sorted(range(len(texts)), key=lambda i: len(encoded[i].prompt))
    d_in = find_site(host.model, layers[0]).d_in
    means = torch.zeros(len(layers), len(texts), d_in)
    for start in range(0, len(order), BATCH):
        rows = order[start : start + BATCH]
        tokens = host.batch([encoded[i] for i in rows])
        for at, activations in enumerate(host.read_layers(tokens, layers)):
            means[at, rows] = prompt_mean(activations, tokens.prompt).cpu()
        progress("reading background prompts", min(start + BATCH, len(order)), len(order))
    return means


def _measure(
    layer: int,
    k: int,
    overlaps: Float[Tensor, "queries stored"],
    near_overlaps: Float[Tensor, "neighbours stored"],
    false_fire_rate: float,
    threshold: float | None,
) -> Setting:
    own = overlaps.diagonal().clone()
    others = overlaps.fill_diagonal_(0.0).amax(dim=1)
    if threshold is None:
        threshold = _threshold(others, false_fire_rate, k)
    return Setting(
        layer,
        k,
        threshold,
        recall=float(((own >= threshold) & (own >= others)).float().mean()),
        false_fire=float((others >= threshold).float().mean()),
        neighbour_fire=float((near_overlaps.amax(dim=1) >= threshold).float().mean()),
    )


def _threshold(others: Float[Tensor, " queries"], rate: float, k: int) -> float:
    """The smallest multiple of ``1/k`` that at most ``rate`` of the overlaps reach."""
    allowed = int(rate * len(others))
    highest_refused = others.sort(descending=True).values[allowed]
    return min(1.0, (round(float(highest_refused) * k) + 1) / k)
