"""Answers under way: asked side by side, read as their pieces come, and stopped with their request."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Sequence
from typing import NamedTuple, TypeVar

import anyio
from fastapi import Request

from memoir.server.asked import Engine, Generation, Piece, Question, Token
from memoir.server.openai.errors import Refusal
from memoir.server.telling.answered import Answered, Told
from memoir.server.telling.record import Record
from memoir.server.telling.watching import LEFT

T = TypeVar("T")


class Whole(NamedTuple):
    """An answer at its end.

    Attributes:
        text: all of it.
        tokens: given if log-probabilities were asked for.
        finish: ``stop`` or ``length``.
    """

    text: str
    tokens: tuple[Token, ...]
    finish: str


class Answers:
    """The answers to one request. Closed by whoever began them, whatever happens.

    Args:
        generations: the work on each.
        questions: what was asked, in the same order.
        each: how many of them have the same prompt, one behind the other.
        deadline: when they are given up, on the event loop's clock.
        timeout: seconds until then, from the beginning.
        record: remembers them.
        told: what the log says of the request.
    """

    def __init__(
        self,
        generations: Sequence[Generation],
        questions: Sequence[Question],
        each: int,
        deadline: float,
        timeout: float,
        record: Record,
        told: Told,
    ) -> None:
        self.generations, self.questions, self.each = generations, questions, each
        self._deadline, self._timeout = deadline, timeout
        self._record, self._told = record, told
        self._began = time.monotonic()
        self._first: dict[int, float] = {}
        self._ended: dict[int, tuple[float, str]] = {}
        self._coming: dict[asyncio.Task[Piece], int] = {}
        self._closed = False

    async def pieces(self) -> AsyncIterator[tuple[int, Piece]]:
        """The pieces as they come, each with the number of its answer.

        Raises:
            Refusal: 408 at the deadline.
        """
        iterators = [aiter(generation) for generation in self.generations]
        for i, iterator in enumerate(iterators):
            self._await(i, iterator)
        while self._coming:
            left = self._deadline - asyncio.get_running_loop().time()
            done, _ = await asyncio.wait(
                self._coming, timeout=max(0.0, left), return_when=asyncio.FIRST_COMPLETED
            )
            if not done:
                raise timed_out(self._timeout)
            for task in sorted(done, key=self._coming.__getitem__):
                i, piece = self._coming.pop(task), task.result()
                self._first.setdefault(i, time.monotonic() - self._began)
                if piece.finish is None:
                    self._await(i, iterators[i])
                else:
                    self._ended[i] = (time.monotonic() - self._began, piece.finish)
                yield i, piece

    def _await(self, i: int, iterator: AsyncIterator[Piece]) -> None:
        task = asyncio.ensure_future(_next(iterator))
        # One error is told; asyncio would complain of others at the same moment.
        task.add_done_callback(lambda done: done.cancelled() or done.exception())
        self._coming[task] = i

    async def whole(self) -> list[Whole]:
        """All answers, at their end.

        Raises:
            Refusal: 408 at the deadline.
        """
        pieces: list[list[Piece]] = [[] for _ in self.generations]
        async for i, piece in self.pieces():
            pieces[i].append(piece)
        return [
            Whole(
                "".join(piece.text for piece in each),
                tuple(token for piece in each for token in piece.tokens),
                str(each[-1].finish),
            )
            for each in pieces
        ]

    def usage(self) -> dict[str, int]:
        """Tokens so far; a prompt counts once, however many answers it has."""
        prompt = sum(each.prompt_tokens for each in self.generations[:: self.each])
        completion = sum(each.completion_tokens for each in self.generations)
        return {
            "prompt_tokens": prompt,
            "completion_tokens": completion,
            "total_tokens": prompt + completion,
        }

    def close(self) -> None:
        """Stop what is still at work, and remember how it went; again does nothing."""
        if self._closed:
            return
        self._closed = True
        for task in self._coming:
            task.cancel()
        for i, (generation, question) in enumerate(
            zip(self.generations, self.questions, strict=True)
        ):
            generation.cancel()
            now = time.monotonic() - self._began
            seconds, finish = self._ended.get(i, (now, "cancelled"))
            answer = Answered(
                time.time() - now,
                question.state,
                seconds,
                self._first.get(i),
                generation.prompt_tokens,
                generation.completion_tokens,
                generation.match,
                finish,
            )
            counted = 0 if i % self.each else generation.prompt_tokens
            self._record.answered(answer, counted, self._told)


async def begin(
    engine: Engine,
    questions: Sequence[Question],
    each: int,
    timeout: float,
    record: Record,
    told: Told,
) -> Answers:
    """Ask questions, all of them or none.

    Args:
        engine: answers them.
        questions: what is asked.
        each: how many of them have the same prompt, one behind the other.
        timeout: seconds until they are given up.
        record, told: where the answers are remembered.

    Raises:
        ServerBusy: too many wait already.
        Refusal: 408, if they could not even be asked in time.
    """
    deadline = asyncio.get_running_loop().time() + timeout
    generations: list[Generation] = []
    try:
        with anyio.fail_after(timeout):
            for question in questions:
                generations.append(await engine.ask(question))  # noqa: PERF401 to stop them below
    except BaseException as error:
        for generation in generations:
            generation.cancel()
        if isinstance(error, TimeoutError):
            raise timed_out(timeout) from None
        raise
    return Answers(generations, questions, each, deadline, timeout, record, told)


async def while_there(request: Request, work: Awaitable[T]) -> T:
    """Do some work for a client, and give it up when the client leaves.

    Raises:
        Refusal: the client left, and nobody reads this.
    """
    doing = asyncio.ensure_future(work)
    leaving = asyncio.ensure_future(_left(request))
    try:
        await asyncio.wait((doing, leaving), return_when=asyncio.FIRST_COMPLETED)
        if not doing.done():
            raise Refusal(LEFT, "the client left.", code="client_left")
        return doing.result()
    finally:
        doing.cancel()
        leaving.cancel()


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def _next(pieces: AsyncIterator[Piece]) -> Piece:
    return await anext(pieces)


def timed_out(seconds: float) -> Refusal:
    """What a client is told at the deadline."""
    return Refusal(
        408,
        f"the answer did not come to its end within {seconds:g} s; ask for fewer tokens, or try again "
        "when the server is less busy.",
        type="timeout_error",
        code="timeout",
    )
