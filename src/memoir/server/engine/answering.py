"""An answer under way, as the asyncio side sees it.

The engine's thread puts pieces in with :func:`tell`; whoever asked takes them out. A reader that stops
reading, because its client left, cancels the work.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from typing import NamedTuple

from memoir.server.asked import Piece, Question
from memoir.types import Match


class News(NamedTuple):
    """What the engine has to tell about one answer.

    Attributes:
        of: the answer.
        what: the next piece, or why there is none.
        tokens: completion tokens by now.
    """

    of: Answering
    what: Piece | Exception
    tokens: int


class Answering:
    """See :class:`memoir.server.asked.Generation`.

    Args:
        question: what is asked.
        commit: the commit in force when it was asked.
        wake: called when it is cancelled.

    Attributes:
        loop: where it was asked.
        gone: nobody waits for it any more.
    """

    def __init__(self, question: Question, commit: str, wake: Callable[[], None]) -> None:
        self.question = question
        self.commit = commit
        self.match: Match | None = None
        self.prompt_tokens = len(question.prompt.prompt)
        self.completion_tokens = 0
        self.loop = asyncio.get_running_loop()
        self.gone = False
        self._wake = wake
        self._over = False
        self._pieces: asyncio.Queue[Piece | Exception | None] = asyncio.Queue()

    async def __aiter__(self) -> AsyncIterator[Piece]:
        """The pieces as they come; the last one says why it ends."""
        try:
            while not self._over or not self._pieces.empty():
                piece = await self._pieces.get()
                if piece is None or self.gone:
                    return
                if isinstance(piece, Exception):
                    raise piece
                yield piece
        finally:
            self.cancel()

    def cancel(self) -> None:
        """Stop the work; calling it again, or at the end, does nothing."""
        if self._over:
            return
        self._over = self.gone = True
        self._pieces.put_nowait(None)
        self._wake()

    def take(self, news: News) -> None:
        """Take in what the engine tells, in the loop's own thread."""
        if self._over:
            return
        self.completion_tokens = news.tokens
        self._over = isinstance(news.what, Exception) or news.what.finish is not None
        self._pieces.put_nowait(news.what)


def tell(all_news: Sequence[News]) -> None:
    """Hand news to the loops in which their answers are awaited; called in the engine's thread."""
    by_loop: dict[asyncio.AbstractEventLoop, list[News]] = {}
    for news in all_news:
        by_loop.setdefault(news.of.loop, []).append(news)
    for loop, some in by_loop.items():
        _tell(loop, some)


def _tell(loop: asyncio.AbstractEventLoop, some: Sequence[News]) -> None:
    try:
        loop.call_soon_threadsafe(_take_in, some)
    except RuntimeError:  # the loop is closed
        for news in some:
            news.of.gone = True


def _take_in(some: Sequence[News]) -> None:
    for news in some:
        news.of.take(news)
