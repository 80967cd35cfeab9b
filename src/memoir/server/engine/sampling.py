"""Choosing the next token of every row.

Greedy rows take one argmax together. A row that samples draws one uniform number from a generator of
its own and looks it up in the cumulated probabilities, so what it draws depends neither on who shares
its batch nor on the device.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor

from memoir.server.asked import Sampling


class Chosen(NamedTuple):
    """The next token of a row.

    Attributes:
        id: it.
        logprob: natural logarithm of the model's probability for it; None if it was not asked for.
        likeliest: the likeliest tokens with theirs, the best first.
    """

    id: int
    logprob: float | None = None
    likeliest: tuple[tuple[int, float], ...] = ()


class Chooser:
    """How one row's tokens are chosen.

    Args:
        sampling: what was asked for.
    """

    def __init__(self, sampling: Sampling) -> None:
        self.sampling = sampling
        self._generator = torch.Generator()
        if sampling.seed is None:
            self._generator.seed()
        else:
            self._generator.manual_seed(sampling.seed % 2**64)

    @property
    def samples(self) -> bool:
        """Whether it draws."""
        return self.sampling.temperature > 0

    def uniform(self) -> float:
        """The next draw, 0 to below 1."""
        return float(torch.rand((), generator=self._generator, dtype=torch.float64))


def choose(
    logits: Float[Tensor, "rows vocab"], choosers: Sequence[Chooser]
) -> tuple[Int[Tensor, " rows"], list[Chosen]]:
    """The next token of every row, as a tensor and one by one."""
    ids = logits.argmax(-1)
    drawing = [row for row, each in enumerate(choosers) if each.samples]
    # Rows that may draw from all tokens need not be sorted.
    for nucleus in (False, True):
        rows = [row for row in drawing if (choosers[row].sampling.top_p < 1) == nucleus]
        if rows:
            at = torch.tensor(rows, device=logits.device)
            ids[at] = _drawn(logits[at], [choosers[row] for row in rows], nucleus)
    told = [row for row, each in enumerate(choosers) if each.sampling.likeliest is not None]
    chosen = [Chosen(id) for id in ids.tolist()]
    for row in told:
        most = choosers[row].sampling.likeliest or 0
        chosen[row] = _with_logprobs(logits[row], chosen[row].id, most)
    return ids, chosen


def _drawn(
    logits: Float[Tensor, "rows vocab"], choosers: Sequence[Chooser], nucleus: bool
) -> Int[Tensor, " rows"]:
    def column(values: Sequence[float]) -> Tensor:
        return torch.tensor(values, device=logits.device).unsqueeze(1)

    temperature = column([each.sampling.temperature for each in choosers])
    shares = (logits.float() / temperature).softmax(-1)
    order = None
    if nucleus:
        shares, order = shares.sort(dim=-1, descending=True, stable=True)
        before = shares.cumsum(-1) - shares
        outside = before >= column([each.sampling.top_p for each in choosers])
        outside[:, 0] = False  # the likeliest stays, however small the share is
        shares = shares.masked_fill(outside, 0.0)
    upto = shares.double().cumsum(-1)
    drawn = torch.tensor([each.uniform() for each in choosers], dtype=torch.float64)
    at = torch.searchsorted(upto, drawn.to(upto.device).unsqueeze(1) * upto[:, -1:], right=True)
    at = at.clamp_max(upto.shape[1] - 1)
    return (at if order is None else order.gather(1, at)).squeeze(1)


def _with_logprobs(logits: Float[Tensor, " vocab"], id: int, most: int) -> Chosen:
    logarithms = logits.float().log_softmax(-1)
    values, ids = logarithms.topk(min(most, len(logarithms)))
    likeliest = tuple(zip(ids.tolist(), values.tolist(), strict=True))
    return Chosen(id, float(logarithms[id]), likeliest)
