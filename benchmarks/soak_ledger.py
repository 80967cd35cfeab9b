"""What a server acknowledged, kept by those who asked it."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from soak_facts import Fact

State = Literal["asked", "in force", "asked back", "taken back", "refused"]


@dataclass
class Taught:
    """A fact that a client wanted taught; only that client changes this.

    Attributes:
        fact: it.
        change: number of the change it was a part of.
        id: of the edit, once it was told.
        state: ``asked`` and ``asked back`` until an answer comes, which it never does from a server
            that died: then either may have happened.
    """

    fact: Fact
    change: int
    id: str | None = None
    state: State = "asked"


class Ledger:
    """Everything that was acknowledged, and every answer that should not have come."""

    def __init__(self) -> None:
        self.taught: list[Taught] = []
        self.answers: Counter[tuple[str, int]] = Counter()
        self.unexpected: list[str] = []
        self._changes = 0
        self._lock = threading.Lock()

    def asked(self, facts: Sequence[Fact]) -> list[Taught]:
        """Facts that are about to be taught as one change."""
        with self._lock:
            entries = [Taught(fact, self._changes) for fact in facts]
            self._changes += 1
            self.taught += entries
        return entries

    def answered(self, what: str, status: int) -> None:
        """Count an answer; 0 for one that the client did not wait for."""
        with self._lock:
            self.answers[what, status] += 1

    def surprise(self, what: str) -> None:
        """Note something that should not have happened."""
        with self._lock:
            self.unexpected.append(what)

    def in_state(self, *states: State) -> list[Taught]:
        """Entries that ended so."""
        return [each for each in self.taught if each.state in states]

    def mistakes(self, live: Iterable[tuple[str, Fact]]) -> list[str]:
        """Where the edits in force are not those that were acknowledged.

        Args:
            live: id and fact of each edit in force.
        """
        found = dict(live)
        there = Counter(found.values())
        wrong = [f"in force {n} times: {fact}" for fact, n in there.items() if n > 1]
        open_: dict[int, set[bool]] = {}
        for entry in self.taught:
            held = found.get(entry.id) == entry.fact if entry.id else entry.fact in there
            if entry.state == "in force" and not held:
                wrong.append(f"lost: {entry.fact}")
            elif entry.state == "taken back" and held:
                wrong.append(f"in force again: {entry.fact}")
            elif entry.state == "refused" and held:
                wrong.append(f"in force, but refused: {entry.fact}")
            elif entry.state == "asked":
                open_.setdefault(entry.change, set()).add(held)
        wrong += [f"half of change {n} is in force" for n, held in open_.items() if len(held) > 1]
        known = {entry.fact for entry in self.taught}
        return wrong + [f"nobody taught: {fact}" for fact in there if fact not in known]
