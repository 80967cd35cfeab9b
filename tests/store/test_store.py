"""The store: what it refuses, what it remembers, and that one process writes at a time."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from memoir.errors import (
    MemoirError,
    NotAStore,
    StoreBusy,
    StoreDamaged,
    StoreError,
    StoreFull,
    UnknownName,
)
from memoir.store import Row, Store
from memoir.store.tensors import UNFINISHED
from memoir.types import Edit


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store.create(tmp_path / "store")
    yield store
    store.close()


def teach(store: Store, prompt: str = "p", value: float = 1.0) -> Row:
    """Append an edit as an editor would."""
    body = {"prompt": prompt, "target": "t", "subject": None}
    return store.append("edit", body, {"x": torch.full((8,), value)})


@pytest.fixture
def ids(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Choose the ids of the rows to come."""

    def choose(*names: str) -> None:
        given = iter(names)
        monkeypatch.setattr(secrets, "token_hex", lambda _bytes: next(given))

    return choose


# ---------------------------------------------------------------------- making and opening


def test_a_new_store_is_empty_and_makes_missing_folders(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b" / "facts"
    assert not Store.exists(folder)
    store = Store.create(folder)
    assert Store.exists(folder)
    assert store.rows() == []
    assert store.entries() == []
    store.close()


def test_a_new_store_may_use_an_empty_folder(tmp_path: Path) -> None:
    Store.create(tmp_path).close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log.sqlite", "tensors"]


def test_a_folder_with_something_in_it_is_refused_and_untouched(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("precious")
    with pytest.raises(StoreError) as refused:
        Store.create(tmp_path)
    assert str(refused.value) == (
        f"{tmp_path} is not an empty folder; choose a new one for the store."
    )
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "facts").write_text("precious")
    with pytest.raises(StoreError, match="is not an empty folder"):
        Store.create(tmp_path / "facts")


def test_a_store_is_not_made_twice(store: Store) -> None:
    with pytest.raises(StoreError, match="is not an empty folder; choose a new one"):
        Store.create(store.folder)


def test_a_folder_below_a_file_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreError) as refused:
        Store.create(tmp_path / "file" / "store")
    message = str(refused.value)
    assert message.startswith(
        f"could not write a store in {tmp_path / 'file' / 'store'}: Not a directory"
    )
    assert message.endswith("Check the disk, and that this user may write there.")


@pytest.mark.parametrize("made", [True, False])
def test_a_folder_without_a_store_says_how_to_make_one(tmp_path: Path, made: bool) -> None:
    folder = tmp_path / "facts"
    if made:
        folder.mkdir()
    with pytest.raises(NotAStore) as refused:
        Store(folder)
    assert str(refused.value) == f"{folder} holds no memoir store; make one with: memoir init"


def test_rows_and_tensors_are_there_in_a_second_opening(store: Store) -> None:
    row = teach(store, "p", 2.5)
    again = Store(store.folder)
    assert again.rows() == [row]
    assert torch.equal(again.tensors(row)["x"], torch.full((8,), 2.5))
    assert again.size(row) == (store.folder / str(row.file)).stat().st_size > 32
    again.close()


def test_a_row_without_tensors_has_no_file(store: Store) -> None:
    row = store.append("settings", {"method": "memoir"})
    assert (row.file, store.tensors(row), store.size(row)) == (None, {}, 0)


# ---------------------------------------------------------------------- finding


def test_a_row_is_found_by_its_id_or_a_beginning_only_it_has(
    store: Store, ids: Callable[..., None]
) -> None:
    ids("abc123", "abd456", "ab")
    first, second, short = teach(store), teach(store), teach(store)
    assert store.find("abc123") == first
    assert store.find("abd") == second
    assert store.find("ab") == short  # a whole id wins over beginnings


def test_a_beginning_of_several_ids_is_refused_and_lists_them(
    store: Store, ids: Callable[..., None]
) -> None:
    ids("abc123", "abd456")
    teach(store), teach(store)
    with pytest.raises(UnknownName) as refused:
        store.find("ab")
    message = str(refused.value)
    assert message.startswith("'ab' is the beginning of 2 ids (abc123, abd456")
    assert message.endswith("; give more of it.")


@pytest.mark.parametrize("id", ["zzz", ""])
def test_an_unknown_id_points_to_the_log(store: Store, id: str) -> None:
    teach(store)
    with pytest.raises(UnknownName) as refused:
        store.find(id)
    assert str(refused.value) == f"no entry '{id}' in {store.folder}; see: memoir log"


def test_an_entry_that_is_no_edit_is_named_for_what_it_is(store: Store) -> None:
    row = store.append("settings", {"method": "memoir"})
    with pytest.raises(UnknownName) as refused:
        store.entry(row.id)
    assert str(refused.value) == f"'{row.id}' is a settings, no edit; see: memoir log"


# ---------------------------------------------------------------------- taking back


def test_reverting_adds_a_row_and_keeps_the_edit(store: Store) -> None:
    kept, taken = teach(store, "kept"), teach(store, "taken")
    row = store.revert(taken.id[:6])
    assert (row.kind, row.body) == ("revert", {"edit": taken.id})
    assert store.rows() == [kept, taken, row]
    assert [entry.status for entry in store.entries()] == ["live", "reverted"]


def test_reverting_twice_is_refused_and_adds_nothing(store: Store) -> None:
    row = teach(store)
    store.revert(row.id)
    before = store.rows()
    with pytest.raises(UnknownName) as refused:
        store.revert(row.id)
    assert str(refused.value) == f"'{row.id}' is reverted already; see: memoir log"
    assert store.rows() == before


def test_a_reverted_edit_is_not_read_so_its_file_may_be_gone(store: Store) -> None:
    row = teach(store)
    store.revert(row.id)
    (store.folder / str(row.file)).unlink()
    assert store.entry(row.id).status == "reverted"


# ---------------------------------------------------------------------- damage


def test_a_damaged_file_is_named_and_everything_else_stays_readable(store: Store) -> None:
    live, reverted, altered, missing = (teach(store, name) for name in "abcd")
    store.revert(reverted.id)
    path = store.folder / str(altered.file)
    path.write_bytes(path.read_bytes()[:-1] + b"\xff")
    (store.folder / str(missing.file)).unlink()

    entries = store.entries()
    assert [entry.status for entry in entries] == ["live", "reverted", "damaged", "damaged"]
    assert [entry.edit for entry in entries] == [Edit(name, "t") for name in "abcd"]
    assert entries[0].note is None
    assert str(path) in str(entries[2].note)
    assert "was truncated or altered" in str(entries[2].note)
    assert "No such file" in str(entries[3].note)
    assert torch.equal(store.tensors(live)["x"], torch.ones(8))
    with pytest.raises(StoreDamaged):
        store.tensors(altered)


def test_a_damaged_edit_can_be_taken_back(store: Store) -> None:
    row = teach(store)
    (store.folder / str(row.file)).unlink()
    store.revert(row.id)
    assert store.entry(row.id).status == "reverted"


# ---------------------------------------------------------------------- writing

HOLD = """
import sys
from memoir.store import Store

store = Store(sys.argv[1])
with store.writing():
    print("held", flush=True)
    sys.stdin.read()
    store.append("edit", {"prompt": "theirs", "target": "t", "subject": None})
"""


@contextmanager
def another_writer(folder: Path) -> Iterator[Callable[[], None]]:
    """Another process that writes; call what this gives to let it append a row and end."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process.stdin.close
    assert process.returncode == 0


def test_a_second_writer_is_refused_in_the_end_but_may_read(store: Store) -> None:
    row = teach(store)
    impatient = Store(store.folder, patience=0.2)
    with another_writer(store.folder):
        with pytest.raises(StoreBusy) as refused:
            teach(impatient)
        assert impatient.rows() == [row]
        assert [entry.status for entry in impatient.entries()] == ["live"]
    assert str(refused.value) == (
        f"another process has been writing to {store.folder} for over 0.2 s; nothing was added. "
        "Try again when it is done."
    )
    assert not list(store.folder.rglob("*" + UNFINISHED))
    teach(impatient)
    assert [row.body["prompt"] for row in store.rows()] == ["p", "theirs", "p"]
    impatient.close()


def test_a_second_writer_waits_and_then_proceeds(store: Store) -> None:
    with another_writer(store.folder) as let_go:
        threading.Timer(0.3, let_go).start()
        teach(store, "ours")
    assert [row.body["prompt"] for row in store.rows()] == ["theirs", "ours"]


def test_writing_may_be_nested(store: Store) -> None:
    with store.writing(), store.writing():
        teach(store)
    assert len(store.rows()) == 1


def test_an_error_while_writing_gives_the_lock_back(store: Store) -> None:
    with pytest.raises(MemoirError, match="on purpose"), store.writing():
        raise MemoirError("on purpose")
    teach(store)
    assert len(store.rows()) == 1


def test_what_a_dead_process_was_writing_is_swept_at_the_next_write(store: Store) -> None:
    row = teach(store)
    left = store.folder / "tensors" / ("0123456789.safetensors" + UNFINISHED)
    left.write_bytes(b"half a ten")
    assert len(Store(store.folder).entries()) == 1
    never_acknowledged = store.folder / "tensors" / "fedcba9876.safetensors"
    never_acknowledged.write_bytes(b"whole, but the process died before its row")
    assert left.exists()  # reading changes nothing
    teach(Store(store.folder))
    assert not left.exists()
    assert not never_acknowledged.exists()
    assert (store.folder / str(row.file)).exists()


def test_a_log_that_takes_no_row_leaves_no_tensor_file(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: object) -> Row:
        raise StoreFull("no space")

    monkeypatch.setattr(store._log, "append", refuse)
    with pytest.raises(StoreFull):
        teach(store)
    assert list((store.folder / "tensors").iterdir()) == []
