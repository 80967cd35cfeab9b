"""The log: two append-only SQLite tables that are the only source of truth.

A row is never changed or deleted (triggers refuse it); taking an edit back adds a row, and so does
giving a name to another commit. The database runs in WAL mode with synchronous=FULL, so what is
appended is on disk before the append returns, and readers are never blocked.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from filelock import BaseFileLock, FileLock

from memoir.errors import NotAStore, StoreDamaged, StoreError, StoreFull
from memoir.store import checks
from memoir.store.checks import PastCheck
from memoir.store.migrations import CHECKS, FORMAT, migrate
from memoir.store.rows import Move, Row, chained, now

SCHEMA = f"""
PRAGMA journal_mode = WAL;
BEGIN;
CREATE TABLE log (
    seq    INTEGER PRIMARY KEY AUTOINCREMENT,
    id     TEXT NOT NULL UNIQUE,    -- SHA-256 of the columns below
    kind   TEXT NOT NULL,           -- settings, edit, commit
    time   TEXT NOT NULL,           -- UTC, ISO 8601
    body   TEXT NOT NULL,           -- JSON
    sha256 TEXT                     -- of the tensor file
);
CREATE TABLE moves (
    seq    INTEGER PRIMARY KEY AUTOINCREMENT,
    ref    TEXT NOT NULL,           -- branch/NAME, tag/NAME, HEAD
    target TEXT,                    -- a commit; of HEAD, a branch; NULL: the name is gone
    time   TEXT NOT NULL,
    why    TEXT NOT NULL,
    chain  TEXT NOT NULL            -- SHA-256 of the chain before and of this move
);
CREATE TABLE config (key TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE signatures (commit_id TEXT PRIMARY KEY, signature TEXT NOT NULL);
CREATE TABLE checked (question TEXT PRIMARY KEY, answer TEXT NOT NULL);
{CHECKS}
CREATE INDEX log_by_kind ON log (kind, seq);
CREATE TRIGGER log_keeps_rows BEFORE DELETE ON log
    BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
CREATE TRIGGER log_keeps_values BEFORE UPDATE ON log
    BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
CREATE TRIGGER moves_keep_rows BEFORE DELETE ON moves
    BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
CREATE TRIGGER moves_keep_values BEFORE UPDATE ON moves
    BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
PRAGMA user_version = {FORMAT};
COMMIT;
"""
_ROW = "seq, id, kind, time, body, sha256"
_COLUMNS = {
    "log": ("id", "kind", "time", "body", "sha256"),
    "moves": ("ref", "target", "time", "why", "chain"),
}
_AT_ONCE = 500
"""Ids asked for in one query."""


class Log:
    """The tables in one file; one of an earlier format is brought to this one.

    Raises:
        NotAStore: the file is no log, or of a later format.
        StoreDamaged: SQLite cannot read it.
    """

    engine = "SQLite"

    def __init__(self, path: Path) -> None:
        self._path = path
        self._database = sqlite3.connect(path, timeout=30, isolation_level=None)
        with self._explaining():
            self._database.execute("PRAGMA synchronous = FULL")
            (version,) = self._database.execute("PRAGMA user_version").fetchone()
        if 0 < version < FORMAT:
            with self._explaining():
                migrate(self._database, version, path.parent)
        elif version != FORMAT:
            raise NotAStore(
                f"{path} has log format {version}, but this version of memoir reads 1 to {FORMAT}."
            )

    @staticmethod
    def create(path: Path) -> None:
        """Make an empty log.

        Raises:
            StoreFull: the disk took no more.
        """
        database = sqlite3.connect(path, isolation_level=None)
        try:
            database.executescript(SCHEMA)
        except sqlite3.Error as error:
            raise explained(path, error) from error
        finally:
            database.close()

    @property
    def place(self) -> str:
        """The file."""
        return str(self._path)

    def lock(self, patience: float) -> BaseFileLock:
        """The lock of all who write to this log."""
        return FileLock(self._path.with_name("write.lock"), timeout=patience)

    # ------------------------------------------------------------------ writing

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
        with self._explaining(), self._transaction():
            stored = [self._insert(row) for row in rows]
            for ref, target, why in moves:
                self._move(ref, target, why)
            self._database.executemany(
                "INSERT OR IGNORE INTO signatures VALUES (?, ?)", (signatures or {}).items()
            )
        return stored

    def _insert(self, row: Row) -> Row:
        cursor = self._database.execute(
            "INSERT INTO log (id, kind, time, body, sha256) VALUES (?, ?, ?, ?, ?)",
            (row.id, row.kind, row.time, json.dumps(row.body, ensure_ascii=False), row.sha256),
        )
        return replace(row, seq=int(cursor.lastrowid or 0))

    def _move(self, ref: str, target: str | None, why: str) -> None:
        last = self._database.execute(
            "SELECT chain FROM moves ORDER BY seq DESC LIMIT 1"
        ).fetchone()
        time = now()
        self._database.execute(
            "INSERT INTO moves (ref, target, time, why, chain) VALUES (?, ?, ?, ?, ?)",
            (ref, target, time, why, chained(last[0] if last else "", ref, target, time, why)),
        )

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._database.execute("COMMIT")
        except BaseException:
            if self._database.in_transaction:
                self._database.execute("ROLLBACK")
            raise

    def configure(self, key: str, value: str | None) -> None:
        """Keep a setting of the store; None forgets it."""
        with self._explaining(), self._transaction():
            self._database.execute("DELETE FROM config WHERE key = ?", (key,))
            if value is not None:
                self._database.execute("INSERT INTO config VALUES (?, ?)", (key, value))

    def sign(self, commit: str, signature: str) -> None:
        """Keep a commit's signature."""
        with self._explaining():
            self._database.execute(
                "INSERT OR REPLACE INTO signatures VALUES (?, ?)", (commit, signature)
            )

    def remember(self, answers: Mapping[str, str]) -> None:
        """Keep what a state's questions were answered; see :mod:`memoir.versions.check`."""
        with self._explaining(), self._transaction():
            self._database.executemany(
                "INSERT OR REPLACE INTO checked VALUES (?, ?)", answers.items()
            )

    def note_check(self, found: PastCheck) -> None:
        """Keep what a check found; its position is given here."""
        with self._explaining():
            self._database.execute(
                f"INSERT INTO checks ({checks.COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                found.columns,
            )

    # ------------------------------------------------------------------ reading

    def remembered(self) -> dict[str, str]:
        """Answers that were kept, by question."""
        with self._explaining():
            return dict(self._database.execute("SELECT question, answer FROM checked"))

    def checks(
        self, branch: str | None = None, before: int | None = None, most: int = 50
    ) -> list[PastCheck]:
        """What checks found, the newest first; see :meth:`memoir.store.ledger.Ledger.checks`."""
        which, given = checks.wanted(branch, before, "?")
        with self._explaining():
            found = self._database.execute(
                f"SELECT seq, {checks.COLUMNS} FROM checks {which} ORDER BY seq DESC LIMIT ?",
                (*given, most),
            )
            return [PastCheck(*each) for each in found]

    def rows(self, after: int = 0, kind: str | None = None) -> list[Row]:
        """Rows behind a position, in order; all, or those of one kind."""
        which = "AND kind = ?" if kind else ""
        return self._rows(
            f"SELECT {_ROW} FROM log WHERE seq > ? {which} ORDER BY seq",
            (after, kind) if kind else (after,),
        )

    def get(self, ids: Iterable[str]) -> dict[str, Row]:
        """The rows with these ids; unknown ones are left out."""
        todo, found = list(ids), {}
        for start in range(0, len(todo), _AT_ONCE):
            some = todo[start : start + _AT_ONCE]
            marks = ", ".join("?" * len(some))
            for row in self._rows(f"SELECT {_ROW} FROM log WHERE id IN ({marks})", some):
                found[row.id] = row
        return found

    def beginning(self, prefix: str, kind: str | None = None) -> list[Row]:
        """Rows whose id begins so, in order; all, or those of one kind; at most five."""
        which = "AND kind = ?" if kind else ""
        return self._rows(
            f"SELECT {_ROW} FROM log WHERE id >= ? AND id < ? {which} ORDER BY seq LIMIT 5",
            (prefix, prefix + "g", *([kind] if kind else [])),  # the digits end with f
        )

    def files(self) -> set[str]:
        """Checksums of all tensor files that rows name."""
        with self._explaining():
            found = self._database.execute("SELECT sha256 FROM log WHERE sha256 IS NOT NULL")
            return {sha256 for (sha256,) in found}

    def moves(self, after: int = 0) -> list[Move]:
        """Moves behind a position, in order."""
        with self._explaining():
            found = self._database.execute(
                "SELECT seq, ref, target, time, why, chain FROM moves WHERE seq > ? ORDER BY seq",
                (after,),
            )
            return [Move(*each) for each in found]

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """A block in which everything read is of one moment."""
        if self._database.in_transaction:
            yield
            return
        with self._explaining():
            self._database.execute("BEGIN")
        try:
            yield
        finally:
            self._database.execute("COMMIT")

    def config(self) -> dict[str, str]:
        """The store's own settings."""
        with self._explaining():
            return dict(self._database.execute("SELECT key, value FROM config ORDER BY key"))

    def signatures(self) -> dict[str, str]:
        """Signatures by commit."""
        with self._explaining():
            return dict(self._database.execute("SELECT commit_id, signature FROM signatures"))

    def _rows(self, query: str, given: Sequence[Any]) -> list[Row]:
        with self._explaining():
            return [
                Row(seq, id, kind, time, json.loads(body), sha256)
                for seq, id, kind, time, body, sha256 in self._database.execute(query, given)
            ]

    def last(self, table: str) -> int:
        """The highest position that ``log`` or ``moves`` has given; 0 in a new store."""
        with self._explaining():
            found = self._database.execute(
                "SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)
            )
            return int((found.fetchone() or (0,))[0])

    def raw(self, table: str, seq: int) -> list[str | None] | None:
        """The columns of ``log`` or ``moves`` behind a position, as they are, also where they are not
        what was written; None if there is no such row.

        Raises:
            StoreDamaged: it cannot be read.
        """
        columns = ", ".join(f"CAST({name} AS BLOB)" for name in _COLUMNS[table])
        with self._explaining():
            found = self._database.execute(f"SELECT {columns} FROM {table} WHERE seq = ?", (seq,))
            row = found.fetchone()
        if row is None:
            return None
        return [None if each is None else each.decode(errors="replace") for each in row]

    def check(self) -> list[str]:
        """What SQLite itself finds wrong with the file."""
        with self._explaining():
            found = [text for (text,) in self._database.execute("PRAGMA integrity_check")]
        return [text for text in found if text != "ok"]

    def close(self) -> None:
        """Release the file."""
        self._database.close()

    @contextmanager
    def _explaining(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, json.JSONDecodeError) as error:
            raise explained(self._path, error) from error


def explained(path: Path, error: Exception) -> StoreError:
    """What SQLite's error means for a user: the disk is full, access is refused, or damage."""
    reason = str(error)
    if "full" in reason or "disk I/O" in reason:
        return StoreFull(
            f"the disk is full: {path} took no more ({reason}); nothing was added. "
            "Free some space and try again."
        )
    if any(sign in reason for sign in ("unable to open", "readonly", "read-only", "locked")):
        return StoreError(
            f"{path} cannot be opened for reading and writing ({reason}); check that this user may "
            "write to the folder and that no other program keeps the file locked."
        )
    return StoreDamaged(f"{path} cannot be read as a log ({reason}); restore it from a copy.")
