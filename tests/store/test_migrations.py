"""A store made before there were commits opens with all it knows, or stays what it was."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from memoir.errors import StoreFull
from memoir.store import Store, migrations, taught
from memoir.store.checks import PastCheck
from memoir.store.rows import chained, identity
from memoir.types import Edit

# As the first version wrote it.
OLD_SCHEMA = """
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
PRAGMA user_version = 1;
COMMIT;
"""
INSERT = "INSERT INTO log (id, kind, time, body, file, sha256) VALUES (?, ?, ?, ?, ?, ?)"
SETTINGS = {"method": "memoir", "site": "model.layers.2", "config": {"k": 8}}
EDITS = {
    "aaaaa11111": {"prompt": "Zürich is", "target": "one", "subject": "Zürich"},
    "bbbbb22222": {"prompt": "second", "target": "two", "subject": None, "phrasings": ["2nd"]},
    "ccccc33333": {"prompt": "third", "target": "three", "subject": None, "losses": [1.5, 0.25]},
}


def time(number: int) -> str:
    return f"2026-01-01T00:00:0{number}.123+00:00"


def old_row(folder: Path, number: int, id: str, kind: str, body: dict[str, Any]) -> tuple[Any, ...]:
    """A row as the first version inserted it, and its tensor file as it wrote it."""
    file = sha256 = None
    if kind != "revert":
        content = safetensors.torch.save({"x": torch.full((8,), float(number))})
        file, sha256 = f"tensors/{id}.safetensors", hashlib.sha256(content).hexdigest()
        (folder / file).write_bytes(content)
    return id, kind, time(number), json.dumps(body, ensure_ascii=False), file, sha256


@pytest.fixture
def old(tmp_path: Path) -> Path:
    """A store of the first layout: settings, three edits, and the second of them taken back."""
    folder = tmp_path / "store"
    (folder / "tensors").mkdir(parents=True)
    rows = [("0123456789", "settings", SETTINGS)]
    rows += [(id, "edit", body) for id, body in EDITS.items()]
    rows += [("ddddd44444", "revert", {"edit": "bbbbb22222"})]
    with closing(sqlite3.connect(folder / "log.sqlite", isolation_level=None)) as database:
        database.executescript(OLD_SCHEMA)
        for number, row in enumerate(rows):
            database.execute(INSERT, old_row(folder, number, *row))
    return folder


def dump(folder: Path) -> tuple[int, list[str]]:
    """The log's version, and all that is in it."""
    with closing(sqlite3.connect(folder / "log.sqlite")) as database:
        (version,) = database.execute("PRAGMA user_version").fetchone()
        return version, list(database.iterdump())


def test_edits_in_force_and_their_tensors_are_those_of_before(old: Path) -> None:
    store = Store(old)
    first, third = store.live()
    assert taught(first) == Edit("Zürich is", "one", "Zürich")
    assert taught(third) == Edit("third", "three")
    assert third.body == EDITS["ccccc33333"]
    assert torch.equal(store.tensors(first)["x"], torch.full((8,), 1.0))
    assert torch.equal(store.tensors(third)["x"], torch.full((8,), 3.0))
    assert [entry.status for entry in store.entries()] == ["live", "reverted", "live"]
    settings = store.settings()
    assert settings is not None
    assert (settings.body, settings.time) == (SETTINGS, time(0))
    assert torch.equal(store.tensors(settings)["x"], torch.zeros(8))


def test_every_old_row_is_a_commit_of_one_line_with_its_time(old: Path) -> None:
    store = Store(old)
    line = store.history.line(store.history.tip())
    commits = store.log.rows(kind="commit")
    assert [row.id for row in commits] == line
    assert [row.time for row in commits] == [time(number) for number in range(5)]
    assert [row.body["message"] for row in commits] == [
        "settings",
        "edit",
        "edit",
        "edit",
        "revert",
    ]
    assert {row.body["author"] for row in commits} == {"memoir"}
    states = [[row.body["prompt"] for row in store.live(id)] for id in line]
    assert states == [
        [],
        ["Zürich is"],
        ["Zürich is", "second"],
        ["Zürich is", "second", "third"],
        ["Zürich is", "third"],
    ]
    for row in store.log.rows():
        assert row.id == identity(row.kind, row.time, row.body, row.sha256)
    (move,) = store.log.moves()
    assert (move.ref, move.target, move.why) == ("branch/main", line[-1], "migrate")
    assert move.chain == chained("", move.ref, move.target, move.time, move.why)


def test_two_copies_get_the_same_ids(old: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    subprocess.run(["cp", "-r", str(old), str(copy)], check=True)
    assert [row.id for row in Store(old).log.rows()] == [row.id for row in Store(copy).log.rows()]


def test_it_goes_on_like_any_store(old: Path) -> None:
    store = Store(old)
    with store.writing():
        store.commit([store.row("edit", {**EDITS["aaaaa11111"], "prompt": "fourth"})])
    store.revert([store.live()[0].id])
    store.close()
    again = Store(old)
    assert [row.body["prompt"] for row in again.live()] == ["third", "fourth"]
    # The old names of the files are gone with the first write; every file stays under its new one.
    names = {path.name for path in (old / "tensors").iterdir()}
    assert names == {f"{sha256}.safetensors" for sha256 in again.log.files()}
    assert len(names) == 4
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        again.log._database.execute("DELETE FROM log")


def test_a_store_of_the_second_layout_keeps_everything_and_remembers_checks(old: Path) -> None:
    store = Store(old)
    rows, moves = store.log.rows(), store.log.moves()
    store.close()
    with closing(sqlite3.connect(old / "log.sqlite")) as database:
        database.executescript("DROP TABLE checks; PRAGMA user_version = 2;")
    again = Store(old)
    assert (again.log.rows(), again.log.moves(), again.log.checks()) == (rows, moves, [])
    again.log.note_check(PastCheck(0, time(1), "main", rows[-1].id, 2, 2, 5, 0, 0))
    assert [each.seq for each in again.log.checks()] == [1]
    assert dump(old)[0] == migrations.FORMAT == 3


def test_an_empty_store_stays_empty(tmp_path: Path) -> None:
    (tmp_path / "tensors").mkdir()
    with closing(sqlite3.connect(tmp_path / "log.sqlite", isolation_level=None)) as database:
        database.executescript(OLD_SCHEMA)
    store = Store(tmp_path)
    assert (store.log.rows(), store.log.moves(), store.settings()) == ([], [], None)


def test_a_damaged_or_missing_file_stays_so_and_the_others_open(old: Path) -> None:
    path = old / "tensors/aaaaa11111.safetensors"
    path.write_bytes(path.read_bytes()[:-1] + b"\xff")
    (old / "tensors/ccccc33333.safetensors").unlink()
    store = Store(old)
    assert [entry.status for entry in store.entries()] == ["damaged", "reverted", "damaged"]
    assert "was truncated or altered" in str(store.entries()[0].note)
    assert "No such file" in str(store.entries()[2].note)


def test_a_file_system_without_links_gets_copies(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_paths: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    store = Store(old)
    assert [entry.status for entry in store.entries()] == ["live", "reverted", "live"]
    assert {path.stat().st_nlink for path in (old / "tensors").iterdir()} == {1}


# ---------------------------------------------------------------------- faults


def still_usable(old: Path, before: tuple[int, list[str]]) -> None:
    """The first version finds its rows and files, and this one migrates them."""
    assert dump(old) == before
    with closing(sqlite3.connect(old / "log.sqlite")) as database:
        for file, sha256 in database.execute("SELECT file, sha256 FROM log WHERE file NOT NULL"):
            assert hashlib.sha256((old / file).read_bytes()).hexdigest() == sha256
        with pytest.raises(sqlite3.IntegrityError, match="the log is append-only"):
            database.execute("DELETE FROM log")
    store = Store(old)
    assert [entry.status for entry in store.entries()] == ["live", "reverted", "live"]
    store.close()


@pytest.mark.parametrize("rows", range(9))  # five commits, four rows
def test_a_migration_that_fails_in_the_middle_leaves_the_old_layout(
    old: Path, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    before, insert, left = dump(old), migrations._insert, rows

    def fails(*given: Any) -> str:
        nonlocal left
        left -= 1
        if left < 0:
            raise KeyboardInterrupt
        return insert(*given)

    with monkeypatch.context() as patch:
        patch.setattr(migrations, "_insert", fails)
        with pytest.raises(KeyboardInterrupt):
            Store(old)
    still_usable(old, before)


def test_a_migration_that_finds_no_room_leaves_the_old_layout_and_says_so(
    old: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = dump(old)

    def refuse(*_given: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "link", refuse)
        patch.setattr(os, "fsync", refuse)
        with pytest.raises(StoreFull, match="No space left on device; nothing was added"):
            Store(old)
    still_usable(old, before)


KILLED = """
import os, signal, sys
from memoir.store import Store, migrations

insert, left = migrations._insert, int(sys.argv[2])

def dies(*given):
    global left
    left -= 1
    if left < 0:
        os.kill(os.getpid(), signal.SIGKILL)
    return insert(*given)

migrations._insert = dies
Store(sys.argv[1])
"""


@pytest.mark.parametrize("rows", [0, 4, 8])
def test_a_migration_that_is_killed_leaves_the_old_layout(old: Path, rows: int) -> None:
    before = dump(old)
    done = subprocess.run([sys.executable, "-c", KILLED, str(old), str(rows)], check=False)
    assert done.returncode == -signal.SIGKILL
    still_usable(old, before)


OPENED = """
import sys
from memoir.store import Store

print("ready", flush=True)
sys.stdin.readline()
store = Store(sys.argv[1])
print(*(row.id for row in store.live()), *(entry.status for entry in store.entries()))
"""


def test_two_processes_may_open_it_at_once(old: Path) -> None:
    command = [sys.executable, "-c", OPENED, str(old)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen(command, **pipes) for _ in range(2)]  # type: ignore[call-overload]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    seen = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0]
    assert seen[0] == seen[1]
    assert seen[0].split()[2:] == ["live", "reverted", "live"]
    assert len(Store(old).log.rows()) == 9
