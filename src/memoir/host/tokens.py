"""Token sequences with their parts marked, padded on the left.

Left padding puts every target at the end of the batch, so that logits are needed at the last few
positions only, whatever the prompts' lengths.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Int
from torch import Tensor


class Encoded(NamedTuple):
    """One sequence of token ids: a prompt, and the target after it."""

    prompt: Sequence[int]
    target: Sequence[int] = ()

    @property
    def ids(self) -> list[int]:
        """All of it."""
        return [*self.prompt, *self.target]


class TokenBatch(NamedTuple):
    """Sequences of one batch.

    Attributes:
        ids: token ids; the padding id where there is none.
        attention: true at real tokens.
        prompt: true at the prompt's tokens.
        target: true at the target's tokens.
    """

    ids: Int[Tensor, "batch seq"]
    attention: Bool[Tensor, "batch seq"]
    prompt: Bool[Tensor, "batch seq"]
    target: Bool[Tensor, "batch seq"]

    @classmethod
    def of(cls, rows: Sequence[Encoded], pad_id: int, device: torch.device | str) -> TokenBatch:
        """Pad the rows on the left to the longest."""
        width = max(len(row.ids) for row in rows)
        ids = torch.full((len(rows), width), pad_id)
        part = torch.full((len(rows), width), -1)  # -1 padding, 0 prompt, 1 target
        for i, row in enumerate(rows):
            ids[i, width - len(row.ids) :] = torch.tensor(row.ids)
            end = width
            for number, tokens in ((1, row.target), (0, row.prompt)):
                part[i, end - len(tokens) : end] = number
                end -= len(tokens)
        masks = (part >= 0, part == 0, part == 1)
        return cls(*(tensor.to(device) for tensor in (ids, *masks)))

    @property
    def position_ids(self) -> Int[Tensor, "batch seq"]:
        """Positions counted from each row's first real token."""
        return (self.attention.long().cumsum(dim=1) - 1).clamp_min(0)

    @property
    def longest_answer(self) -> int:
        """Tokens of the longest target."""
        return int(self.target.sum(dim=1).max())

    def rows(self, rows: Int[Tensor, " rows"]) -> TokenBatch:
        """Some of the sequences."""
        return TokenBatch(*(tensor[rows] for tensor in self))
