"""The engine's thread: it takes questions in, reads their prompts, and decodes a token for each.

Between two steps at most one batch of prompts is read, so that answers under way keep flowing.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from memoir.errors import ServerBusy
from memoir.host import Host
from memoir.host.scoped import Joint, Scope, Scoped, joint
from memoir.server.asked import Load, Question, Served
from memoir.server.engine import batch as batches
from memoir.server.engine.answering import Answering, News, tell
from memoir.server.engine.batch import Batch
from memoir.server.engine.branches import Branches
from memoir.server.engine.row import Row
from memoir.server.engine.sampling import choose
from memoir.server.engine.waiting import Expected, Waiting

logger = logging.getLogger(__name__)


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
        self._waiting = Waiting(limits.waiting)
        self._chosen: list[Answering] = []
        self._rows: list[Row] = []
        self._batch: Batch | None = None
        self._news: list[News] = []
        self._next_look = 0.0
        self._seconds = 1.0  # that an answer takes lately
        self._stopping = False
        self._failure: BaseException | None = None
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

    def take(self, question: Question, served: Served) -> Answering:
        """Let a question wait for its turn.

        Raises:
            ServerBusy: too many wait already, or no more are taken.
        """
        answering = Answering(question, served.commit, self._waiting.wake)
        turns = len(self._waiting) / self._limits.rows
        self._waiting.put(answering, min(max(self._seconds * turns, 1.0), 60.0))
        return answering

    def expect(self, expected: Expected) -> None:
        """Look at the log at once, and set a future's result when a commit is in force."""
        self._waiting.expect(expected)

    def drain(self, patience: float) -> None:
        """Take no more questions, and wait for those under way, at most so many seconds."""
        self._waiting.close()
        self._waiting.idle.wait(patience)

    def stop(self) -> None:
        """End the thread; what is still under way ends with :class:`ServerBusy`."""
        self._waiting.close()
        self._stopping = True
        self._waiting.wake()
        self._thread.join()

    def load(self) -> Load:
        """How many questions are under way and wait."""
        return Load(len(self._rows), len(self._waiting))

    def served(self) -> Sequence[Served]:
        """The branches as they were when the log was last looked at."""
        return self._branches.told

    # ------------------------------------------------------------------ the thread

    def _run(self, opened: Callable[[], Branches], ready: threading.Event) -> None:
        try:
            self._branches = opened()
        except BaseException as error:
            self._failure = error
            return
        finally:
            ready.set()
        while not self._stopping:
            self._safe_turn()
        busy = ServerBusy("the server closed before this was done; ask again later.", 5.0)
        self._lose(busy, self._waiting.drop(lambda _: True))
        for each in self._waiting.expected():
            self._branches.expect(each)
        self._branches.close(busy)

    def _safe_turn(self) -> None:
        try:
            self._turn()
        # BaseException: a panic in a tokenizer is no Exception, and may not end this thread.
        except BaseException as error:
            logger.exception("answers under way were lost")
            lost = error if isinstance(error, Exception) else RuntimeError(repr(error))
            self._lose(lost, self._chosen)
            self._chosen = []

    def _turn(self) -> None:
        """Follow the log if it is time, read some prompts, decode a token for all."""
        if not (self._rows or len(self._waiting)):
            self._waiting.rest(self._limits.follow)
        self._follow()
        for each in self._waiting.drop(lambda each: each.gone or self._error(each) is not None):
            error = self._error(each)
            if error is not None:
                self._news.append(News(each, error, 0))
        room = self._limits.rows - len(self._rows)
        self._chosen = self._waiting.take(room, self._held)
        self._settle(*self._read(self._chosen))
        self._chosen = []
        if self._rows:
            self._step()
        tell(self._news)
        self._news = []

    def _follow(self) -> None:
        """Look at the store's log, now and then and when there is reason to."""
        expected = self._waiting.expected()
        for each in expected:
            self._branches.expect(each)
        now = time.monotonic()
        if expected or now >= self._next_look or self._branches.rested:
            self._next_look = now + self._limits.follow
            try:
                self._branches.follow()
            except Exception:  # whoever asks is answered in the state there is
                logger.exception("the log could not be followed")

    def _held(self, answering: Answering) -> bool:
        """Whether a question's branch rests."""
        return self._branches[answering.question.state].rests

    def _error(self, answering: Answering) -> Exception | None:
        """Why a question's branch cannot be asked, if it cannot."""
        return self._branches[answering.question.state].broken

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
        for row in new:
            row.branch.running += 1
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
        self._rows = left

    def _let_go(self, row: Row) -> None:
        row.branch.running -= 1
        self._seconds += 0.1 * (time.monotonic() - row.begun - self._seconds)

    def _step(self) -> None:
        """Decode a token for every row."""
        assert self._batch is not None, "there are rows"
        with joint(_parts(self._rows)):
            batch, logits = batches.step(self._host, self._batch)
        ids, tokens = choose(logits, [row.chooser for row in self._rows])
        self._batch = batch._replace(newest=ids)
        self._hear([row.take(token) for row, token in zip(self._rows, tokens, strict=True)])

    def _hear(self, news: Sequence[News | None]) -> None:
        self._news += [each for each in news if each is not None]

    def _lose(self, error: Exception, more: Sequence[Answering] = ()) -> None:
        """End whatever is under way, and some more, with an error."""
        for row in self._rows:
            row.branch.running -= 1
        lost = {id(each): each for each in (*(row.answering for row in self._rows), *more)}.values()
        self._rows, self._batch = [], None
        tell([*self._news, *(News(each, error, each.completion_tokens) for each in lost)])
        self._news = []


def _parts(rows: Sequence[Row]) -> Joint:
    """Which edits act on which rows."""
    parts: dict[Scoped, dict[int, Scope]] = {}
    for number, row in enumerate(rows):
        if row.scope is not None:
            parts.setdefault(row.branch.attachment, {})[number] = row.scope
    return parts
