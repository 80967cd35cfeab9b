"""Has the target been said?  Text of sequences being generated, watched token by token."""

from __future__ import annotations

import re
from collections.abc import Sequence

import torch
from jaxtyping import Int
from torch import Tensor

from memoir.host.texts import Texts

PATIENCE = 64
"""Tokens of an answer that are no part of its target, after which this is not waited for any more."""


class Spoken:
    """Watches the answers of some sequences for their targets.

    Tokens may be taken back (a cache that is cut) or fed again (no cache): what counts is each token's
    place in its sequence.

    Args:
        texts: decodes tokens.
        targets: what each sequence shall say.
        lengths: tokens of each prompt.
    """

    def __init__(self, texts: Texts, targets: Sequence[str], lengths: Sequence[int]) -> None:
        self._texts = texts
        self._targets = [_whole(target) for target in targets]
        self._wordings = [texts.wordings(target) for target in targets]
        self._lengths = list(lengths)
        self._answers: list[list[int]] = [[] for _ in targets]
        self._idle: list[list[int]] = [[] for _ in targets]  # up to each token
        self._said: list[int | None] = [None for _ in targets]  # tokens it took

    def places(
        self, ids: Int[Tensor, "rows seq"] | None, rank: Int[Tensor, "rows seq"]
    ) -> Int[Tensor, "rows seq"]:
        """For each token fed, how many tokens of the target have just been said; -1 where nothing is
        to be said: before each prompt's last token, and once the whole target has been."""
        last = torch.tensor(self._lengths, device=rank.device).unsqueeze(1) - 1
        places = torch.where(rank == last, 0, -1)
        if ids is None:
            return places
        for row, column in (rank > last).nonzero().tolist():
            place = int(rank[row, column]) - self._lengths[row]
            places[row, column] = self._hear(row, place, int(ids[row, column]))
        return places

    @property
    def done(self) -> bool:
        """Whether no sequence is to say anything any more: its target was said, or it was given up."""
        return all(
            said is not None or (bool(idle) and idle[-1] > PATIENCE)
            for said, idle in zip(self._said, self._idle, strict=True)
        )

    def _hear(self, row: int, place: int, id: int) -> int:
        """Take in a token of an answer; how much of the target it completes, or -1."""
        answer, idle, said = self._answers[row], self._idle[row], self._said[row]
        del answer[place:], idle[place:]
        answer.append(id)
        if said is not None and place >= said:
            return -1
        self._said[row] = None
        begun = max(_begun(answer, wording) for wording in self._wordings[row])
        idle.append((idle[-1] if idle else 0) + (begun == 0))
        if idle[-1] > PATIENCE:
            return -1
        if self._targets[row].search(self._texts.decode(answer)):
            self._said[row] = place + 1
        return begun


def _begun(answer: Sequence[int], wording: Sequence[int]) -> int:
    """How many tokens of a wording the answer ends with."""
    lengths = range(min(len(answer), len(wording)), 0, -1)
    return next((n for n in lengths if answer[-n:] == wording[:n]), 0)


def _whole(target: str) -> re.Pattern[str]:
    """The target as a phrase of whole words, in any case."""
    text = re.escape(target.strip())
    begin = r"(?<!\w)" if target.strip()[:1].isalnum() else ""
    end = r"(?!\w)" if target.strip()[-1:].isalnum() else ""
    return re.compile(begin + text + end, re.IGNORECASE)
