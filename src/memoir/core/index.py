"""Packed masks and the exact best overlap among them.

A mask of ``d_in`` bits takes ``d_in / 8`` bytes, and one query against ``n`` masks is a bitwise
and with a population count: exact, and linear in ``n`` with a very small constant.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool
from numpy.typing import NDArray
from torch import Tensor


class Best(NamedTuple):
    """The stored mask that shares most columns with a query."""

    id: str
    overlap: float  # |m ∧ m_i| / k, 0..1


class MaskIndex:
    """Masks of the stored edits, in the order they were added.

    Args:
        d_in: length of every mask.
        k: number of ones in every mask; overlaps are shares of it.
    """

    def __init__(self, d_in: int, k: int) -> None:
        self.d_in = d_in
        self.k = k
        self._ids: list[str] = []
        self._words = np.zeros((16, -(-d_in // 64)), dtype=np.uint64)

    def __len__(self) -> int:
        return len(self._ids)

    @property
    def nbytes(self) -> int:
        """Resident bytes of the packed masks."""
        return len(self._ids) * self._words.shape[1] * 8

    def add(self, id: str, mask: Bool[Tensor, " d_in"]) -> None:
        """Store one mask under a name that is not stored yet."""
        if len(self._ids) == len(self._words):
            self._words = np.concatenate([self._words, np.zeros_like(self._words)])
        self._words[len(self._ids)] = self._pack(mask)
        self._ids.append(id)

    def remove(self, id: str) -> None:
        """Forget one mask; the order of the others stays."""
        row = self._ids.index(id)
        self._words[row : len(self._ids) - 1] = self._words[row + 1 : len(self._ids)]
        del self._ids[row]

    def best(self, mask: Bool[Tensor, " d_in"]) -> Best | None:
        """The stored mask with the largest overlap, the latest among equals; None when empty."""
        if not self._ids:
            return None
        common = np.bitwise_count(self._words[: len(self._ids)] & self._pack(mask)).sum(axis=1)
        row = len(common) - 1 - int(common[::-1].argmax())
        return Best(self._ids[row], float(common[row]) / self.k)

    def _pack(self, mask: Bool[Tensor, " d_in"]) -> NDArray[np.uint64]:
        bits = np.zeros(self._words.shape[1] * 64, dtype=np.bool_)
        bits[: self.d_in] = mask.to(torch.bool).cpu().numpy()
        return np.packbits(bits).view(np.uint64)
