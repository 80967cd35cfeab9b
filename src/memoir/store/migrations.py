"""From one layout of a store to the next, numbered; each in one transaction.

1   rows settings, edit and revert, one line of history; tensor files named by their rows
2   commits, branches and tags; every row is named by its content, every tensor file too
3   what checks found
"""

from __future__ import annotations

import json
import os
import sqlite3
from pathlib import Path
from typing import Any

from memoir.store import tensors as tensor_files
from memoir.store.rows import chained, identity

FORMAT = 3
"""Version of the layout, kept in SQLite's ``user_version``."""

CHECKS = """
CREATE TABLE checks (
    seq       INTEGER PRIMARY KEY AUTOINCREMENT,
    time      TEXT NOT NULL,        -- UTC, ISO 8601
    branch    TEXT,                 -- NULL: a commit or a tag was looked at
    commit_id TEXT NOT NULL,
    edits     INTEGER NOT NULL,     -- in force
    held      INTEGER NOT NULL,     -- of them, still answered
    questions INTEGER NOT NULL,
    broken    INTEGER NOT NULL,     -- of them
    expired   INTEGER NOT NULL      -- of the edits
);
"""
"""What layout 3 adds."""

AUTHOR = "memoir"
"""Author of the commits made of what layout 1 did not say by whom."""


def migrate(database: sqlite3.Connection, version: int, folder: Path) -> None:
    """Bring a log to the present layout. A process that dies in between leaves the old one.

    Args:
        database: the open log.
        version: its layout.
        folder: of the store.
    """
    database.execute("BEGIN IMMEDIATE")
    try:
        # Another process may have been faster.
        (version,) = database.execute("PRAGMA user_version").fetchone()
        for number in range(version, FORMAT):
            _STEPS[number](database, folder)
        database.execute(f"PRAGMA user_version = {FORMAT}")
        database.execute("COMMIT")
    except BaseException:
        if database.in_transaction:
            database.execute("ROLLBACK")
        raise


def _to_2(database: sqlite3.Connection, folder: Path) -> None:
    from memoir.store.log import SCHEMA

    old = database.execute(
        "SELECT id, kind, time, body, file, sha256 FROM log ORDER BY seq"
    ).fetchall()
    for trigger in ("log_keeps_rows", "log_keeps_values"):
        database.execute(f"DROP TRIGGER {trigger}")
    database.execute("DROP TABLE log")
    inside = SCHEMA.partition("BEGIN;")[2].partition("PRAGMA user_version")[0]
    for statement in _statements(inside.replace(CHECKS, "")):
        database.execute(statement)
    renamed: dict[str, str] = {}
    parents: list[str] = []
    for id, kind, time, text, file, sha256 in old:
        if file is not None:
            _name_by_content(folder / file, sha256)
        body = json.loads(text)
        change: dict[str, Any] = {"settings": None, "add": [], "remove": []}
        if kind == "revert":
            change["remove"] = [renamed[body["edit"]]]
        else:
            renamed[id] = _insert(database, kind, time, body, sha256)
            change |= {"settings": renamed[id]} if kind == "settings" else {"add": [renamed[id]]}
        commit = {"parents": parents, "author": AUTHOR, "message": kind, **change}
        parents = [_insert(database, "commit", time, commit, None)]
    tensor_files.sync_folder(folder / "tensors")
    if parents:
        time = old[-1][2]
        database.execute(
            "INSERT INTO moves (ref, target, time, why, chain) VALUES (?, ?, ?, ?, ?)",
            (
                "branch/main",
                parents[0],
                time,
                "migrate",
                chained("", "branch/main", parents[0], time, "migrate"),
            ),
        )


def _to_3(database: sqlite3.Connection, _folder: Path) -> None:
    database.execute(CHECKS)


def _name_by_content(file: Path, sha256: str) -> None:
    """Give a tensor file its new name too; a file that is missing stays so."""
    new = file.with_name(f"{sha256}.safetensors")
    if not file.exists() or new.exists():
        return
    try:
        os.link(file, new)
    except OSError:  # this file system has no links
        tensor_files.store(new.parent, file.read_bytes())


def _insert(
    database: sqlite3.Connection, kind: str, time: str, body: dict[str, Any], sha256: str | None
) -> str:
    id = identity(kind, time, body, sha256)
    database.execute(
        "INSERT INTO log (id, kind, time, body, sha256) VALUES (?, ?, ?, ?, ?)",
        (id, kind, time, json.dumps(body, ensure_ascii=False), sha256),
    )
    return id


def _statements(script: str) -> list[str]:
    """The statements of a script, which may hold semicolons in triggers."""
    found, part = [], ""
    for line in script.splitlines():
        part += line + "\n"
        if sqlite3.complete_statement(part):
            found.append(part)
            part = ""
    return found


_STEPS = {1: _to_2, 2: _to_3}
