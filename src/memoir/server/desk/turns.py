"""Jobs that are done one after another, in a thread of their own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from memoir.errors import MemoirError, ServerBusy
from memoir.server.desk.jobs import Job
from memoir.server.openai.errors import refusal
from memoir.server.telling.logs import tell_error
from memoir.types import Progress

T = TypeVar("T")


class Turns:
    """A thread that does one job at a time, in the order they were taken in.

    Made, used and closed in one event loop.
    """

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "memoir-desk")
        self._tasks: set[asyncio.Task[None]] = set()
        self._closing = self._giving_up = False

    def take(
        self,
        job: Job,
        work: Callable[[Progress], T],
        after: Callable[[T], Awaitable[Any]] | None = None,
    ) -> None:
        """Do a job when it is its turn.

        Args:
            job: is told how far it is, and how it ended.
            work: what the thread does; it is given where to tell progress.
            after: what follows in the event loop, while the thread goes on with the next job; the job's
                result is what it gives. None: what the work gives.
        """
        task = asyncio.get_running_loop().create_task(self._done(job, work, after))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _done(
        self,
        job: Job,
        work: Callable[[Progress], T],
        after: Callable[[T], Awaitable[Any]] | None,
    ) -> None:
        loop = asyncio.get_running_loop()

        def progress(what: str, done: int, total: int) -> None:
            if self._giving_up:
                raise _closed()
            loop.call_soon_threadsafe(job.progress, what, done, total)

        def turn() -> T:
            if self._closing:
                raise _closed()
            loop.call_soon_threadsafe(job.begin)
            return work(progress)

        try:
            if self._closing:
                raise _closed()
            found = await loop.run_in_executor(self._thread, turn)
            job.finish(found if after is None else await after(found))
        except Exception as error:  # whatever it is, the one who waits is to know it
            if not isinstance(error, MemoirError) or refusal(error) is None:
                tell_error("job failed", error, job=job.id, kind=job.kind, key=job.by)
            job.refuse(error)

    async def close(self, patience: float, last: Callable[[], None]) -> None:
        """Take nothing more, refuse what waits, and wait for the job under way.

        Args:
            patience: seconds after which that one is given up, as a whole, at its next progress.
            last: what the thread does at the end.
        """
        self._closing = True
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=patience)
        self._giving_up = True
        if self._tasks:
            await asyncio.wait(self._tasks)
        await asyncio.get_running_loop().run_in_executor(self._thread, last)
        self._thread.shutdown()


def _closed() -> ServerBusy:
    return ServerBusy(
        "the server is closing; what was not committed yet was not done. Ask again when it is back.",
        retry_after=10.0,
    )
