"""Branches and tags: begun, switched to, moved and taken away, never silently losing anything."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from histories import prompts, taught, teach
from memoir.errors import BadInput, MemoirError, StoreError, UnknownName
from memoir.store import Store, short
from memoir.versions import branch, reset, switch, tag


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return taught(tmp_path / "store", "ab")[0]


def refusal(act: object, *given: object) -> tuple[type, str]:
    with pytest.raises(MemoirError) as refused:
        act(*given)  # type: ignore[operator]
    return refused.type, str(refused.value)


def test_branches_go_on_separately(store: Store) -> None:
    start = branch.create(store, "trial", "HEAD~1")
    assert (store.history.branch, store.history.branches["trial"]) == ("main", start)
    switch.switch(store, "trial")
    teach(store, "c")
    assert prompts(store) == ["a", "c"]
    assert switch.switch(store, "main") == store.history.tip("main")
    assert prompts(store) == ["a", "b"]


def test_a_branch_can_be_begun_and_used_at_once(store: Store) -> None:
    tip = store.history.tip()
    assert switch.switch(store, "team/trial.2", new=True) == tip
    assert store.history.branch == "team/trial.2"


def test_switching_to_the_branch_in_use_moves_nothing(store: Store) -> None:
    moves = len(store.log.moves())
    switch.switch(store, "main")
    assert len(store.log.moves()) == moves


def test_names_are_given_once(store: Store) -> None:
    tip = store.history.tip()
    assert tip is not None
    tag.create(store, "v1")
    branch.create(store, "trial")
    for kind, name in (("branch", "trial"), ("tag", "v1")):
        told = (
            f"there is a {kind} '{name}' already, at {short(tip)}; choose another name, or take that "
            f"one away: memoir {kind} {name} --delete"
        )
        for act in (branch.create, tag.create):
            assert refusal(act, store, name) == (StoreError, told)
    assert refusal(switch.switch, store, "trial", True)[0] is StoreError


@pytest.mark.parametrize("name", ["", "HEAD", "a b", "-x", "a..b", "a~1", "/a", "a/", "ä^"])
def test_some_names_nothing_may_have(store: Store, name: str) -> None:
    for act in (branch.create, tag.create):
        assert refusal(act, store, name) == (
            BadInput,
            f"'{name}' cannot name a branch or a tag: use letters, digits, and single . _ - / "
            "between them.",
        )


def test_unknown_names_are_refused_with_the_nearest(store: Store) -> None:
    tag.create(store, "v1")
    assert refusal(switch.switch, store, "mian") == (
        UnknownName,
        "no branch 'mian'. Did you mean 'main'? Available: main. Make it with: memoir switch "
        "--create mian",
    )
    assert refusal(switch.switch, store, "v1") == (
        UnknownName,
        "'v1' is a tag, which stays where it is. Begin a branch there and use that: memoir branch "
        "NAME v1, then memoir switch NAME",
    )
    assert refusal(tag.delete, store, "v2") == (
        UnknownName,
        "no tag 'v2'. Did you mean 'v1'? Available: v1.",
    )
    assert refusal(branch.create, store, "x", "nowhere")[0] is UnknownName
    assert "x" not in store.history.branches


def test_a_branch_in_use_is_not_deleted(store: Store) -> None:
    for force in (False, True):
        assert refusal(branch.delete, store, "main", force) == (
            StoreError,
            "branch 'main' is in use; switch to another one first: memoir switch NAME",
        )


def test_a_branch_that_nothing_else_leads_to_is_deleted_by_force_only(store: Store) -> None:
    switch.switch(store, "trial", new=True)
    teach(store, "c")
    tip = store.history.tip()
    assert tip is not None
    switch.switch(store, "main")
    assert refusal(branch.delete, store, "trial") == (
        StoreError,
        f"no other branch or tag leads to the last commit of branch 'trial' ({short(tip)}), so its "
        "edits would be lost sight of. Merge or tag it first, or delete it all the same with --force.",
    )
    tag.create(store, "kept", "trial")
    assert branch.delete(store, "trial") == tip
    branch.create(store, "trial", "kept")
    tag.delete(store, "kept")
    assert branch.delete(store, "trial", force=True) == tip
    branch.create(store, "again", tip)  # by its id it can be found still
    assert prompts(store, tip) == ["a", "b", "c"]


def test_a_branch_that_another_contains_is_deleted(store: Store) -> None:
    branch.create(store, "old", "HEAD~1")
    branch.delete(store, "old")
    assert list(store.history.branches) == ["main"]


def test_a_tag_stays_where_it_is(store: Store) -> None:
    named = tag.create(store, "v1")
    teach(store, "c")
    assert store.history.resolve("v1") == named == store.history.resolve("HEAD~1")
    assert tag.delete(store, "v1") == named
    assert store.history.tags == {}


def test_a_reset_names_what_it_leaves(store: Store) -> None:
    before = store.history.tip()
    moved = reset.reset(store, "HEAD~1")
    assert (moved.branch, moved.before, moved.after) == ("main", before, store.history.tip())
    assert prompts(store) == ["a"]
    assert moved.backup is not None
    assert re.fullmatch(r"backup/main-\d{8}-\d{6}", moved.backup)
    assert store.history.tags == {moved.backup: before}
    back = reset.reset(store, moved.backup)
    assert prompts(store) == ["a", "b"]
    assert back.backup not in (None, moved.backup)  # in the same second it is numbered
    assert [move.why for move in store.log.moves()[-4:]] == ["reset"] * 4


def test_a_reset_to_the_same_commit_does_nothing(store: Store) -> None:
    moves = len(store.log.moves())
    assert reset.reset(store, "main").backup is None
    assert len(store.log.moves()) == moves
    assert refusal(reset.reset, store, "nowhere")[0] is UnknownName
