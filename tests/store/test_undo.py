"""A revert is the inverse of what it names: one commit, all of it or nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from histories import bound, edit, prompts, taught
from memoir.errors import BadInput, MemoirError, StoreError, UnknownName
from memoir.store import Store, short
from memoir.types import Note


@pytest.fixture
def abc(tmp_path: Path) -> Store:
    return taught(tmp_path / "store", "abc")[0]


def line(store: Store) -> list[str]:
    return store.history.line(store.history.tip())


def refusal(store: Store, *words: str) -> tuple[type, str]:
    """The error of a revert, which must leave everything as it was."""
    before = store.history.refs.copy(), prompts(store)
    with pytest.raises(MemoirError) as refused:
        store.revert(words)
    assert (store.history.refs, prompts(store)) == before
    return refused.type, str(refused.value)


def test_an_edit_leaves_and_the_others_stay(abc: Store) -> None:
    row = abc.live()[1]
    done = abc.revert([short(row.id)])
    assert prompts(abc) == ["a", "c"]
    assert (done.body["remove"], done.body["add"]) == ([row.id], [])
    assert done.body["message"] == "Revert 'b'"


def test_a_commit_leaves_with_all_it_brought_and_what_it_took_comes_back_last(abc: Store) -> None:
    first = abc.live()[0].id
    with abc.writing():
        change = abc.commit([edit(abc, "d"), edit(abc, "e")], [first], note=Note("Swap", "ann"))
    assert prompts(abc) == ["b", "c", "d", "e"]
    done = abc.revert([change.id])
    assert prompts(abc) == ["b", "c", "a"]
    assert done.body["message"] == "Revert 'Swap'"
    abc.revert(["HEAD"])
    assert prompts(abc) == ["b", "c", "d", "e"]


def test_a_range_leaves_without_its_beginning(abc: Store) -> None:
    done = abc.revert([f"{short(line(abc)[1])}..HEAD"])
    assert prompts(abc) == ["a"]
    assert done.body["message"] == f"Revert 2 commits ({short(line(abc)[1])}..HEAD)"
    abc.revert(["HEAD~1..HEAD"])
    assert prompts(abc) == ["a", "b", "c"]


def test_what_came_and_went_within_a_range_stays_away(abc: Store) -> None:
    abc.revert([abc.live()[2].id])
    abc.revert(["HEAD~3..HEAD"])  # the commits of b and c, and the revert of c
    assert prompts(abc) == ["a"]
    assert refusal(abc, "HEAD~3..HEAD~1")[1] == (
        "taking back HEAD~3..HEAD~1 changes nothing; nothing was added."
    )


def test_several_are_taken_back_at_once(abc: Store) -> None:
    rows = abc.live()
    done = abc.revert([rows[2].id, rows[0].id], Note("Both were wrong", "bo"))
    assert prompts(abc) == ["b"]
    assert (done.body["message"], done.body["author"]) == ("Both were wrong", "bo")
    assert done.body["remove"] == [rows[0].id, rows[2].id]


def test_an_edit_that_is_not_in_force_is_named(abc: Store) -> None:
    row = abc.live()[1]
    abc.revert([row.id])
    id = short(row.id)
    assert refusal(abc, id) == (UnknownName, f"'{id}' is reverted already; see: memoir log")
    other = short(abc.live()[0].id)
    assert refusal(abc, other, other) == (UnknownName, f"'{other}' is named twice; name it once.")
    commit = short(line(abc)[2])
    assert refusal(abc, commit) == (
        StoreError,
        f"commit {commit} cannot be taken back: edit {id} ('b'), which it brought into force, is not "
        "in force any more. Take back what took it back first, or name the other edits one by one.",
    )


def test_an_edit_that_is_in_force_again_is_not_restored_twice(abc: Store) -> None:
    row = abc.live()[1]
    removal = abc.revert([row.id])
    abc.revert([removal.id])
    assert refusal(abc, removal.id) == (
        StoreError,
        f"commit {short(removal.id)} cannot be taken back: edit {short(row.id)} ('b'), which it took "
        "back, is in force again. There is nothing of it left to undo.",
    )


def test_settings_are_not_reverted(abc: Store) -> None:
    binding = line(abc)[0]
    told = (
        "chose settings, which a revert does not change: edits were fitted under them. Choose others "
        "with: memoir calibrate; or begin a new store."
    )
    assert refusal(abc, binding) == (StoreError, f"commit {short(binding)} {told}")
    settings = abc.settings()
    assert settings is not None
    assert refusal(abc, settings.id) == (StoreError, f"'{short(settings.id)}' {told}")


def test_what_changes_nothing_is_refused(abc: Store) -> None:
    abc.commit(note=Note("Nothing"))
    assert refusal(abc, "HEAD") == (
        StoreError,
        "taking back HEAD changes nothing; nothing was added.",
    )


@pytest.mark.parametrize("word", ["..", "HEAD..", "..HEAD", "HEAD~1...HEAD"])
def test_a_range_has_two_ends(abc: Store, word: str) -> None:
    assert refusal(abc, word) == (
        BadInput,
        f"'{word}' is no range; give it as A..B: the commits after A up to B.",
    )


def test_a_range_begins_before_it_ends(abc: Store) -> None:
    ids = [short(id) for id in line(abc)]
    for word, start, end in (("HEAD..HEAD~1", ids[3], ids[2]), ("HEAD..HEAD", ids[3], ids[3])):
        assert refusal(abc, word) == (
            UnknownName,
            f"'{word}' holds no commits: {start} does not come before {end}. Give the older one "
            "first; see: memoir log --oneline",
        )


def test_a_commit_of_another_branch_is_refused(abc: Store) -> None:
    abc.move("branch/other", line(abc)[1], "branch")
    tip = line(abc)[-1]
    abc.move("HEAD", "other", "switch")
    assert refusal(abc, tip) == (
        UnknownName,
        f"commit {short(tip)} is not on branch 'other'; see: memoir log",
    )
    assert prompts(abc) == ["a"]


def test_an_unknown_word_is_refused(abc: Store) -> None:
    assert refusal(abc, "zzz")[1] == f"no entry 'zzz' in {abc.folder}; see: memoir log"
    assert refusal(abc, "HEAD~9")[1] == "'HEAD' has 3 commits before it; no 'HEAD~9'."


def test_a_new_store_has_nothing_to_take_back(tmp_path: Path) -> None:
    store = bound(tmp_path / "new")
    assert refusal(store, "HEAD")[0] is StoreError
