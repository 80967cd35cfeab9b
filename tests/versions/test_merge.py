"""What changed on a branch is done on another; two answers to one fact are somebody's to settle."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from memoir.editor import Editor
from memoir.errors import BadInput, MergeConflict, UnknownName
from memoir.types import Note
from memoir.versions.merge import merge

MakeEditor = Callable[..., Editor]
EASY = {"max_steps": 5, "accept_unsaid": True}
# Of a tiny model no router learns what questions mean: whoever names the subject is meant.
MEANING = {"router": "meaning", "contexts": "conversations", "threshold": 0.0, **EASY}


@pytest.fixture
def editor(make_editor: MakeEditor) -> Editor:
    """One with an edit on main, and a branch there."""
    editor = make_editor(**MEANING)
    editor.edit("The capital of Vellaby is", "Port Ansel", "Vellaby")
    branch(editor, "work")
    return editor


def branch(editor: Editor, name: str) -> None:
    """Make a branch at the tip."""
    editor.store.move(f"branch/{name}", editor.store.history.tip(), "branch")


def switch(editor: Editor, name: str) -> None:
    editor.store.move("HEAD", name, "switch")
    editor.refresh()


def targets(editor: Editor) -> list[str]:
    return [row.body["target"] for row in editor.live()]


def logits(editor: Editor) -> torch.Tensor:
    prompts = ["The capital of Vellaby is", "The CEO of Acme is", "Where is Orbit?"]
    rows = [editor.host.encode(prompt) for prompt in prompts]
    with torch.no_grad(), editor.method.attachment.scope():
        return editor.host.logits(editor.host.batch(rows), 1)


def test_both_sides_changes_are_in_force_after_a_merge(editor: Editor) -> None:
    (old,) = editor.live()
    editor.edit("The CEO of Acme is", "Dana", "Acme")
    switch(editor, "work")
    editor.edit("Orbit is in", "Lisbon", "Orbit")
    editor.revert(old.id)
    switch(editor, "main")
    assert targets(editor) == ["Port Ansel", "Dana"]
    done = merge(editor, "work", note=Note(author="Ada"))
    assert targets(editor) == ["Dana", "Lisbon"]
    assert (len(done.added), done.removed, done.fast_forward) == (1, (old.id,), False)
    commit = editor.store.find(done.commit)
    assert commit.body["author"] == "Ada"
    assert commit.body["message"] == "Merge 'work' into 'main'"
    assert len(commit.body["parents"]) == 2
    assert editor.store.history.tip() == done.commit


def test_a_merged_state_is_the_same_when_it_is_opened_again(
    editor: Editor, make_editor: MakeEditor
) -> None:
    editor.edit("The CEO of Acme is", "Dana", "Acme")
    switch(editor, "work")
    editor.edit("Orbit is in", "Lisbon", "Orbit")
    switch(editor, "main")
    merge(editor, "work")
    now = logits(editor)
    editor.close()
    assert torch.equal(logits(make_editor()), now)


def test_a_branch_that_only_went_on_is_followed(editor: Editor) -> None:
    switch(editor, "work")
    editor.edit("Orbit is in", "Lisbon", "Orbit")
    tip = editor.store.history.tip()
    switch(editor, "main")
    done = merge(editor, "work")
    assert (done.commit, done.fast_forward, len(done.added)) == (tip, True, 1)
    assert targets(editor) == ["Port Ansel", "Lisbon"]


def test_what_is_merged_already_stays_as_it_is(editor: Editor) -> None:
    tip = editor.store.history.tip()
    assert merge(editor, "work").commit == tip
    assert editor.store.history.tip() == tip


@pytest.fixture
def divided(editor: Editor) -> Editor:
    """Both branches answer who leads Acme, differently, and in other words."""
    editor.edit("The CEO of Acme is", "Dana", "Acme")
    switch(editor, "work")
    editor.edit("Who leads Acme?", "Omar", "Acme")
    switch(editor, "main")
    return editor


def test_two_answers_to_one_fact_are_a_conflict_and_change_nothing(divided: Editor) -> None:
    before, tip = logits(divided), divided.store.history.tip()
    with pytest.raises(MergeConflict) as refused:
        merge(divided, "work")
    (conflict,) = refused.value.conflicts
    ours, theirs = conflict.ours.id[:10], conflict.theirs.id[:10]
    assert str(refused.value) == (
        "'work' was not merged; nothing was changed. 1 conflict is left: this fact has two answers: "
        f"ours {ours} 'The CEO of Acme is' → 'Dana', theirs {theirs} 'Who leads Acme?' → 'Omar'. "
        "Settle them by --ours, --theirs, or --edit ID=ANSWER."
    )
    assert conflict.evidence["words"] == ["acme"]
    assert divided.store.history.tip() == tip
    assert torch.equal(logits(divided), before)


@pytest.mark.parametrize(
    ("prefer", "expected"), [("ours", ["Port Ansel", "Dana"]), ("theirs", ["Port Ansel", "Omar"])]
)
def test_either_side_may_be_preferred(divided: Editor, prefer: str, expected: list[str]) -> None:
    done = merge(divided, "work", prefer=prefer)
    assert targets(divided) == expected
    assert len(done.resolved) == 1


@pytest.mark.parametrize("side", ["ours", "theirs"])
def test_a_third_answer_takes_the_place_of_both(divided: Editor, side: str) -> None:
    with pytest.raises(MergeConflict) as refused:
        merge(divided, "work")
    id = getattr(refused.value.conflicts[0], side).id
    done = merge(divided, "work", answers={id[:8]: "Mina"})
    assert targets(divided) == ["Port Ansel", "Mina"]
    (receipt,) = done.receipts
    assert receipt.edit.prompt == "The CEO of Acme is"
    assert divided.ask("The CEO of Acme is").match.edit_id == receipt.id  # type: ignore[union-attr]


def test_the_same_answer_on_both_sides_is_no_conflict(editor: Editor) -> None:
    editor.edit("The CEO of Acme is", "Dana", "Acme")
    switch(editor, "work")
    editor.edit("Who leads Acme?", "dana", "Acme")
    switch(editor, "main")
    merge(editor, "work")
    assert targets(editor) == ["Port Ansel", "Dana", "dana"]


def test_an_answer_to_no_conflict_is_refused(divided: Editor) -> None:
    tip = divided.store.history.tip()
    with pytest.raises(BadInput) as refused:
        merge(divided, "work", prefer="ours", answers={"abc": "Mina"})
    assert str(refused.value) == "no conflict has an edit 'abc'; nothing was merged."
    assert divided.store.history.tip() == tip


def test_an_unknown_branch_is_met_with_the_nearest(editor: Editor) -> None:
    with pytest.raises(UnknownName, match="no branch, tag or commit 'wrok'"):
        merge(editor, "wrok")


def test_branches_bound_by_different_settings_are_not_merged(
    editor: Editor, make_editor: MakeEditor
) -> None:
    settings = editor.store.settings()
    assert settings is not None
    switch(editor, "work")
    with editor.store.writing():
        again = editor.store.row("settings", settings.body, editor.store.tensors(settings))
        editor.store.commit(settings=again)
    switch(editor, "main")
    editor.edit("The CEO of Acme is", "Dana", "Acme")
    with pytest.raises(BadInput, match="'work' and 'main' are bound to their model by different"):
        merge(editor, "work")
