"""The log: rows are only ever added, and a file that is no log is refused in words."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from memoir.errors import NotAStore, StoreDamaged
from memoir.store.log import FORMAT, Log, Row


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """An empty log."""
    path = tmp_path / "log.sqlite"
    Log.create(path)
    return path


@pytest.fixture
def log(path: Path) -> Iterator[Log]:
    log = Log(path)
    yield log
    log.close()


def append(log: Log, id: str, **body: object) -> Row:
    return log.append(id, "edit", body, f"tensors/{id}.safetensors", "ab" * 32)


def raw(path: Path, statement: str) -> None:
    """Run SQL on the file behind the log's back."""
    database = sqlite3.connect(path, isolation_level=None)
    try:
        database.execute(statement)
    finally:
        database.close()


def test_rows_come_back_as_they_were_appended(log: Log) -> None:
    first = append(log, "one", prompt="Zürich – “ü”", losses=[1.5, 0.25], said=True, subject=None)
    second = log.append("two", "revert", {"edit": "one"}, None, None)
    assert log.rows() == [first, second]
    assert [row.seq for row in log.rows()] == [1, 2]
    assert first.body == {
        "prompt": "Zürich – “ü”",
        "losses": [1.5, 0.25],
        "said": True,
        "subject": None,
    }
    assert (second.file, second.sha256) == (None, None)


def test_rows_outlive_the_connection(path: Path) -> None:
    log = Log(path)
    row = append(log, "one", prompt="p")
    log.close()
    again = Log(path)
    assert again.rows() == [row]
    again.close()


def test_rows_after_a_position_are_those_behind_it(log: Log) -> None:
    rows = [append(log, f"id{i}") for i in range(4)]
    assert log.rows(after=0) == rows
    assert log.rows(after=rows[1].seq) == rows[2:]
    assert log.rows(after=rows[3].seq) == []


def test_times_are_utc(log: Log) -> None:
    assert append(log, "one").time.endswith("+00:00")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE log SET body = '{}' WHERE seq = 1",
        "UPDATE log SET kind = 'settings'",
        "DELETE FROM log WHERE seq = 1",
        "DELETE FROM log",
    ],
)
def test_rows_can_be_neither_changed_nor_deleted(path: Path, log: Log, statement: str) -> None:
    row = append(log, "one", prompt="p")
    with pytest.raises(sqlite3.IntegrityError, match="the log is append-only"):
        raw(path, statement)
    assert log.rows() == [row]


def test_two_connections_see_each_others_rows(path: Path, log: Log) -> None:
    other = Log(path)
    row = append(log, "one", prompt="p")
    assert other.rows() == [row]
    other.close()


def test_another_format_is_refused_with_both_numbers(path: Path) -> None:
    raw(path, f"PRAGMA user_version = {FORMAT + 6}")
    with pytest.raises(NotAStore) as refused:
        Log(path)
    assert str(refused.value) == (
        f"{path} has log format {FORMAT + 6}, but this version of memoir reads {FORMAT}."
    )


def test_an_empty_file_is_no_log(tmp_path: Path) -> None:
    empty = tmp_path / "log.sqlite"
    empty.touch()
    with pytest.raises(NotAStore, match="has log format 0"):
        Log(empty)


def test_a_file_of_something_else_is_damaged(tmp_path: Path) -> None:
    path = tmp_path / "log.sqlite"
    path.write_text("these are not the rows you are looking for\n" * 100)
    with pytest.raises(StoreDamaged) as refused:
        Log(path)
    assert str(refused.value) == (
        f"{path} cannot be read as a log (file is not a database); restore it from a copy."
    )


def fill(path: Path) -> None:
    """Append enough rows for several pages."""
    log = Log(path)
    for i in range(50):
        append(log, f"id{i}", prompt="p" * 1000)
    log.close()


def test_a_truncated_log_is_damaged(path: Path) -> None:
    fill(path)
    path.write_bytes(path.read_bytes()[:8192])
    with pytest.raises(StoreDamaged) as refused:
        Log(path).rows()
    assert str(path) in str(refused.value)
    assert "restore it from a copy" in str(refused.value)


def test_a_log_overwritten_behind_its_first_page_neither_reads_nor_appends(path: Path) -> None:
    fill(path)
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xff" * (len(content) - 4096))
    log = Log(path)
    with pytest.raises(StoreDamaged, match="restore it from a copy"):
        log.rows()
    with pytest.raises(StoreDamaged, match="restore it from a copy"):
        append(log, "one more", prompt="p")
    log.close()


def test_a_row_whose_body_was_altered_is_damaged(path: Path) -> None:
    log = Log(path)
    append(log, "one", prompt="the first prompt")
    log.close()
    altered = path.read_bytes().replace(b'{"prompt": ', b'#"prompt": ')
    path.write_bytes(altered)
    with pytest.raises(StoreDamaged) as refused:
        Log(path).rows()
    assert str(path) in str(refused.value)
    assert "restore it from a copy" in str(refused.value)
