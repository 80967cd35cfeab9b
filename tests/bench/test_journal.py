"""A run file keeps every row that was acknowledged, and belongs to one plan."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from memoir.bench.journal import PROTOCOL, Journal, read_rows
from memoir.errors import OtherRun, RunDamaged

HEADER: dict[str, Any] = {
    "kind": "run",
    "protocol": PROTOCOL,
    "run": "r",
    "n": 10,
    "checkpoints": (1, 10),
    "settings": {"lr": 0.1},
    "machine": "a",
    "versions": {"torch": "1"},
    "commit": "c1",
    "date": "2026-01-01",
}
ROWS = [{"kind": "edit", "index": i, "text": "Straße “a”\nb"} for i in range(3)]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs" / "r.jsonl"


@pytest.fixture
def written(path: Path) -> Path:
    """A run file with a header and three rows."""
    with Journal(path, HEADER) as journal:
        journal.write(ROWS)
    return path


def plain(row: dict[str, Any]) -> dict[str, Any]:
    return json.loads(json.dumps(row))


def refused(path: Path, header: dict[str, Any], kind: type[Exception]) -> str:
    before = path.read_bytes()
    with pytest.raises(kind) as error:
        Journal(path, header)
    assert path.read_bytes() == before
    return str(error.value)


def test_rows_survive_and_more_are_appended(written: Path) -> None:
    with Journal(written, HEADER) as journal:
        assert journal.rows == [plain(HEADER), *ROWS]
        assert journal.of("edit") == ROWS
        journal.write([{"kind": "checkpoint", "at": 1}])
    assert read_rows(written) == [plain(HEADER), *ROWS, {"kind": "checkpoint", "at": 1}]
    assert written.read_bytes().count(b"\n") == 5


def test_opening_the_same_run_again_changes_no_byte(written: Path) -> None:
    before = written.read_bytes()
    Journal(written, HEADER).close()
    assert written.read_bytes() == before


@pytest.mark.parametrize("left", [1, 20, -1])
def test_a_truncated_last_line_is_removed_and_written_again(written: Path, left: int) -> None:
    whole = written.read_bytes()
    last = whole[:-1].rfind(b"\n") + 1
    written.write_bytes(whole[: last + left] if left > 0 else whole[:left])
    assert read_rows(written) == [plain(HEADER), *ROWS[:2]]
    with Journal(written, HEADER) as journal:
        assert journal.of("edit") == ROWS[:2]
        journal.write(ROWS[2:])
    assert written.read_bytes() == whole


@pytest.mark.parametrize("content", [b"", b'{"kind": "run", "prot'])
def test_a_run_killed_in_its_first_row_begins_anew(written: Path, content: bytes) -> None:
    whole = written.read_bytes()
    written.write_bytes(content)
    with Journal(written, HEADER) as journal:
        journal.write(ROWS)
    assert written.read_bytes() == whole


@pytest.mark.parametrize("bad", [b"{", b"[1]", b"7", b"null", b'{"at": 1}', b"\xff", b""])
def test_a_damaged_line_in_the_middle_is_named_and_nothing_is_removed(
    written: Path, bad: bytes
) -> None:
    lines = written.read_bytes().split(b"\n")
    written.write_bytes(b"\n".join([*lines[:2], bad, *lines[3:]]))
    message = refused(written, HEADER, RunDamaged)
    assert message.startswith(f"{written}, line 3 is no row of a run (")
    assert message.endswith(
        "Remove the file and its store to begin again, or restore it from a copy."
    )


@pytest.mark.parametrize("version", [PROTOCOL - 1, PROTOCOL + 1, None])
def test_a_file_of_another_protocol_is_refused(written: Path, version: int | None) -> None:
    first = {**HEADER, "protocol": version}
    written.write_text(json.dumps(first) + "\n")
    expected = (
        f"{written} follows protocol {version}, this version of memoir protocol {PROTOCOL}; their "
        "numbers do not mean the same. Run the benchmark again, or read it with the version of "
        "memoir that wrote it."
    )
    assert refused(written, HEADER, OtherRun) == expected
    with pytest.raises(OtherRun):
        read_rows(written)


def test_another_plan_is_refused_by_the_entries_that_differ(written: Path) -> None:
    other = {**HEADER, "n": 20, "settings": {"lr": 0.2}, "order": "file"}
    assert refused(written, other, OtherRun) == (
        f"{written} was begun with another plan (n: 10 ≠ 20; order: None ≠ 'file'; settings: "
        "{'lr': 0.1} ≠ {'lr': 0.2}). Give another --out or name, or remove the run to begin again."
    )
    Journal(written, HEADER).close()  # the refusal let go of the file


def test_a_run_from_before_an_entry_was_written_goes_on_as_what_it_was(written: Path) -> None:
    Journal(written, {**HEADER, "subjects": "given"}).close()
    message = refused(written, {**HEADER, "subjects": "dropped"}, OtherRun)
    assert "(subjects: 'given' ≠ 'dropped')" in message


def test_other_circumstances_are_noted_once(written: Path) -> None:
    later = {**HEADER, "commit": "c2", "date": "2026-01-02"}
    note = {
        "kind": "resumed",
        "machine": "a",
        "versions": {"torch": "1"},
        "commit": "c2",
        "date": "2026-01-02",
    }
    for _ in range(2):
        Journal(written, later).close()
        assert read_rows(written) == [plain(HEADER), *ROWS, note]
    Journal(written, HEADER).close()
    assert [row["commit"] for row in read_rows(written)[4:]] == ["c2", "c1"]
