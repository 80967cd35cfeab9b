"""Masks over the weights of one layer: choosing them, and keeping them in one bit a weight."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor


def largest(values: Float[Tensor, "*shape"], count: int) -> Bool[Tensor, "*shape"]:
    """Exactly ``count`` trues, at the largest values; of equal ones the first are taken."""
    flat = values.flatten()
    if count <= 0 or count >= len(flat):
        return torch.full_like(values, count > 0, dtype=torch.bool)
    least = flat.kthvalue(len(flat) - count + 1).values
    mask = flat > least
    equal = (flat == least).nonzero().flatten()
    mask[equal[: count - int(mask.sum())]] = True
    return mask.reshape(values.shape)


def among(
    values: Float[Tensor, "*shape"], eligible: Bool[Tensor, "*shape"], count: int
) -> Bool[Tensor, "*shape"]:
    """:func:`largest` of the eligible values; all of these if they are no more than ``count``."""
    count = min(count, int(eligible.sum()))
    return largest(values.masked_fill(~eligible, -torch.inf), count)


def pack(mask: Bool[Tensor, "*shape"]) -> UInt8[Tensor, " bytes"]:
    """A mask in one bit an element."""
    return torch.from_numpy(np.packbits(mask.cpu().numpy()))


def unpack(packed: UInt8[Tensor, " bytes"], shape: Sequence[int]) -> Bool[Tensor, "*shape"]:
    """Inverse of :func:`pack`."""
    count = int(np.prod(shape))
    bits = np.unpackbits(packed.cpu().numpy(), count=count)
    return torch.from_numpy(bits).bool().reshape(tuple(shape))
