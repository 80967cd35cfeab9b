"""Masks over weights that are never trained (Wortsman et al., NeurIPS 2020, arXiv 2006.14769)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from memoir.core.sparse import largest

AT_ONCE = 16
"""Masks unpacked at the same time: bounds memory."""


def random_signs(shape: Sequence[int], generator: torch.Generator) -> Float[Tensor, "d_out d_in"]:
    """Plus or minus one, at equal chances."""
    return torch.randint(0, 2, tuple(shape), generator=generator).float() * 2 - 1


def through(scores: Float[Tensor, "d_out d_in"], count: int) -> Float[Tensor, "d_out d_in"]:
    """The mask of the ``count`` highest scores, as numbers; gradients pass to all scores as if it were
    the scores themselves (straight through)."""
    return largest(scores.detach(), count).float() + (scores - scores.detach())


def slopes(
    masks: Sequence[UInt8[Tensor, " bytes"]], sensitivity: Float[Tensor, "rows weights"]
) -> Float[Tensor, "rows masks"]:
    """∂H/∂α_i = ⟨M_i, ∂H/∂(Σ α M ⊙ W) ⊙ W⟩ of every packed mask.

    Args:
        masks: the masks, in one bit a weight.
        sensitivity: of the entropy H to each weight's factor, for each row of a batch.
    """
    found = []
    for start in range(0, len(masks), AT_ONCE):
        packed = np.stack([mask.numpy() for mask in masks[start : start + AT_ONCE]])
        bits = np.unpackbits(packed, axis=1, count=sensitivity.shape[1])
        found.append(sensitivity @ torch.from_numpy(bits).to(sensitivity).T)
    return torch.cat(found, dim=1)
