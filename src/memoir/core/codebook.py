"""Discrete key-value adaptors: balls around keys, each answering with one value.

GRACE (Hartvigsen et al., *Aging with GRACE*, NeurIPS 2023, arXiv 2211.11031). A new key h with label y
meets the nearest key K_i at the distance d:

    d > ε_i + ε            far:       a ball of its own, with radius ε
    else, another label    conflict:  a ball of its own; both radii become d / 2 (the old a hair less)
    else                   the same:  no ball of its own; ε_i grows to d if it was less
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

HAIR = 1e-5
"""By which the older of two balls that would touch is smaller, as in the authors' code."""


@dataclass
class _Ball:
    id: str
    label: str
    radius: float


class Codebook:
    """Keys with radii, in the order in which edits were made.

    Args:
        radius: ε of a new key (EasyEdit: 1.0), Euclidean.
    """

    def __init__(self, radius: float) -> None:
        self._radius = radius
        self._keys: Float[Tensor, "balls d_in"] | None = None
        self._balls: list[_Ball] = []

    def __len__(self) -> int:
        return len(self._balls)

    @property
    def radii(self) -> dict[str, float]:
        """Radius of each ball by the id of its edit."""
        return {ball.id: ball.radius for ball in self._balls}

    def add(self, id: str, key: Float[Tensor, " d_in"], label: str) -> None:
        """Take an edit in."""
        key = key.float()
        if self._keys is None:
            self._grow(id, key, label, self._radius)
            return
        distance, nearest = (each.item() for each in self._distances(key[None]).min(dim=1))
        ball = self._balls[int(nearest)]
        if distance > ball.radius + self._radius:
            self._grow(id, key, label, self._radius)
        elif ball.label != label:
            ball.radius = distance / 2 - HAIR
            self._grow(id, key, label, distance / 2)
        else:
            ball.radius = max(ball.radius, distance)

    def nearest(
        self, queries: Float[Tensor, "queries d_in"]
    ) -> tuple[list[str], Float[Tensor, " queries"], Float[Tensor, " queries"]]:
        """Of each query the nearest ball: its edit's id, the distance to its key, and its radius.

        Of keys at one distance the last counts, so that an edit made anew replaces the old one.
        """
        distances = self._distances(queries.float())
        # The first of the reversed order is the last.
        last = distances.flip(1).min(dim=1)
        at: Int[Tensor, " queries"] = distances.shape[1] - 1 - last.indices
        balls = [self._balls[i] for i in at.tolist()]
        radii = torch.tensor([ball.radius for ball in balls])
        return [ball.id for ball in balls], last.values.cpu(), radii

    def _distances(self, queries: Tensor) -> Float[Tensor, "queries balls"]:
        assert self._keys is not None
        # Not by the products: an equal key must be at a distance of exactly zero.
        return torch.cdist(
            queries.to(self._keys.device), self._keys, compute_mode="donot_use_mm_for_euclid_dist"
        )

    def _grow(self, id: str, key: Tensor, label: str, radius: float) -> None:
        row = key[None]
        self._keys = row if self._keys is None else torch.cat([self._keys, row])
        self._balls.append(_Ball(id, label, radius))
