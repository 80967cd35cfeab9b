"""The log: rows and moves are only ever added, and a file that is no log is refused in words."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from memoir.errors import NotAStore, StoreDamaged, StoreError
from memoir.store.log import Log
from memoir.store.migrations import FORMAT
from memoir.store.rows import Row, chained


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


def append(log: Log, **body: object) -> Row:
    (row,) = log.append([Row.new("edit", body, "ab" * 32)], [])
    return row


def raw(path: Path, statement: str) -> None:
    """Run SQL on the file behind the log's back."""
    database = sqlite3.connect(path, isolation_level=None)
    try:
        database.execute(statement)
    finally:
        database.close()


def test_rows_come_back_as_they_were_appended(log: Log) -> None:
    first = append(log, prompt="Zürich – “ü”", losses=[1.5, 0.25], said=True, subject=None)
    (second,) = log.append([Row.new("commit", {"remove": [first.id]})], [])
    assert log.rows() == [first, second]
    assert [row.seq for row in log.rows()] == [1, 2]
    assert first.body == {
        "prompt": "Zürich – “ü”",
        "losses": [1.5, 0.25],
        "said": True,
        "subject": None,
    }
    assert (first.sha256, second.sha256) == ("ab" * 32, None)
    assert log.files() == {"ab" * 32}


def test_rows_outlive_the_connection(path: Path) -> None:
    log = Log(path)
    row = append(log, prompt="p")
    log.close()
    again = Log(path)
    assert again.rows() == [row]
    again.close()


def test_rows_after_a_position_are_those_behind_it(log: Log) -> None:
    rows = [append(log, number=i) for i in range(4)]
    assert log.rows(after=0) == rows
    assert log.rows(after=rows[1].seq) == rows[2:]
    assert log.rows(after=rows[3].seq) == []


def test_rows_of_one_kind_can_be_asked_for(log: Log) -> None:
    edit = append(log)
    commit, other = log.append([Row.new("commit", {"n": n}) for n in range(2)], [])
    assert log.rows(kind="edit") == [edit]
    assert log.rows(kind="commit") == [commit, other]
    assert log.rows(commit.seq, "commit") == [other]


def test_rows_are_found_by_id_however_many_are_asked_for(log: Log) -> None:
    rows = log.append([Row.new("edit", {"number": i}) for i in range(1200)], [])
    assert log.get(row.id for row in rows[::-1]) == {row.id: row for row in rows}
    assert log.get(["ab" * 32, rows[3].id]) == {rows[3].id: rows[3]}
    assert log.beginning(rows[7].id[:20]) == [rows[7]]
    assert log.beginning("") == rows[:5]


def test_moves_come_back_in_order_each_chained_to_the_one_before(log: Log) -> None:
    log.append([], [("branch/main", "ab" * 32, "init"), ("tag/v1", "ab" * 32, "tag")])
    log.append([], [("tag/v1", None, "tag --delete")])
    moves = log.moves()
    assert [(move.seq, move.ref, move.target, move.why) for move in moves] == [
        (1, "branch/main", "ab" * 32, "init"),
        (2, "tag/v1", "ab" * 32, "tag"),
        (3, "tag/v1", None, "tag --delete"),
    ]
    assert log.moves(after=2) == moves[2:]
    chain = ""
    for move in moves:
        chain = chained(chain, move.ref, move.target, move.time, move.why)
        assert move.chain == chain


def test_rows_and_moves_are_added_all_or_none(path: Path, log: Log) -> None:
    row = append(log)
    with pytest.raises(StoreError):  # the second is there already
        log.append([Row.new("edit", {"new": True}), row], [("branch/main", row.id, "edit")])
    assert (log.rows(), log.moves()) == ([row], [])
    again = Log(path)
    assert (again.rows(), again.moves()) == ([row], [])
    again.close()


def test_what_is_read_in_a_snapshot_is_of_one_moment(path: Path, log: Log) -> None:
    other = Log(path)
    with log.snapshot():
        assert log.rows() == []
        row = append(other)
        assert log.rows() == []
    assert log.rows() == [row]
    other.close()


def test_settings_and_signatures_are_kept_replaced_and_forgotten(path: Path, log: Log) -> None:
    log.configure("user.name", "Ann")
    log.configure("gate.suite", "checks.jsonl")
    log.configure("user.name", "Bea")
    log.configure("gate.suite", None)
    log.sign("ab" * 32, "first")
    log.sign("ab" * 32, "second")
    again = Log(path)
    assert again.config() == {"user.name": "Bea"}
    assert again.signatures() == {"ab" * 32: "second"}
    again.close()


def test_times_are_utc(log: Log) -> None:
    assert append(log).time.endswith("+00:00")


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE log SET body = '{}' WHERE seq = 1",
        "UPDATE log SET kind = 'settings'",
        "DELETE FROM log WHERE seq = 1",
        "DELETE FROM log",
        "UPDATE moves SET target = 'cd' WHERE seq = 1",
        "UPDATE moves SET chain = ''",
        "DELETE FROM moves WHERE seq = 1",
        "DELETE FROM moves",
    ],
)
def test_rows_can_be_neither_changed_nor_deleted(path: Path, log: Log, statement: str) -> None:
    row = append(log, prompt="p")
    log.append([], [("tag/v1", row.id, "tag")])
    moves = log.moves()
    with pytest.raises(sqlite3.IntegrityError, match="the log is append-only"):
        raw(path, statement)
    assert (log.rows(), log.moves()) == ([row], moves)


def test_two_connections_see_each_others_rows(path: Path, log: Log) -> None:
    other = Log(path)
    row = append(log, prompt="p")
    assert other.rows() == [row]
    other.close()


def test_another_format_is_refused_with_both_numbers(path: Path) -> None:
    raw(path, f"PRAGMA user_version = {FORMAT + 6}")
    with pytest.raises(NotAStore) as refused:
        Log(path)
    assert str(refused.value) == (
        f"{path} has log format {FORMAT + 6}, but this version of memoir reads 1 to {FORMAT}."
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
        append(log, number=i, prompt="p" * 1000)
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
        append(log, prompt="p")
    log.close()


def test_a_row_whose_body_was_altered_is_damaged(path: Path) -> None:
    log = Log(path)
    append(log, prompt="the first prompt")
    log.close()
    altered = path.read_bytes().replace(b'{"prompt": ', b'#"prompt": ')
    path.write_bytes(altered)
    with pytest.raises(StoreDamaged) as refused:
        Log(path).rows()
    assert str(path) in str(refused.value)
    assert "restore it from a copy" in str(refused.value)
