"""The desk: takes changes in, has them done one after another, and tells when answers follow them."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from memoir.errors import EditRefused, MemoirError, UnknownName
from memoir.host import Host
from memoir.server.asked import Engine, Question, Sampling
from memoir.server.desk.jobs import Job, Jobs
from memoir.server.desk.looking import Looking
from memoir.server.desk.turns import Turns
from memoir.server.desk.work import Work
from memoir.store import Row, Store
from memoir.store.address import Address
from memoir.types import Edit, Note, Progress, Receipt, Record
from memoir.versions.blame import Blame, traced

T = TypeVar("T")


@dataclass(frozen=True)
class Limits:
    """What the desk takes.

    Attributes:
        waiting: jobs that may wait or run at once.
        kept: jobs that are remembered after their end, with their idempotency keys.
        live: seconds to wait until a change that is committed is answered with.
        patience: seconds to wait for another process that is writing to the store.
    """

    waiting: int = 64
    kept: int = 1000
    live: float = 30.0
    patience: float = 60.0


class Taught(NamedTuple):
    """What came of teaching.

    Attributes:
        results: receipts, and refusals where not all were one change.
        commit: id of the last commit.
        live: whether the next question meets it; False if the engine is still behind.
    """

    results: list[Receipt | EditRefused]
    commit: str
    live: bool


class Reverted(NamedTuple):
    """What came of taking back.

    Attributes:
        row: of the commit that does it.
        live: whether the next question meets it; False if the engine is still behind.
    """

    row: Row
    live: bool


@dataclass(frozen=True)
class Order:
    """Who wants something done, on which branch.

    Attributes:
        branch: one that is served.
        by: the caller's name, which is the author of commits.
        name: what the caller calls this, so that it is done once however often it is asked for.
        content: all that is asked for, to tell whether that is the same.
    """

    branch: str
    by: str
    name: str | None = None
    content: str = ""


class Desk:
    """Edits a store's branches while an engine answers on them.

    Made, used and closed in one event loop.

    Args:
        host: the model, with nothing attached now or later: a twin of the engine's.
        place: where the store is.
        branches: those that are served; the first one is meant where none is named.
        engine: answers questions on them.
        limits: what is taken.
    """

    def __init__(
        self,
        host: Host,
        place: str | Path | Address,
        branches: Sequence[str],
        engine: Engine,
        limits: Limits | None = None,
    ) -> None:
        self._limits = limits or Limits()
        self._branches = tuple(branches)
        self._engine = engine
        self._work = Work(host, place, self._limits.patience)
        self._turns = Turns()
        self._looking = Looking(place)
        self._jobs = Jobs(self._limits.waiting, self._limits.kept)

    def branch(self, name: str | None) -> str:
        """A branch that is served.

        Raises:
            UnknownName: it is not.
        """
        if name is None:
            return self._branches[0]
        if name not in self._branches:
            raise UnknownName.among("served branch", name, self._branches)
        return name

    def job(self, id: str) -> Job:
        """A job that was taken in.

        Raises:
            UnknownName: there is none, or it ended long ago.
        """
        return self._jobs.get(id)

    # ------------------------------------------------------------------ work

    def teach(
        self,
        order: Order,
        records: Sequence[Record],
        message: str = "",
        *,
        together: bool = True,
        force: bool = False,
    ) -> Job:
        """Teach facts; the job's result is :class:`Taught`.

        Args:
            order: who wants it, and where.
            records: the facts.
            message: why.
            together: as one change, or none. Otherwise a fact that is refused stops none of the others.
            force: in spite of objections, which are recorded.

        Raises:
            ServerBusy: too many wait already.
            BadInput: something else was asked for under the order's name.
        """
        note = Note(message, order.by)

        async def after(results: list[Receipt | EditRefused]) -> Taught:
            receipts = [each for each in results if isinstance(each, Receipt)]
            refused = [each for each in results if isinstance(each, EditRefused)]
            if not receipts:
                raise refused[0]
            commit = str(receipts[-1].commit)
            return Taught(results, commit, await self._live(order.branch, commit))

        return self._taken(
            "edit",
            order,
            lambda told: self._work.teach(order.branch, records, note, together, force, told),
            after,
        )

    def revert(self, order: Order, id: str, message: str = "") -> Job:
        """Take an edit back; the job's result is :class:`Reverted`."""
        note = Note(message, order.by)

        async def after(row: Row) -> Reverted:
            return Reverted(row, await self._live(order.branch, row.id))

        return self._taken(
            "revert", order, lambda _told: self._work.revert(order.branch, id, note), after
        )

    def check(self, order: Order, *, unrelated: int = 40, anew: bool = False) -> Job:
        """Ask everything that a branch is held to; the job's result is a
        :class:`memoir.versions.check.Report`."""
        return self._taken(
            "check", order, lambda told: self._work.check(order.branch, unrelated, anew, told)
        )

    def objections(self, order: Order, edits: Sequence[Edit]) -> Job:
        """What there is to say against edits, which are not made; the job's result is a list of
        :class:`memoir.versions.conflicts.Objection`."""
        return self._taken(
            "objections", order, lambda _told: self._work.objections(order.branch, edits)
        )

    def conflicts(self, order: Order) -> Job:
        """Which edits in force contradict one another; the job's result is a list of
        :class:`memoir.versions.conflicting.Contradiction`."""
        return self._taken(
            "conflicts", order, lambda told: self._work.contradictions(order.branch, told)
        )

    def _taken(
        self,
        kind: str,
        order: Order,
        work: Callable[[Progress], T],
        after: Callable[[T], Awaitable[Any]] | None = None,
    ) -> Job:
        if order.name is not None:
            before = self._jobs.again(order.by, order.name, order.content)
            if before is not None:
                return before
        job = Job(kind, order.by, order.branch)
        self._jobs.add(job, order.name, order.content)
        self._turns.take(job, work, after)
        return job

    async def _live(self, branch: str, commit: str) -> bool:
        try:
            await asyncio.wait_for(self._engine.reached(branch, commit), self._limits.live)
        except (asyncio.TimeoutError, MemoirError):  # committed it is, whatever the engine says
            return False
        return True

    # ------------------------------------------------------------------ looking

    async def look(self, look: Callable[[Store], T]) -> T:
        """What a look at the store finds, while changes go on."""
        return await self._looking.at(look)

    async def blame(self, branch: str, prompt: str, chat: bool) -> Blame:
        """Which edit answers a prompt on a branch now, and who made it, when and why.

        Raises:
            BadInput: the prompt is empty or too long, or the model has no chat template.
            ServerBusy: too many questions wait already.
        """
        texts = self._engine.texts
        encoded = (
            texts.encode_chat([{"role": "user", "content": prompt}])
            if chat
            else texts.encode(prompt)
        )
        sampling = Sampling(max_tokens=1, temperature=0.0)
        generation = await self._engine.ask(Question(encoded, sampling, branch))
        async for _ in generation:
            pass
        return await self.look(
            lambda store: traced(store, generation.commit, prompt, generation.match)
        )

    # ------------------------------------------------------------------ the end

    async def close(self, patience: float) -> None:
        """Take nothing more, refuse what waits, and wait for the change under way.

        Args:
            patience: seconds after which that one is given up as a whole.
        """
        await self._turns.close(patience, self._work.close)
        await self._looking.close()
