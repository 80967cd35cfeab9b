"""What a store asks of its log, wherever that is."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

from memoir.store.checks import PastCheck
from memoir.store.rows import Move, Row


class Lock(Protocol):
    """Held by the one process that is adding something; may be taken again by who has it."""

    @property
    def lock_file(self) -> str:
        """What is held, as people are told."""

    @property
    def timeout(self) -> float:
        """Seconds to wait for it."""

    @property
    def is_locked(self) -> bool:
        """Whether we hold it."""

    @property
    def lock_counter(self) -> int:
        """How often we have taken it."""

    def acquire(self, *, poll_interval: float) -> Any:
        """Take it.

        Args:
            poll_interval: seconds between two attempts, where there is no queue to wait in.

        Raises:
            filelock.Timeout: another process kept it for longer than we wait.
        """

    def release(self) -> None:
        """Give it back, once it was released as often as it was taken."""


class Ledger(Protocol):
    """Rows and moves that are only ever added, and notes beside them.

    Every function raises StoreError if the log cannot be read or written, and StoreDamaged if it is not
    what it was.

    Attributes:
        engine: the program that keeps it.
    """

    engine: str

    @property
    def place(self) -> str:
        """Where it is, as people are told."""

    def lock(self, patience: float) -> Lock:
        """The lock of all who write to this log."""

    def append(
        self,
        rows: Sequence[Row],
        moves: Sequence[tuple[str, str | None, str]],
        signatures: Mapping[str, str] | None = None,
    ) -> list[Row]:
        """Add rows, and moves as (ref, target, why), all of them or none; durable when this returns.

        Args:
            signatures: of commits that have none yet.

        Raises:
            StoreFull: the disk took no more; the log is as it was.
        """

    def configure(self, key: str, value: str | None) -> None:
        """Keep a setting of the store; None forgets it."""

    def sign(self, commit: str, signature: str) -> None:
        """Keep a commit's signature."""

    def remember(self, answers: Mapping[str, str]) -> None:
        """Keep what a state's questions were answered; see :mod:`memoir.versions.check`."""

    def note_check(self, found: PastCheck) -> None:
        """Keep what a check found; its position is given here."""

    def remembered(self) -> dict[str, str]:
        """Answers that were kept, by question."""

    def checks(
        self, branch: str | None = None, before: int | None = None, most: int = 50
    ) -> list[PastCheck]:
        """What checks found, the newest first.

        Args:
            branch: where; None for everywhere.
            before: position that they lie before; None for the newest.
            most: how many.
        """

    def rows(self, after: int = 0, kind: str | None = None) -> list[Row]:
        """Rows behind a position, in order; all, or those of one kind."""

    def get(self, ids: Iterable[str]) -> dict[str, Row]:
        """The rows with these ids; unknown ones are left out."""

    def beginning(self, prefix: str, kind: str | None = None) -> list[Row]:
        """Rows whose id begins so, in order; all, or those of one kind; at most five."""

    def files(self) -> set[str]:
        """Checksums of all tensor files that rows name."""

    def moves(self, after: int = 0) -> list[Move]:
        """Moves behind a position, in order."""

    def snapshot(self) -> AbstractContextManager[None]:
        """A block in which everything read is of one moment."""

    def config(self) -> dict[str, str]:
        """The store's own settings."""

    def signatures(self) -> dict[str, str]:
        """Signatures by commit."""

    def last(self, table: str) -> int:
        """The highest position that ``log`` or ``moves`` has given; 0 in a new store."""

    def raw(self, table: str, seq: int) -> list[str | None] | None:
        """The columns of ``log`` or ``moves`` behind a position, as they are, also where they are not
        what was written; None if there is no such row.

        Raises:
            StoreDamaged: it cannot be read.
        """

    def check(self) -> list[str]:
        """What the database itself finds wrong."""

    def close(self) -> None:
        """Release what is open."""
