"""Work that was taken in: what became of it so far, and how it ended. Lives in one event loop."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from typing import Any, Literal, NamedTuple

from memoir.errors import BadInput, ServerBusy, UnknownName

Status = Literal["waiting", "running", "done", "refused"]


class Event(NamedTuple):
    """Something that happened to a job.

    Attributes:
        number: from 0.
        kind: ``progress``, ``done`` or ``refused``; nothing follows the last two.
        told: what and how much is done; for ``done`` nothing.
    """

    number: int
    kind: Literal["progress", "done", "refused"]
    told: dict[str, Any]


class Job:
    """One piece of work.

    Args:
        kind: the work: ``edit``, ``revert``, ``check``, ``conflicts`` or ``objections``.
        by: name of who asked for it.
        branch: where it is done.

    Attributes:
        id: 32 hex digits.
        status: how far it is.
        result: what came of it, once it is done.
        error: why it was refused, once it was.
        events: all that happened, in order.
    """

    def __init__(self, kind: str, by: str, branch: str) -> None:
        self.id = secrets.token_hex(16)
        self.kind, self.by, self.branch = kind, by, branch
        self.status: Status = "waiting"
        self.result: Any = None
        self.error: Exception | None = None
        self.events: list[Event] = []
        self._news = asyncio.Event()

    @property
    def ended(self) -> bool:
        """Whether nothing will happen to it any more."""
        return self.status in ("done", "refused")

    def begin(self) -> None:
        """It is its turn."""
        self.status = "running"

    def progress(self, what: str, done: int, total: int) -> None:
        """Tell how far it is."""
        self._tell("progress", {"what": what, "done": done, "total": total})

    def finish(self, result: Any) -> None:
        """End it with what came of it."""
        self.status, self.result = "done", result
        self._tell("done", {})

    def refuse(self, error: Exception) -> None:
        """End it with why nothing came of it."""
        self.status, self.error = "refused", error
        self._tell("refused", {})

    async def outcome(self) -> Any:
        """Its result, as soon as there is one.

        Raises:
            Exception: what it was refused for.
        """
        async for _ in self.follow(len(self.events)):
            pass
        if self.error is not None:
            raise self.error
        return self.result

    async def follow(self, first: int = 0) -> AsyncIterator[Event]:
        """What happened and what happens, up to its end.

        Args:
            first: number of the first event that is wanted.
        """
        while True:
            while first < len(self.events):
                yield self.events[first]
                first += 1
            if self.ended:
                return
            await self._news.wait()

    def _tell(self, kind: Literal["progress", "done", "refused"], told: dict[str, Any]) -> None:
        self.events.append(Event(len(self.events), kind, told))
        news, self._news = self._news, asyncio.Event()
        news.set()


class Jobs:
    """Jobs by id, and by what callers named them so that none is done twice.

    Args:
        waiting: jobs that may wait or run at once.
        kept: jobs that are remembered after their end; the oldest are forgotten first.
    """

    def __init__(self, waiting: int, kept: int) -> None:
        self._waiting, self._kept = waiting, kept
        self._jobs: dict[str, Job] = {}
        self._named: dict[tuple[str, str], tuple[str, Job]] = {}

    def under_way(self) -> int:
        """How many wait or run."""
        return sum(not job.ended for job in self._jobs.values())

    def get(self, id: str) -> Job:
        """A job.

        Raises:
            UnknownName: there is none, or it ended long ago.
        """
        if id not in self._jobs:
            raise UnknownName(
                f"no job '{id}'; a job is known to the server that took it, until the server ends or "
                f"{self._kept} others were done after it."
            )
        return self._jobs[id]

    def again(self, by: str, name: str, content: str) -> Job | None:
        """The job that a caller named so before; None for a new name.

        Args:
            by: the caller.
            name: what the caller calls the job (its ``Idempotency-Key``).
            content: all that the caller asks for.

        Raises:
            BadInput: something else was asked for under that name.
        """
        if (by, name) not in self._named:
            return None
        before, job = self._named[by, name]
        if before != content:
            raise BadInput(
                f"Idempotency-Key '{name}' was given with another request before; give each change a "
                "key of its own, and repeat a request as it was."
            )
        return job

    def add(self, job: Job, name: str | None = None, content: str = "") -> None:
        """Take a job in.

        Raises:
            ServerBusy: too many wait already.
        """
        if self.under_way() >= self._waiting:
            raise ServerBusy(
                f"{self._waiting} changes and checks wait already; nothing was taken in. Try later.",
                retry_after=2.0,
            )
        self._jobs[job.id] = job
        if name is not None:
            self._named[job.by, name] = (content, job)
        self._forget()

    def _forget(self) -> None:
        ended = [id for id, job in self._jobs.items() if job.ended]
        for id in ended[: max(0, len(ended) - self._kept)]:
            del self._jobs[id]
        self._named = {name: kept for name, kept in self._named.items() if kept[1].id in self._jobs}
