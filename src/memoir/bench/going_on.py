"""How an edited text goes on after its target, beside the unedited model on from the same tokens."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

from memoir.host import Host
from memoir.host.answering import answer
from memoir.host.tokens import Encoded
from memoir.metrics.base import GoOn, WentOn

LATER = 20
"""Tokens after the target that are looked at, at most."""

FEWEST = 5
"""Tokens from which repetition can be told."""


class Begun(NamedTuple):
    """A text that says its target.

    Attributes:
        ask: the question.
        text: all that the edited model said.
        start: the prompt and what was said up to the end of the target, as one prompt.
        rest: what the edited model said after it; token ids.
        room: how many tokens the rest could have had.
    """

    ask: GoOn
    text: str
    start: Encoded
    rest: Sequence[int]
    room: int

    @property
    def length(self) -> int:
        """Tokens of the longer continuation with all before it."""
        return len(self.start.prompt) + self.room


def begun(host: Host, ask: GoOn, prompt: Encoded, said: Sequence[int]) -> Begun | WentOn:
    """Part what was said at the end of the target; what became of it, if the target is not there.

    Args:
        host: for its tokenizer.
        ask: the question.
        prompt: the prompt in its setting.
        said: ids that the edited model generated after it.
    """
    said, text = said[: ask.tokens], host.decode(said[: ask.tokens])
    wanted = ask.target.strip().casefold()
    if not wanted or wanted not in text.casefold():
        return WentOn(text)
    ends = range(1, len(said) + 1)
    end = next(end for end in ends if wanted in host.decode(said[:end]).casefold())
    start = Encoded([*prompt.prompt, *said[:end]])
    # The unedited model gets no more room than the edited one had: longer texts repeat more.
    room = min(LATER, ask.tokens - end)
    return Begun(ask, text, start, said[end : end + room], room)


def went_on(host: Host, texts: Sequence[Begun]) -> list[WentOn]:
    """What became of some texts, in one batch. Whoever calls has switched the edits off."""
    starts = [text.start for text in texts]
    generated = host.generate(starts, max(text.room for text in texts))
    pairs = [(text.rest, own[: text.room]) for text, own in zip(texts, generated, strict=True)]
    # An empty continuation has no surprise and cannot be fed.
    fed = answer(host, starts, [[each for each in pair if each] for pair in pairs], 0)
    found = []
    for text, pair, answered in zip(texts, pairs, fed, strict=True):
        losses = iter(score.loss for score in answered.scores)
        nll, unedited_nll = (next(losses) if each else None for each in pair)
        repeated, unedited_repeated = (repetition(each) for each in pair)
        found.append(WentOn(text.text, repeated, unedited_repeated, nll, unedited_nll, said=True))
    return found


def repetition(ids: Sequence[int]) -> float | None:
    """Share of the bigrams that occurred before, 0..1; None for fewer than :data:`FEWEST` tokens."""
    if len(ids) < FEWEST:
        return None
    bigrams = list(pairwise(ids))
    return 1 - len(set(bigrams)) / len(bigrams)
