"""A span of inputs that must keep their outputs, as an orthonormal basis.

Gradient projection memory (Saha et al., ICLR 2021, arXiv 2103.09762, §5). With the inputs R of a
task (a row each), the part of them that the basis M (a row each) does not hold yet is (equation 8)

    R̂ = R − R Mᵀ M

and the first right singular vectors of R̂ join the basis, as few as are needed to reach (equation 9)

    ‖R Mᵀ M‖² + Σ σ²  ≥  ε ‖R‖²

So it is for the first task (equation 5), of which the authors' code takes one direction fewer.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

EXACT = torch.float64
"""Directions are computed in this precision, so that they stay orthogonal however many there are."""


def off(
    inputs: Float[Tensor, "*rows d_in"], basis: Float[Tensor, "size d_in"]
) -> Float[Tensor, "*rows d_in"]:
    """The part of the inputs that is orthogonal to the basis."""
    wide, rows = basis.to(EXACT), inputs.to(EXACT)
    for _ in range(2):  # the second time takes off what rounding left
        rows = rows - (rows @ wide.T) @ wide
    return rows


def new_directions(
    inputs: Float[Tensor, "rows d_in"],
    basis: Float[Tensor, "size d_in"],
    share: float,
    most: int,
) -> Float[Tensor, "new d_in"]:
    """What joins the basis, so that it holds this share of the inputs' energy.

    Args:
        inputs: R.
        basis: M.
        share: ε, 0..1.
        most: directions at most.
    """
    rest, energy = off(inputs, basis), inputs.to(EXACT).square().sum()
    _, sizes, directions = torch.linalg.svd(rest, full_matrices=False)
    held = energy - rest.square().sum() + sizes.square().cumsum(0)
    before = torch.cat([energy - rest.square().sum().unsqueeze(0), held[:-1]])
    real = sizes > sizes[:1] * torch.finfo(torch.float32).eps  # no directions made of rounding
    count = min(int(((before < share * energy) & real).sum()), most)
    return directions[:count].to(basis)
