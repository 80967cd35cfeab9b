"""Changes of a weight that give some keys new values and disturb other keys as little as may be.

All of them have one form. With the new keys as rows of K and what is to be added to their values as
columns of R, the change of the weight is

    Δ = R U        U = (λ I + K G Kᵀ)⁻¹ K G        (edits × d_in)

    ROME       G = C⁻¹, λ = 0, one key     Meng et al., NeurIPS 2022, arXiv 2202.05262, eq. 2
    MEMIT      G = C⁻¹                     Meng et al., ICLR 2023, arXiv 2210.07229, eq. 14
    UltraEdit  G = I                       Gu et al., TMLR 2026, arXiv 2505.14679
    AlphaEdit  G = P                       Fang et al., ICLR 2025, arXiv 2410.02355, eq. 14

where C = E[k kᵀ] is the second moment of keys to be preserved, and P projects onto what they leave
free. The papers write the same with inverses in d_in dimensions, R Kᵀ (λC + K Kᵀ)⁻¹ and so on (there
the keys are columns); pushing the inverse through leaves one as large as the number of edits. Each
edit's part of Δ has rank one: its column of R times its row of U.

Everything is in float64.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

RIDGE = 1e-9
"""Added to C, times its mean diagonal, so that a C of few tokens can be inverted."""


def rank_one(
    key: Float[Tensor, " d_in"], moment: Float[Tensor, "d_in d_in"]
) -> Float[Tensor, " d_in"]:
    """ROME's u: the weight W + r uᵀ adds r to the value of the key, since uᵀ k = 1."""
    return ridge_rows(key[None], moment, 0.0)[0]


def ridge_rows(
    keys: Float[Tensor, "edits d_in"], moment: Float[Tensor, "d_in d_in"], weight: float
) -> Float[Tensor, "edits d_in"]:
    """MEMIT's U.

    Args:
        keys: of the edits.
        moment: C.
        weight: λ: as how many keys the preserved ones count.
    """
    keys, moment = keys.double(), moment.double()
    ridge = RIDGE * moment.diagonal().mean()
    lifted = torch.linalg.solve(moment + ridge * torch.eye(len(moment)).to(moment), keys.T).T
    return _rows(keys, lifted, weight)


def plain_rows(keys: Float[Tensor, "keys d_in"], weight: float) -> Float[Tensor, "keys d_in"]:
    """UltraEdit's U: Δ is the ridge solution of Δ Kᵀ = R.

    Args:
        keys: of the edits, any number of each.
        weight: λ.
    """
    keys = keys.double()
    return _rows(keys, keys, weight)


def outside(
    keys: Float[Tensor, "keys d_in"], known: Float[Tensor, "known d_in"]
) -> Float[Tensor, "keys d_in"]:
    """Keys less their part in the span of known ones, whose values they then cannot change."""
    values, directions = torch.linalg.svd(known.double(), full_matrices=False)[1:]
    spanned = directions[values > RIDGE * values.max()]
    return (keys.double() - keys.double() @ spanned.T @ spanned).to(keys)


def null_projector(moment: Float[Tensor, "d_in d_in"], bound: float) -> Float[Tensor, "d_in d_in"]:
    """Projects onto the directions of C whose singular values are below a bound."""
    # C is symmetric and has no negative eigenvalues, so these are its singular values.
    values, directions = torch.linalg.eigh(moment.double())
    free = directions[:, values < bound]
    return free @ free.T


def projected_rows(
    keys: Float[Tensor, "edits d_in"],
    past: Float[Tensor, "past d_in"],
    projector: Float[Tensor, "d_in d_in"],
    weight: float,
) -> Float[Tensor, "edits d_in"]:
    """AlphaEdit's U: Δ solves (P (K Kᵀ + Kp Kpᵀ) + λ I) Δᵀ = P K Rᵀ.

    Args:
        keys: of the edits.
        past: Kp, keys of earlier edits, which are to keep their values.
        projector: P.
        weight: λ.
    """
    every = torch.cat([keys, past]).double()
    return _rows(every, every @ projector.double(), weight)[: len(keys)]


def _rows(
    keys: Float[Tensor, "edits d_in"], lifted: Float[Tensor, "edits d_in"], weight: float
) -> Float[Tensor, "edits d_in"]:
    """U of the module's docstring; ``lifted`` is K G."""
    gram = lifted @ keys.T + weight * torch.eye(len(keys)).to(keys)
    return torch.linalg.solve(gram, lifted)
