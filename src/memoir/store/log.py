"""The log: an append-only SQLite table that is the only source of truth.

A row is never changed or deleted (triggers refuse it); taking an edit back adds a row. The database
runs in WAL mode with synchronous=FULL, so a row is on disk before its append returns.
"""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from memoir.errors import NotAStore, StoreDamaged, StoreError, StoreFull

FORMAT = 1
"""Version of the table's layout, kept in SQLite's ``user_version``."""

SCHEMA = f"""
PRAGMA journal_mode = WAL;
BEGIN;
CREATE TABLE log (
    seq    INTEGER PRIMARY KEY AUTOINCREMENT,
    id     TEXT NOT NULL UNIQUE,
    kind   TEXT NOT NULL,           -- settings, edit, revert
    time   TEXT NOT NULL,           -- UTC, ISO 8601
    body   TEXT NOT NULL,           -- JSON
    file   TEXT,                    -- tensor file, relative to the store
    sha256 TEXT
);
CREATE TRIGGER log_keeps_rows BEFORE DELETE ON log
    BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
CREATE TRIGGER log_keeps_values BEFORE UPDATE ON log
    BEGIN SELECT RAISE(ABORT, 'the log is append-only'); END;
PRAGMA user_version = {FORMAT};
COMMIT;
"""


@dataclass(frozen=True)
class Row:
    """One line of the log.

    Attributes:
        seq: position, from 1, without gaps in time.
        id: short unique name.
        kind: ``settings``, ``edit`` or ``revert``.
        time: when it was appended, UTC, ISO 8601.
        body: what it says.
        file: its tensor file, relative to the store, and its checksum.
        sha256: checksum of that file.
    """

    seq: int
    id: str
    kind: str
    time: str
    body: dict[str, Any]
    file: str | None
    sha256: str | None


class Log:
    """The table in one file.

    Raises:
        NotAStore: the file is not a log of this format.
        StoreDamaged: SQLite cannot read it.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._database = sqlite3.connect(path, timeout=30, isolation_level=None)
        try:
            self._database.execute("PRAGMA synchronous = FULL")
            (version,) = self._database.execute("PRAGMA user_version").fetchone()
        except sqlite3.Error as error:
            raise explained(path, error) from error
        if version != FORMAT:
            raise NotAStore(
                f"{path} has log format {version}, but this version of memoir reads {FORMAT}."
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

    def append(
        self, id: str, kind: str, body: dict[str, Any], file: str | None, sha256: str | None
    ) -> Row:
        """Add a row; it is durable when this returns.

        Raises:
            StoreFull: the disk took no more; the log is as it was.
        """
        time = datetime.now(timezone.utc).isoformat(timespec="milliseconds")
        try:
            cursor = self._database.execute(
                "INSERT INTO log (id, kind, time, body, file, sha256) VALUES (?, ?, ?, ?, ?, ?)",
                (id, kind, time, json.dumps(body, ensure_ascii=False), file, sha256),
            )
        except sqlite3.Error as error:
            raise explained(self._path, error) from error
        return Row(int(cursor.lastrowid or 0), id, kind, time, body, file, sha256)

    def rows(self, after: int = 0) -> list[Row]:
        """Rows behind a position, in order."""
        try:
            found = self._database.execute(
                "SELECT seq, id, kind, time, body, file, sha256 FROM log "
                "WHERE seq > ? ORDER BY seq",
                (after,),
            ).fetchall()
            return [
                Row(seq, id, kind, time, json.loads(body), file, sha256)
                for seq, id, kind, time, body, file, sha256 in found
            ]
        except (sqlite3.Error, json.JSONDecodeError) as error:
            raise explained(self._path, error) from error

    def close(self) -> None:
        """Release the file."""
        self._database.close()


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
