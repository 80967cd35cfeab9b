"""The store: what it refuses, what it remembers, and that one process writes at a time."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

import unfitted
from memoir.errors import (
    BadInput,
    MemoirError,
    NotAStore,
    StoreBusy,
    StoreDamaged,
    StoreError,
    StoreFull,
    UnknownName,
)
from memoir.store import Row, Store, rows, short
from memoir.store.log import Log
from memoir.store.store import author, checked_name
from memoir.store.tensors import UNFINISHED
from memoir.types import Edit, Note
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


def prompts(store: Store) -> list[str]:
    """Of all edits that were ever stored, in order."""
    return [row.body["prompt"] for row in store.log.rows(kind="edit")]


def names(store: Store) -> list[tuple[str, str | None, str]]:
    """All moves of names."""
    return [(move.ref, move.target, move.why) for move in store.log.moves()]


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


# ---------------------------------------------------------------------- commits


def test_a_commit_says_what_changed_who_did_it_and_why(store: Store) -> None:
    settings = unfitted.bind(store)
    bound = store.history.tip()
    with store.writing():
        edits = [unfitted.row(store, prompt) for prompt in "ab"]
        commit = store.commit(edits, note=Note("Two facts", "Ann", ("gate",)), why="edit")
    assert commit.body == {
        "parents": [bound],
        "author": "Ann",
        "message": "Two facts",
        "settings": None,
        "add": [row.id for row in edits],
        "remove": [],
        "forced": ["gate"],
    }
    assert store.find(commit.id, "commit") == commit
    assert names(store) == [("branch/main", bound, "init"), ("branch/main", commit.id, "edit")]
    assert [row.id for row in store.live()] == commit.body["add"]
    assert (store.live(bound), store.settings(commit.id)) == ([], settings)


def test_edits_come_into_force_in_the_order_of_commits(store: Store) -> None:
    first, second, third = (teach(store, name) for name in "abc")
    store.revert([first.id])
    with store.writing():
        store.commit([first], why="again")  # a stored row is not stored twice
    assert store.live() == [second, third, first]
    assert prompts(store) == ["a", "b", "c"]


def test_a_second_opening_follows_commits_moves_and_switches(store: Store) -> None:
    first = teach(store, "a")
    other = Store(store.folder)
    tip = other.history.tip()
    assert other.live() == [first]
    store.move("branch/work", tip, "branch")
    store.move("HEAD", "work", "switch")
    second = teach(store, "b")
    assert other.history.branch == "work"
    assert (other.live(), other.live(tip)) == ([first, second], [first])
    store.move("HEAD", "main", "switch")
    store.move("branch/work", None, "branch --delete")
    assert (other.history.branch, other.history.branches) == ("main", {"main": tip})
    assert other.live() == [first]
    other.close()


def test_a_commit_may_be_given_other_parents(store: Store) -> None:
    teach(store, "a")
    base = store.history.tip()
    teach(store, "b")
    one = store.history.tip()
    assert base is not None
    assert one is not None
    with store.writing():
        other = store.commit([unfitted.row(store, "c")], parents=[base], why="rebase")
        merge = store.commit(
            [store.find(store.history.nodes[one].add[0])], parents=[other.id, one], why="merge"
        )
    assert [row.body["prompt"] for row in store.live(other.id)] == ["a", "c"]
    assert [row.body["prompt"] for row in store.live(merge.id)] == ["a", "c", "b"]
    assert [entry.commit for entry in store.entries()][1:] == [one, other.id]


def test_the_author_is_the_one_named_or_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMOIR_AUTHOR", " Ann Arbor ")
    assert author() == "Ann Arbor"
    monkeypatch.delenv("MEMOIR_AUTHOR")
    monkeypatch.setenv("LOGNAME", "ann")
    assert author() == "ann"


@pytest.mark.parametrize("name", ["main", "v1.0", "team/ann/try-2", "Ünder_line"[1:]])
def test_a_name_of_letters_digits_and_signs_between_them_is_taken(name: str) -> None:
    assert checked_name(name) == name


@pytest.mark.parametrize(
    "name", ["", "HEAD", "a b", "-a", "a/", "/a", "a//b", "a~1", "a..b c", "a\n"]
)
def test_another_name_is_refused_in_words(name: str) -> None:
    with pytest.raises(BadInput) as refused:
        checked_name(name)
    assert str(refused.value) == (
        f"'{name}' cannot name a branch or a tag: use letters, digits, and . _ - / between them."
    )


# ---------------------------------------------------------------------- taking back


def test_reverting_adds_a_commit_and_keeps_the_edit(store: Store) -> None:
    kept, taken = teach(store, "kept"), teach(store, "taken")
    commit = store.revert([taken.id[:6]])
    assert (commit.kind, commit.body["add"], commit.body["remove"]) == ("commit", [], [taken.id])
    assert commit.body["message"] == "Revert 'taken'"
    assert store.log.rows(kind="edit") == [kept, taken]
    assert store.live() == [kept]
    assert [entry.status for entry in store.entries()] == ["live", "reverted"]


def test_several_are_taken_back_by_one_commit_all_or_none(store: Store) -> None:
    first, second, third = (teach(store, name) for name in "abc")
    before = store.log.rows()
    with pytest.raises(UnknownName, match="no edit 'zzz' in"):
        store.revert([first.id, "zzz"])
    assert (store.log.rows(), store.live()) == (before, [first, second, third])
    commit = store.revert([first.id, third.id], Note(author="Ann"))
    assert commit.body["remove"] == [first.id, third.id]
    assert (commit.body["message"], commit.body["author"]) == ("Revert 2 edits", "Ann")
    assert store.live() == [second]


def test_reverting_twice_is_refused_and_adds_nothing(store: Store) -> None:
    row = teach(store)
    store.revert([row.id])
    before = store.log.rows()
    with pytest.raises(UnknownName) as refused:
        store.revert([row.id])
    assert str(refused.value) == f"'{short(row.id)}' is reverted already; see: memoir log"
    assert store.log.rows() == before


def test_an_edit_of_another_branch_is_not_taken_back_here(store: Store) -> None:
    teach(store, "a")
    store.move("branch/work", store.history.tip(), "branch")
    row = teach(store, "b")
    store.move("HEAD", "work", "switch")
    with pytest.raises(UnknownName) as refused:
        store.revert([row.id])
    assert str(refused.value) == f"'{short(row.id)}' is not on branch 'work'; see: memoir log"
    with pytest.raises(UnknownName) as refused:
        store.entry(row.id)
    assert str(refused.value) == (
        f"edit '{short(row.id)}' was not made on branch 'work'; see: memoir log --all"
    )


def test_a_reverted_edit_is_not_read_so_its_file_may_be_gone(store: Store) -> None:
    row = teach(store)
    store.revert([row.id])
    unfitted.file(store, row).unlink()
    assert store.entry(row.id).status == "reverted"


# ---------------------------------------------------------------------- damage


def test_a_damaged_file_is_named_and_everything_else_stays_readable(store: Store) -> None:
    live, reverted, altered, missing = (teach(store, name) for name in "abcd")
    store.revert([reverted.id])
    path = unfitted.file(store, altered)
    path.write_bytes(path.read_bytes()[:-1] + b"\xff")
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


# ---------------------------------------------------------------------- writing

HOLD = """
import sys
from memoir.store import Store

store = Store(sys.argv[1])
with store.writing():
    print("held", flush=True)
    sys.stdin.read()
    store.commit([store.row("edit", {"prompt": "theirs", "target": "t", "subject": None})])
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
    before = store.log.rows()
    impatient = Store(store.folder, patience=0.2)
    with another_writer(store.folder):
        with pytest.raises(StoreBusy) as refused:
            teach(impatient)
        with pytest.raises(StoreBusy):
            impatient.move("tag/v1", row.id, "tag")
        assert impatient.log.rows() == before
        assert impatient.live() == [row]
        assert [entry.status for entry in impatient.entries()] == ["live"]
    assert str(refused.value) == (
        f"another process has been writing to {store.folder} for over 0.2 s; nothing was added. "
        "Try again when it is done."
    )
    assert not list(store.folder.rglob("*" + UNFINISHED))
    teach(impatient)
    assert prompts(store) == ["p", "theirs", "p"]
    impatient.close()


def test_a_second_writer_waits_and_then_proceeds(store: Store) -> None:
    with another_writer(store.folder) as let_go:
        threading.Timer(0.3, let_go).start()
        teach(store, "ours")
    assert prompts(store) == ["theirs", "ours"]


def test_writing_may_be_nested(store: Store) -> None:
    with store.writing(), store.writing():
        teach(store)
    assert prompts(store) == ["p"]


def test_an_error_while_writing_gives_the_lock_back(store: Store) -> None:
    with pytest.raises(MemoirError, match="on purpose"), store.writing():
        raise MemoirError("on purpose")
    teach(store)
    assert prompts(store) == ["p"]


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
    assert unfitted.file(store, row).exists()


def test_a_log_that_takes_no_row_leaves_no_tensor_file_but_those_of_others(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = teach(store, "kept", 1.0)

    def refuse(*_args: object) -> list[Row]:
        raise StoreFull("no space")

    monkeypatch.setattr(store.log, "append", refuse)
    for value in (2.0, 1.0):  # the second's tensors are those of an edit that is in force
        with pytest.raises(StoreFull):
            teach(store, "p", value)
    assert list((store.folder / "tensors").iterdir()) == [unfitted.file(store, kept)]
    assert store.live() == [kept]


def test_what_was_written_stays_until_the_outermost_change_gave_up(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    with store.writing():
        row = unfitted.row(store)
        with monkeypatch.context() as patch:
            patch.setattr(
                Log, "append", lambda *_args: (_ for _ in ()).throw(StoreFull("no space"))
            )
            with pytest.raises(StoreFull):
                store.commit([row])
        store.commit([row])  # somebody made room
    assert [entry.status for entry in store.entries()] == ["live"]


def test_a_row_is_not_made_where_another_process_may_sweep_its_file(store: Store) -> None:
    with pytest.raises(AssertionError, match=r"rows are made inside Store\.writing\(\)"):
        unfitted.row(store)
