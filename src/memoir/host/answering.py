"""Greedy text and fed answers after the same prompts, from one prefill.

The prompt is by far the longest part of most questions, so it is read once: the model generates
first, then its key/value cache is cut back to the prompt and each answer is fed from there. Attached
modules judged the prompt when it was read, so answer tokens cannot enter their verdict.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from memoir.host.host import Host
from memoir.host.tokens import Encoded, TokenBatch
from memoir.types import Score


class Answered(NamedTuple):
    """What one prompt gave: its greedy continuation, and the score of each answer fed after it."""

    continuation: list[int]
    scores: list[Score]


@torch.no_grad()
def answer(
    host: Host,
    prompts: Sequence[Encoded],
    targets: Sequence[Sequence[Sequence[int]]],
    max_new_tokens: int,
) -> list[Answered]:
    """Generate after every prompt, and feed every target after its prompt.

    Args:
        host: the model; attached modules take part.
        prompts: one batch; targets and tails in them are ignored.
        targets: for each prompt, token ids of the answers to feed; any number, also none.
        max_new_tokens: longest continuation; 0 generates nothing.
    """
    batch = host.batch([Encoded(row.prompt) for row in prompts])
    continuations, cache = host.begin(batch, max_new_tokens)
    scores: list[list[Score]] = [[] for _ in prompts]
    for turn in range(max(len(each) for each in targets)):
        fed = [each[turn] if turn < len(each) else () for each in targets]
        cache = _cut(cache, batch.ids.shape[1] - 1)
        for row, logits in enumerate(_feed(host, batch, cache, fed)):
            if fed[row]:
                scores[row].append(scored(logits[: len(fed[row])], fed[row]))
    return [Answered(*pair) for pair in zip(continuations, scores, strict=True)]


def scored(logits: Float[Tensor, "target vocab"], target: Sequence[int]) -> Score:
    """The score of one target from the logits that predict its tokens."""
    logits = logits.float()
    wanted = torch.tensor(list(target), device=logits.device)
    predicted = logits.argmax(-1)
    return Score(
        tuple((predicted == wanted).tolist()),
        tuple(predicted.tolist()),
        float(F.cross_entropy(logits, wanted)),
    )


def _cut(cache: Any, length: int) -> Any:
    """The cache with its first tokens only; None if this kind of cache cannot go back."""
    if cache is None:
        return None
    try:
        cache.crop(-(cache.get_seq_length() - length))
    except (AttributeError, NotImplementedError, RuntimeError, ValueError):
        return None  # e.g. a sliding window that has moved on
    return cache


def _feed(
    host: Host, batch: TokenBatch, cache: Any, fed: Sequence[Sequence[int]]
) -> Float[Tensor, "batch longest vocab"]:
    """Logits that predict the fed tokens, which are padded on the right."""
    longest = max(len(each) for each in fed)
    ids = torch.full((len(fed), longest), host.pad_id)
    real = torch.zeros(len(fed), longest, dtype=torch.bool)
    for row, each in enumerate(fed):
        ids[row, 1 : len(each)] = torch.tensor(each[:-1], dtype=torch.long)
        real[row, : len(each)] = True
    ids, real = ids.to(batch.ids.device), real.to(batch.ids.device)
    ids[:, 0], real[:, 0] = batch.ids[:, -1], batch.attention[:, -1]
    whole = torch.cat([batch.attention[:, :-1], real], dim=1)
    if cache is None:
        ids = torch.cat([batch.ids[:, :-1], ids], dim=1)
    return host.step(ids, whole, cache, keep=longest)[0]
