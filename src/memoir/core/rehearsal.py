"""What is rehearsed: a buffer that any stream leaves behind, and the loss on what is in it.

The buffer is a reservoir sample (Vitter, 1985): of n things that came, each is among the ``size`` kept
with probability size/n. It follows from the stream and a seed alone, so nothing of it is stored.
The loss is DER++'s (Buzzega et al., NeurIPS 2020, arXiv 2004.07211).
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeVar

from jaxtyping import Bool, Float, Int
from torch import Tensor

Item = TypeVar("Item")


def reservoir(stream: Sequence[Item], size: int, seed: int) -> list[Item]:
    """What the buffer holds after a stream."""
    draw = random.Random(seed)
    kept: list[Item] = []
    for number, item in enumerate(stream):
        if number < size:
            kept.append(item)
        elif (at := draw.randrange(number + 1)) < size:
            kept[at] = item
    return kept


def distance(
    logits: Float[Tensor, "edits longest vocab"],
    ids: Int[Tensor, "edits longest kept"],
    remembered: Float[Tensor, "edits longest kept"],
    target: Bool[Tensor, "edits longest"],
) -> Float[Tensor, " edits"]:
    """Mean squared difference of logits from those remembered, over a target's tokens."""
    apart = (logits.gather(-1, ids) - remembered).square().mean(-1)
    return (apart * target).sum(1) / target.sum(1)
