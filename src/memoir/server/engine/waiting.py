"""What other threads want of the engine's: answers to questions, and commits to be followed."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

from memoir.errors import ServerBusy
from memoir.server.engine.answering import Answering

READ_AT_ONCE = 2048
"""Tokens of prompts, padding counted, that are read in one batch; a longer prompt is read alone."""


class Expected(NamedTuple):
    """Somebody waits for a commit to be in force.

    Attributes:
        branch: where.
        commit: its id.
        future: gets its result then.
    """

    branch: str
    commit: str
    future: asyncio.Future[None]


class Waiting:
    """A bounded queue; every method may be called in any thread.

    Args:
        most: questions that may wait.

    Attributes:
        idle: set while nothing waits or is under way.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._changed = threading.Condition()
        self._questions: deque[Answering] = deque()
        self._expected: list[Expected] = []
        self._closed = False
        self._woken = False
        self.idle = threading.Event()
        self.idle.set()

    def __len__(self) -> int:
        return len(self._questions)

    def put(self, answering: Answering, seconds: float) -> None:
        """Let a question wait for its turn.

        Args:
            answering: the question.
            seconds: after which it is worth trying again, if too many wait.

        Raises:
            ServerBusy: too many wait already, or no more are taken.
        """
        with self._changed:
            self._check_open()
            waiting = len(self._questions)
            if waiting >= self._most:
                raise ServerBusy(
                    f"{waiting} questions wait already, and at most {self._most} may; ask again in "
                    f"{seconds:.0f} s.",
                    seconds,
                )
            self._questions.append(answering)
            self.idle.clear()
        self.wake()

    def expect(self, expected: Expected) -> None:
        """Have a branch followed at once, and a future told.

        Raises:
            ServerBusy: the server is closing.
        """
        with self._changed:
            self._check_open()
            self._expected.append(expected)
        self.wake()

    def expected(self) -> list[Expected]:
        """Those that were added since this was last called."""
        with self._changed:
            new, self._expected = self._expected, []
            return new

    def wake(self) -> None:
        """End :meth:`rest`."""
        with self._changed:
            self._woken = True
            self._changed.notify()

    def rest(self, seconds: float) -> None:
        """Nothing is under way: wait until something changes, at most so many seconds."""
        with self._changed:
            if not self._questions:
                self.idle.set()
            self._changed.wait_for(lambda: self._woken, seconds)
            self._woken = False

    def close(self) -> None:
        """Take no more."""
        with self._changed:
            self._closed = True

    def drop(self, unwanted: Callable[[Answering], bool]) -> list[Answering]:
        """Take out those of a kind."""
        with self._changed:
            dropped = [each for each in self._questions if unwanted(each)]
            for each in dropped:
                self._questions.remove(each)
            return dropped

    def take(self, room: int, held: Callable[[Answering], bool]) -> list[Answering]:
        """Take out those whose prompts are read next, in order.

        Args:
            room: how many may be, at most.
            held: those that must wait on; others overtake them.
        """
        taken: list[Answering] = []
        longest = 0
        with self._changed:
            for each in self._questions:
                if held(each):
                    continue
                longest = max(longest, each.prompt_tokens)
                if len(taken) == room or (taken and longest * (len(taken) + 1) > READ_AT_ONCE):
                    break
                taken.append(each)
            for each in taken:
                self._questions.remove(each)
        return taken

    def _check_open(self) -> None:
        if self._closed:
            raise ServerBusy("the server is closing; ask another one, or this one later.", 5.0)
