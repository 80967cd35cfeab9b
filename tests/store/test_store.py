"""The store: what it refuses, what it remembers, and what it finds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

import unfitted
from memoir.errors import (
    NotAStore,
    StoreDamaged,
    StoreError,
    UnknownName,
)
from memoir.store import Store, rows, short
from memoir.store.log import Log
from memoir.types import Edit
from unfitted import teach


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store.create(tmp_path / "store")
    yield store
    store.close()


@pytest.fixture
def ids(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Choose the ids of edits to come; those of commits stay their own."""
    identity = rows.identity

    def choose(*names: str) -> None:
        given = iter(names)

        def chosen(kind: str, *content: object) -> str:
            return next(given) if kind == "edit" else identity(kind, *content)  # type: ignore[arg-type]

        monkeypatch.setattr(rows, "identity", chosen)

    return choose


# ---------------------------------------------------------------------- making and opening


def test_a_new_store_is_empty_and_makes_missing_folders(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b" / "facts"
    assert not Store.exists(folder)
    store = Store.create(folder)
    assert Store.exists(folder)
    assert store.log.rows() == []
    assert (store.entries(), store.live(), store.settings()) == ([], [], None)
    assert (store.history.branch, store.history.tip()) == ("main", None)
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
    assert again.live() == again.log.rows(kind="edit") == [row]
    assert torch.equal(again.tensors(row)["x"], torch.full((8,), 2.5))
    assert again.size(row) == unfitted.file(store, row).stat().st_size > 32
    again.close()


def test_a_row_without_tensors_has_no_file(store: Store) -> None:
    row = unfitted.bind(store)
    assert (row.sha256, store.tensors(row), store.size(row)) == (None, {}, 0)
    assert store.settings() == row


# ---------------------------------------------------------------------- finding


def test_a_row_is_found_by_its_id_or_a_beginning_only_it_has(
    store: Store, ids: Callable[..., None]
) -> None:
    ids("abc123", "abd456")
    first, second = teach(store), teach(store)
    assert store.find("abc123") == first
    assert store.find("abd") == second
    assert store.find("abd", "edit") == second


def test_a_beginning_of_several_ids_is_refused_and_lists_them(
    store: Store, ids: Callable[..., None]
) -> None:
    ids("abc123", "abd456")
    teach(store), teach(store)
    with pytest.raises(UnknownName) as refused:
        store.find("ab")
    message = str(refused.value)
    assert message.startswith("'ab' is the beginning of several ids: abc123 (edit), abd456 (edit)")
    assert message.endswith("; give more of it.")


def test_a_beginning_is_looked_up_among_rows_of_the_kind_that_is_meant(store: Store) -> None:
    for _ in range(40):  # more commits than one look-up lists begin like any edit
        teach(store)
    for edit in store.live():
        digit = edit.id[0]
        others = [row for row in store.live() if row.id.startswith(digit)]
        if len(others) == 1:
            assert store.find(digit, "edit") == edit
        else:
            with pytest.raises(UnknownName, match=f"'{digit}' is the beginning of several ids"):
                store.find(digit, "edit")


@pytest.mark.parametrize("id", ["zzz", "", "%", "ABC"])
def test_an_unknown_id_points_to_the_log(store: Store, id: str) -> None:
    teach(store)
    with pytest.raises(UnknownName) as refused:
        store.find(id)
    assert str(refused.value) == f"no entry '{id}' in {store.folder}; see: memoir log"


def test_an_entry_that_is_no_edit_is_not_found_as_one(store: Store) -> None:
    row = unfitted.bind(store)
    assert store.find(row.id, "settings") == row
    with pytest.raises(UnknownName) as refused:
        store.entry(row.id)
    assert str(refused.value) == f"no edit '{row.id}' in {store.folder}; see: memoir log"


# ---------------------------------------------------------------------- damage


def test_a_damaged_file_is_named_and_everything_else_stays_readable(store: Store) -> None:
    live, reverted, altered, missing = (teach(store, name) for name in "abcd")
    store.revert([reverted.id])
    path = unfitted.file(store, altered)
    path.write_bytes(path.read_bytes()[:-1])
    unfitted.file(store, missing).unlink()

    entries = store.entries()
    assert [entry.status for entry in entries] == ["live", "reverted", "damaged", "damaged"]
    assert [entry.edit for entry in entries] == [Edit(name, "t") for name in "abcd"]
    assert entries[0].note is None
    assert str(path) in str(entries[2].note)
    assert "was truncated or altered" in str(entries[2].note)
    assert entries[3].note == (
        f"{unfitted.file(store, missing)} cannot be read: No such file or directory. memoir gc removes "
        "such a file once no branch or tag has led to its edit for some time; restore it from a copy, "
        "or teach the edit anew."
    )
    assert len(store.tensors(live)["x"]) == 8
    with pytest.raises(StoreDamaged):
        store.tensors(altered)


def test_a_damaged_edit_can_be_taken_back(store: Store) -> None:
    row = teach(store)
    unfitted.file(store, row).unlink()
    store.revert([row.id])
    assert store.entry(row.id).status == "reverted"


def test_a_row_or_a_commit_that_was_lost_is_named(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    lost = teach(store, "a")
    old = store.history.tip()
    teach(store, "b")
    assert old is not None
    get = Log.get
    monkeypatch.setattr(
        Log, "get", lambda self, ids: {k: v for k, v in get(self, ids).items() if k != lost.id}
    )
    for read in (store.live, store.entries):
        with pytest.raises(StoreDamaged) as refused:
            read()
        assert str(refused.value) == (
            f"the log of {store.folder} has lost the row {short(lost.id)}, which its history names. "
            "See what else is damaged with memoir fsck, and restore the store from a copy."
        )
    again = Store(store.folder)
    del again.history.nodes[old]
    with pytest.raises(StoreDamaged) as refused:
        again.live()
    assert str(refused.value) == (
        f"the log has lost the commit {short(old)}, which its history names. See what else is "
        "damaged with memoir fsck, and restore the store from a copy."
    )
    again.close()
