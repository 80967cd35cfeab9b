"""Which weights are in use, and which of them learn: SparCL's dynamic masks (Wang et al., NeurIPS 2022,
arXiv 2209.09476).

    importance    |w| + λ |∂L/∂w|        L: of the present task and of what is replayed, as one
    adjustment    the least important weights in use leave and are zero; as many that were not in use
                  come in, drawn at random, at zero
    gradients     of all weights' gradients the share of largest magnitude is applied
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from memoir.core.sparse import among


def random_mask(
    shape: tuple[int, int], count: int, generator: torch.Generator
) -> Bool[Tensor, "d_out d_in"]:
    """``count`` weights, drawn at random."""
    return among(torch.rand(shape, generator=generator), torch.ones(shape, dtype=torch.bool), count)


def adjusted(
    active: Bool[Tensor, "d_out d_in"],
    importance: Float[Tensor, "d_out d_in"],
    count: int,
    generator: torch.Generator,
) -> Bool[Tensor, "d_out d_in"]:
    """The weights in use after an adjustment of ``count`` of them; their number does not change."""
    leaving = among(-importance, active, count)
    chance = torch.rand(active.shape, generator=generator).to(importance.device)
    coming = among(chance, ~active, int(leaving.sum()))
    return (active & ~leaving) | coming


def learning(
    gradient: Float[Tensor, "d_out d_in"], active: Bool[Tensor, "d_out d_in"], count: int
) -> Bool[Tensor, "d_out d_in"]:
    """The weights whose gradients are applied: in use, and among the ``count`` steepest of all."""
    return among(gradient.abs(), active, count)
