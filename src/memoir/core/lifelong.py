"""Lifelong normalisation: features in units of how much all edits so far vary.

UltraEdit (Gu et al., TMLR 2026, arXiv 2505.14679). With x = [h; g], what enters a layer where a
token of a target is foretold and the loss's gradient there, over all such tokens of all edits so far:

    x̂ = (x − mean) / standard deviation                      each number by itself
    v = −η ‖ĥ‖² ĝ                                            what the layer is to put out more there

Moments of parts are merged as Chan, Golub and LeVeque do (*Updating Formulae and a Pairwise Algorithm
for Computing Sample Variances*, 1979), so that those of any set of edits follow from the edits' own.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor


class Moments(NamedTuple):
    """Of some rows of features, in float64.

    Attributes:
        rows: how many.
        mean: of each feature.
        spread: sum of squared distances from it.
    """

    rows: int
    mean: Float[Tensor, " features"]
    spread: Float[Tensor, " features"]

    @classmethod
    def none(cls, features: int, device: torch.device | str = "cpu") -> Moments:
        """Those of no rows."""
        zeros = torch.zeros(features, dtype=torch.float64, device=device)
        return cls(0, zeros, zeros)

    @classmethod
    def of(cls, rows: Float[Tensor, "rows features"]) -> Moments:
        """Those of rows."""
        rows = rows.double()
        mean = rows.mean(0)
        return cls(len(rows), mean, (rows - mean).square().sum(0))

    def merged(self, other: Moments) -> Moments:
        """Those of both together."""
        count = self.rows + other.rows
        if not count:
            return self
        apart = other.mean - self.mean
        mean = self.mean + apart * (other.rows / count)
        between = apart.square() * (self.rows * other.rows / count)
        return Moments(count, mean, self.spread + other.spread + between)

    def normalised(self, rows: Float[Tensor, "rows features"]) -> Float[Tensor, "rows features"]:
        """x̂ of rows that are among those of the moments.

        A single row does not vary: of it only the signs are left.
        """
        if self.rows < 2:
            return rows.double().sign()
        deviation = (self.spread / (self.rows - 1)).sqrt()
        tiny = torch.finfo(deviation.dtype).tiny
        return (rows.double() - self.mean) / deviation.clamp_min(tiny)


def directions(
    keys: Float[Tensor, "rows d_in"], gradients: Float[Tensor, "rows d_out"]
) -> Float[Tensor, "rows d_out"]:
    """v for η = 1, from normalised keys and gradients."""
    return -keys.square().sum(1, keepdim=True) * gradients
