"""The engine's thread: it takes questions in, reads their prompts, and decodes a token for each.

Between two steps at most one batch of prompts is read, so that answers under way keep flowing.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from memoir.errors import ServerBusy
from memoir.host import Host
from memoir.host.scoped import Joint, Scope, Scoped, apart, joint
from memoir.server.asked import Load, Served
from memoir.server.engine import batch as batches
from memoir.server.engine.answering import Answering, News, tell
from memoir.server.engine.batch import Batch
from memoir.server.engine.branches import Branches
from memoir.server.engine.row import Row
from memoir.server.engine.sampling import choose

logger = logging.getLogger(__name__)

READ_AT_ONCE = 2048
"""Tokens of prompts, padding counted, that are read in one batch; a longer prompt is read alone."""


@dataclass(frozen=True)
class Limits:
    """Bounds of an engine.

    Attributes:
        rows: questions answered side by side, at most.
        waiting: questions that wait for their turn, at most.
        follow: seconds between two looks at the store's log.
    """

    rows: int = 32
    waiting: int = 64
    follow: float = 0.25


class Loop:
    """A thread that answers questions until :meth:`stop`.

    Args:
        host: the model.
        opened: opens the branches; called in the thread, where whatever it attaches will act.
        limits: see the class.

    Raises:
        MemoirError: the branches cannot be opened.
    """

    def __init__(self, host: Host, opened: Callable[[], Branches], limits: Limits) -> None:
        self._host = host
        self._limits = limits
        self._changed = threading.Condition()
        self._waiting: deque[Answering] = deque()
        self._asked: list[tuple[str, str, asyncio.Future[None]]] = []
        self._rows: list[Row] = []
        self._batch: Batch | None = None
        self._parts: Joint = {}
        self._news: list[News] = []
        self._told: Sequence[Served] = ()
        self._next_look = 0.0
        self._seconds = 1.0  # from the first token of an answer to its last, lately
        self._closing = self._stopping = False
        self._failure: BaseException | None = None
        self.idle = threading.Event()
        self.idle.set()
        ready = threading.Event()
        self._thread = threading.Thread(
            target=self._run, args=(opened, ready), name="memoir-engine", daemon=True
        )
        self._thread.start()
        ready.wait()
        if self._failure is not None:
            self._thread.join()
            raise self._failure

    # ------------------------------------------------------------------ called in other threads

    def take(self, answering: Answering) -> None:
        """Let a question wait for its turn.

        Raises:
            ServerBusy: too many wait already, or no more are taken.
        """
        with self._changed:
            if self._closing:
                raise ServerBusy("the server is closing; ask another one, or this one later.", 5.0)
            waiting, most = len(self._waiting), self._limits.waiting
            if waiting >= most:
                raise ServerBusy(
                    f"{waiting} questions wait already, and at most {most} may; ask again in "
                    f"{self._retry_after():.0f} s.",
                    self._retry_after(),
                )
            self._waiting.append(answering)
            self.idle.clear()
            self._changed.notify()

    def expect(self, name: str, commit: str, future: asyncio.Future[None]) -> None:
        """Set a future's result once questions on a branch begin with a commit."""
        with self._changed:
            if self._closing:
                raise ServerBusy("the server is closing; ask another one, or this one later.", 5.0)
            self._asked.append((name, commit, future))
            self._changed.notify()

    def wake(self) -> None:
        """Look at once what changed."""
        with self._changed:
            self._changed.notify()

    def refuse(self) -> None:
        """Take no more questions."""
        with self._changed:
            self._closing = True

    def stop(self) -> None:
        """End the thread; what is still under way ends with :class:`ServerBusy`."""
        with self._changed:
            self._closing = self._stopping = True
            self._changed.notify()
        self._thread.join()

    def load(self) -> Load:
        """How many questions are under way and wait."""
        return Load(len(self._rows), len(self._waiting))

    def served(self) -> Sequence[Served]:
        """The branches as they were when the log was last looked at."""
        return self._told

    def _retry_after(self) -> float:
        """Seconds until about all that wait now have begun."""
        turns = len(self._waiting) / self._limits.rows
        return min(max(self._seconds * turns, 1.0), 60.0)

    # ------------------------------------------------------------------ the thread

    def _run(self, opened: Callable[[], Branches], ready: threading.Event) -> None:
        with apart():
            try:
                self._branches = opened()
                self._told = self._branches.told
            except BaseException as error:
                self._failure = error
                return
            finally:
                ready.set()
            while not self._stopping:
                self._safe_turn()
            self._lose(ServerBusy("the server closed before the answer was complete.", 5.0))
            self._branches.close([future for _, _, future in self._asked])

    def _safe_turn(self) -> None:
        try:
            self._turn()
        except Exception as error:
            logger.exception("answers under way were lost")
            self._lose(error)

    def _turn(self) -> None:
        """Follow the log if it is time, read some prompts, decode a token for all."""
        self._rest()
        self._follow()
        self._drop_waiting()
        begun = self._read(self._chosen())
        self._settle(*begun)
        if self._rows:
            self._step()
        tell(self._news)
        self._news = []

    def _rest(self) -> None:
        """Wait until there is something to do."""
        with self._changed:
            if not (self._rows or self._waiting):
                self.idle.set()
            held = not self._rows and all(self._held(each) for each in self._waiting)
            if held and not (self._asked or self._stopping or self._branches.rested):
                self._changed.wait(self._limits.follow)

    def _held(self, answering: Answering) -> bool:
        """Whether a question's branch rests."""
        return self._branches[answering.question.state].rests and not answering.gone

    def _follow(self) -> None:
        with self._changed:
            asked, self._asked = self._asked, []
        for each in asked:
            self._branches.expect(*each)
        now = time.monotonic()
        if asked or now >= self._next_look or self._branches.rested:
            self._branches.follow()
            self._told = self._branches.told
            self._next_look = now + self._limits.follow

    def _drop_waiting(self) -> None:
        """Forget questions that nobody waits for, and those whose branch cannot be asked."""
        with self._changed:
            some = list(self._waiting)
            for each in some:
                broken = self._branches[each.question.state].broken
                if broken is not None:
                    self._news.append(News(each, broken, 0))
                if broken is not None or each.gone:
                    self._waiting.remove(each)

    def _chosen(self) -> list[Answering]:
        """Those whose prompts are read next: in order, as many as fit, none whose branch rests."""
        chosen: list[Answering] = []
        with self._changed:
            room = self._limits.rows - len(self._rows)
            longest = 0
            for each in list(self._waiting):
                longest = max(longest, each.prompt_tokens)
                full = len(chosen) >= room
                if full or (chosen and longest * (len(chosen) + 1) > READ_AT_ONCE):
                    break
                if not self._held(each):
                    chosen.append(each)
            for each in chosen:
                self._waiting.remove(each)
        return chosen

    def _read(self, chosen: Sequence[Answering]) -> tuple[list[Row], Batch | None]:
        """Read prompts; their rows, each with its first token."""
        if not chosen:
            return [], None
        try:
            rows = [Row(each, self._branches[each.question.state], self._host) for each in chosen]
            with joint(_parts(rows)):
                batch, logits = batches.begin(self._host, [each.question.prompt for each in chosen])
            for row in rows:
                row.judged()
            ids, tokens = choose(logits, [row.chooser for row in rows])
            news = [row.take(token) for row, token in zip(rows, tokens, strict=True)]
        except Exception as error:
            if len(chosen) > 1:
                # One that cannot be read, say because its edit's file is damaged, stops no other.
                return self._read_alone(chosen)
            self._news.append(News(chosen[0], error, 0))
            return [], None
        for row in rows:
            row.branch.running += 1
        self._hear(news)
        return rows, batch._replace(newest=ids)

    def _read_alone(self, chosen: Sequence[Answering]) -> tuple[list[Row], Batch | None]:
        """Read each prompt by itself."""
        begun = [self._read([each]) for each in chosen]
        rows = [row for some, _ in begun for row in some]
        some = [(batch, [0]) for _, batch in begun if batch is not None]
        return rows, batches.joined(some) if some else None

    def _settle(self, new: Sequence[Row], begun: Batch | None) -> None:
        """Let rows go that need no more tokens, and let new ones join."""
        parts = [(self._batch, self._rows), (begun, new)]
        self._rows = [*self._rows, *new]
        left = [row for row in self._rows if row.goes_on]
        if not new and len(left) == len(self._rows):
            return
        taken = [
            (batch, [number for number, row in enumerate(some) if row.goes_on])
            for batch, some in parts
            if batch is not None
        ]
        self._batch = batches.joined(taken) if left else None
        for row in self._rows:
            if not row.goes_on:
                self._let_go(row)
        self._rows, self._parts = left, _parts(left)

    def _let_go(self, row: Row) -> None:
        row.branch.running -= 1
        self._seconds += 0.1 * (time.monotonic() - row.begun - self._seconds)

    def _step(self) -> None:
        """Decode a token for every row."""
        assert self._batch is not None, "there are rows"
        with joint(self._parts):
            batch, logits = batches.step(self._host, self._batch)
        ids, tokens = choose(logits, [row.chooser for row in self._rows])
        self._batch = batch._replace(newest=ids)
        self._hear([row.take(token) for row, token in zip(self._rows, tokens, strict=True)])

    def _hear(self, news: Sequence[News | None]) -> None:
        self._news += [each for each in news if each is not None]

    def _lose(self, error: Exception) -> None:
        """End whatever is under way, and what waits if the thread ends, with an error."""
        lost = [row.answering for row in self._rows]
        for row in self._rows:
            row.branch.running -= 1
        self._rows, self._batch, self._parts = [], None, {}
        if self._stopping:
            with self._changed:
                lost += self._waiting
                self._waiting.clear()
        tell([*self._news, *(News(each, error, each.completion_tokens) for each in lost)])
        self._news = []


def _parts(rows: Sequence[Row]) -> Joint:
    """Which edits act on which rows."""
    parts: dict[Scoped, dict[int, Scope]] = {}
    for number, row in enumerate(rows):
        if row.scope is not None:
            parts.setdefault(row.branch.attachment, {})[number] = row.scope
    return parts
