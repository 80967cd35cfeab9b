"""An engine without a model: it says what the test wants, and remembers what it was asked."""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from functools import cache

import tiny
from memoir.errors import ServerBusy
from memoir.host.texts import Texts
from memoir.server.asked import Load, Piece, Question, Served, Token
from memoir.types import Match

COMMITS = {"main": "a" * 64, "trial": "b" * 64}
EDIT = "e" * 64
FIRED = Match(EDIT, 0.9, 0.5, {"words": ["Acme"]})
MISSED = Match(EDIT, 0.2, 0.5)


@cache
def tiny_texts() -> Texts:
    """Of a model with one token a byte and room for 256."""
    return Texts(tiny.model("llama"), tiny.tokenizer(), "tiny")


@dataclass(frozen=True)
class Reply:
    """What is said to a question.

    Attributes:
        words: one token and one piece each.
        pause: seconds before each.
        error: raised behind the last word, in place of an end.
    """

    words: Sequence[str] = ("Dana", " Reyes", " née", " Ågren")
    pause: float = 0.0
    error: Exception | None = None


class FakeGeneration:
    """Says a reply."""

    def __init__(self, question: Question, reply: Reply) -> None:
        self.question, self.reply = question, reply
        self.commit = COMMITS[question.state]
        self.match: Match | None = None
        self.prompt_tokens, self.completion_tokens = len(question.prompt.prompt), 0
        self.cancelled = 0

    async def __aiter__(self) -> AsyncIterator[Piece]:
        text = tiny_texts().raw(self.question.prompt.prompt)
        sampling, words = self.question.sampling, self.reply.words
        if self.question.edits:
            self.match = FIRED if "Acme" in text else MISSED
        for i, word in enumerate(words[: sampling.max_tokens]):
            await asyncio.sleep(self.reply.pause)
            self.completion_tokens += 1
            token = Token(i, word, -0.5, ((word, -0.5), ("\ufffd", -math.inf)))
            told = () if sampling.likeliest is None else (token,)
            last = i + 1 == min(sampling.max_tokens, len(words)) and self.reply.error is None
            ended = "stop" if len(words) <= sampling.max_tokens else "length"
            yield Piece(word, told, ended if last else None)  # type: ignore[arg-type]
        if self.reply.error is not None:
            raise self.reply.error

    def cancel(self) -> None:
        self.cancelled += 1


class FakeEngine:
    """Serves the branches ``main`` and ``trial``.

    Attributes:
        reply: what is said to a question.
        full: whether no question is taken.
        errors: why branches do not follow their store, by name.
        generations: all there were.
    """

    def __init__(self, reply: Callable[[Question], Reply] = lambda _question: Reply()) -> None:
        self.texts, self.model = tiny_texts(), "tiny"
        self.reply = reply
        self.full = False
        self.errors: dict[str, str] = {}
        self.generations: list[FakeGeneration] = []

    async def ask(self, question: Question) -> FakeGeneration:
        if self.full:
            raise ServerBusy("8 questions wait already.", retry_after=2.5)
        self.generations.append(FakeGeneration(question, self.reply(question)))
        return self.generations[-1]

    def served(self) -> Sequence[Served]:
        return [Served(name, id, 3, 0.5, self.errors.get(name)) for name, id in COMMITS.items()]

    async def reached(self, state: str, commit: str) -> None:
        """At once."""

    def load(self) -> Load:
        return Load(running=2, waiting=1)

    async def close(self, patience: float) -> None:
        """Nothing is left."""

    @property
    def asked(self) -> list[Question]:
        return [each.question for each in self.generations]
