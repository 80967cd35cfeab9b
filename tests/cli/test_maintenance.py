"""memoir fsck and memoir gc: what they print, and how they end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

import unfitted
from memoir.cli import app
from memoir.store import Row, Store, short
from unfitted import teach


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    """A store with one edit, which is the one the command uses."""
    monkeypatch.setenv("MEMOIR_STORE", str(tmp_path / "facts"))
    monkeypatch.setenv("COLUMNS", "400")
    store = Store.create(tmp_path / "facts")
    teach(store, "kept")
    yield store
    store.close()


def memoir(*words: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, words)
    assert result.exit_code == code, result.output
    return result.stdout


def lost(store: Store) -> Row:
    """An edit that no name leads to any more."""
    row = teach(store, "lost [bold]")
    store.move("branch/main", store.history.resolve("HEAD~1"), "reset")
    return row


def test_a_whole_store_passes(store: Store) -> None:
    assert memoir("fsck") == f"{store.folder}: 0 errors, 0 notices\n"
    assert json.loads(memoir("fsck", "--json")) == {"errors": 0, "findings": []}


def test_a_damaged_store_fails_and_says_what_to_do(store: Store) -> None:
    (row,) = store.live()
    path = unfitted.file(store, row)
    path.write_bytes(b"?")
    (store.folder / "tensors" / "left").touch()
    text = memoir("fsck", code=1)
    assert text.startswith(f"error: {path} was truncated or altered: SHA-256 ")
    assert f"It belongs to the edit {short(row.id)} ('kept'). Restore the file from a copy" in text
    assert f"notice: No row names {path.with_name('left')}" in text
    assert text.endswith(f"{store.folder}: 1 errors, 1 notices\n")
    found = json.loads(memoir("fsck", "--json", code=1))
    assert found["errors"] == 1
    assert [finding["severity"] for finding in found["findings"]] == ["error", "notice"]
    assert set(found["findings"][0]) == {"severity", "what", "remedy"}


def test_notices_alone_are_no_failure(store: Store) -> None:
    unfitted.file(store, lost(store)).unlink()
    assert memoir("fsck").endswith("0 errors, 1 notices\n")


@pytest.mark.parametrize("verb", ["fsck", "gc"])
def test_a_folder_without_a_store_is_refused(
    verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEMOIR_STORE", str(tmp_path / "none"))
    error = json.loads(memoir(verb, "--json", code=1))["error"]
    assert error["type"] == "NotAStore"
    assert error["message"].endswith("holds no memoir store; make one with: memoir init")


def test_what_is_collected_is_listed_with_its_size(store: Store) -> None:
    row = lost(store)
    path, size = unfitted.file(store, row), store.size(row)
    assert memoir("gc") == "0 files, 0 KB removed\n"  # for 14 days it may be wanted back
    text = memoir("gc", "--older-than", "0", "--dry-run")
    assert text == f"{short(row.id)}  {size} bytes  lost [bold]\n1 files, 0 KB would be removed\n"
    assert path.exists()
    found = json.loads(memoir("gc", "--older-than", "0", "--json"))
    (file,) = found["files"]
    assert (found["removed"], found["bytes"]) == (True, size)
    assert (file["id"], file["sha256"], file["bytes"]) == (row.id, row.sha256, size)
    assert not path.exists()
    assert memoir("gc", "--older-than", "0") == "0 files, 0 KB removed\n"


def test_days_below_zero_are_wrong_usage(store: Store) -> None:
    memoir("gc", "--older-than", "-1", code=2)
