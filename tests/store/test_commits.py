"""Commits: what they change, on which branch, by whom; and edits taken back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import unfitted
from memoir.errors import (
    BadInput,
    UnknownName,
)
from memoir.store import Store, short
from memoir.store.store import author, checked_name
from memoir.types import Note
from unfitted import teach


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store.create(tmp_path / "store")
    yield store
    store.close()


def prompts(store: Store) -> list[str]:
    """Of all edits that were ever stored, in order."""
    return [row.body["prompt"] for row in store.log.rows(kind="edit")]


def names(store: Store) -> list[tuple[str, str | None, str]]:
    """All moves of names."""
    return [(move.ref, move.target, move.why) for move in store.log.moves()]


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
        f"'{name}' cannot name a branch or a tag: use letters, digits, and single . _ - / "
        "between them."
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
    with pytest.raises(UnknownName, match="no entry 'zzz' in"):
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
