"""The editor over commits: several edits as one change, and other states than the one in use."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from editing import EASY, FACTS, SHARED, same, spoil, state, teach
from memoir.editor import Editor
from memoir.errors import (
    LossNotFinite,
    NotAStore,
    StoreError,
    StoreFull,
    UnknownName,
)
from memoir.store import Store
from memoir.types import Edit, Note, Receipt
from memoir.versions.merge import merge

MakeEditor = Callable[..., Editor]

# ---------------------------------------------------------------------- one change

KINDS = pytest.mark.parametrize(
    "settings",
    [EASY, SHARED, {**SHARED, "batch_size": 1}, {**EASY, "batch_size": 2}],
    ids=["isolated", "shared", "shared, one by one", "two by two"],
)


@KINDS
def test_edits_taught_together_are_one_commit(
    make_editor: MakeEditor, settings: dict[str, object]
) -> None:
    editor = make_editor(**settings)
    tip = editor.store.history.tip()
    told: list[object] = []
    results = editor.edit_many(FACTS, told.append, note=Note("All", "Ann"), together=True)
    assert told == results
    (commit,) = editor.store.history.since(tip, editor.store.history.tip()) or []
    row = editor.store.find(commit)
    assert row.body["add"] == [result.id for result in results if isinstance(result, Receipt)]
    assert (row.body["message"], row.body["author"]) == ("All", "Ann")
    assert {result.commit for result in results if isinstance(result, Receipt)} == {commit}
    expected = state(editor)
    assert len(editor) == 3
    editor.refresh()
    assert same(state(editor), expected)
    editor.close()
    assert same(state(make_editor()), expected)


@KINDS
@pytest.mark.parametrize("bad", [0, 1, 3])
def test_edits_taught_together_are_none_when_one_is_refused(
    make_editor: MakeEditor,
    monkeypatch: pytest.MonkeyPatch,
    settings: dict[str, object],
    bad: int,
) -> None:
    editor = make_editor(**settings)
    teach(editor, [Edit("The first fact is", "true"), Edit("The next one is", "no")])
    editor.revert(editor.log()[0].row.id)
    before, rows = state(editor), editor.store.log.rows()
    files = set((editor.store.folder / "tensors").iterdir())
    spoil(monkeypatch, editor, "#")
    facts = [*FACTS[:bad], Edit("Number # is", "nine"), *FACTS[bad:]]
    told: list[object] = []
    with pytest.raises(LossNotFinite):
        editor.edit_many(facts, told.append, together=True)
    assert told == []
    assert same(state(editor), before)
    assert editor.store.log.rows() == rows
    assert set((editor.store.folder / "tensors").iterdir()) == files
    assert len(editor) == 1
    monkeypatch.undo()
    editor.close()
    assert same(state(make_editor()), before)


def test_edits_taught_together_are_none_when_they_cannot_be_written(
    make_editor: MakeEditor, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor = make_editor(**EASY)
    before = state(editor)
    files = set((editor.store.folder / "tensors").iterdir())

    def refuse(*_args: object) -> None:
        raise StoreFull("no space")

    with monkeypatch.context() as patch:
        patch.setattr(editor.store.log, "append", refuse)
        with pytest.raises(StoreFull):
            editor.edit_many(FACTS, together=True)
    assert same(state(editor), before)
    assert set((editor.store.folder / "tensors").iterdir()) == files
    editor.edit_many(FACTS, together=True)
    assert len(editor) == 3


# ---------------------------------------------------------------------- branches, tags, commits


def test_an_editor_at_a_commit_has_the_bits_of_then(make_editor: MakeEditor) -> None:
    editor = make_editor(**EASY)
    states = {editor.store.history.tip(): state(editor)}
    for fact in FACTS:
        editor.edit(fact.prompt, fact.target)
        states[editor.store.history.tip()] = state(editor)
    editor.revert(editor.log()[0].row.id, editor.log()[2].row.id)
    states[editor.store.history.tip()] = state(editor)
    for commit, then in states.items():
        assert same(state(make_editor(at=commit)), then)
    assert same(state(make_editor(at="HEAD~2")), list(states.values())[-3])
    editor.store.move("tag/v1", list(states)[2], "tag")
    assert same(state(make_editor(at="v1")), list(states.values())[2])


@pytest.mark.parametrize("at", ["HEAD~1", "v1"])
def test_an_editor_at_another_state_asks_and_stays_and_changes_nothing(
    make_editor: MakeEditor, at: str
) -> None:
    editor = make_editor(**EASY)
    first, *_ = teach(editor, FACTS[:2])
    editor.store.move("tag/v1", first.commit, "tag")
    teach(editor, FACTS[2:])
    other = make_editor(at=at)
    before, rows = state(other), editor.store.log.rows()
    for change in (
        lambda: other.edit("One more fact is", "true"),
        lambda: other.edit_many(FACTS, together=True),
        lambda: other.revert(first.id),
        lambda: other.calibrate(),
    ):
        with pytest.raises(StoreError) as refused:
            change()
        assert str(refused.value) == (
            "this editor looks at a commit or a tag, which stay as they are; look at a branch "
            "to change it (memoir switch)."
        )
    editor.edit("One more fact is", "true")
    if at == "v1":
        editor.store.move("tag/v1", editor.store.history.tip(), "tag")
    other.refresh()
    assert same(state(other), before)
    assert len(editor.store.log.rows()) == len(rows) + 2


def test_an_editor_of_a_branch_changes_that_one_whichever_is_in_use(
    make_editor: MakeEditor,
) -> None:
    editor = make_editor(**EASY)
    teach(editor, FACTS[:1])
    store = editor.store
    store.move("branch/work", store.history.tip(), "branch")
    work, main = make_editor(at="work"), make_editor(at="main")
    assert (editor.branch, work.branch, main.branch) == ("main", "work", "main")
    work.edit(FACTS[1].prompt, FACTS[1].target)
    assert [len(store.live(store.history.tip(each))) for each in ("main", "work")] == [1, 2]
    store.move("HEAD", "work", "switch")
    main.edit(FACTS[2].prompt, FACTS[2].target)
    main.revert(main.live()[0].id)
    for each in (editor, work, main):
        each.refresh()
    told = [[row.body["target"] for row in each.live()] for each in (editor, work, main)]
    assert told == [["Dana", "Oslo"], ["Dana", "Oslo"], ["red"]]
    work.close()
    assert same(state(make_editor(at="work")), state(editor))


def test_what_is_not_on_the_branch_that_is_changed_is_named(make_editor: MakeEditor) -> None:
    editor = make_editor(**EASY)
    editor.store.move("branch/work", editor.store.history.tip(), "branch")
    (receipt,) = teach(editor, FACTS[:1])
    work = make_editor(at="work")
    before = editor.store.log.moves()
    for word, what in ((receipt.id, receipt.id[:10]), (receipt.commit, receipt.commit)):
        assert what is not None
        with pytest.raises(UnknownName, match=f"{what[:10]}'? is not on branch 'work'; see"):
            work.revert(str(word))
    assert editor.store.log.moves() == before


def test_a_merge_goes_to_the_branch_of_its_editor(make_editor: MakeEditor) -> None:
    editor = make_editor(**EASY)
    editor.store.move("branch/work", editor.store.history.tip(), "branch")
    editor.store.move("branch/other", editor.store.history.tip(), "branch")
    work, other = make_editor(at="work"), make_editor(at="other")
    teach(work, FACTS[:1])
    assert merge(other, "work").fast_forward
    teach(work, FACTS[1:2])
    teach(other, FACTS[2:])
    merge(other, "work")
    tips = (editor.store.history.tip(each) for each in ("main", "work", "other"))
    assert [len(editor.store.live(tip)) for tip in tips] == [0, 2, 3]
    assert len(other) == 3
    message = editor.store.find(other.at).body["message"]
    assert message == "Merge 'work' into 'other'"


def test_an_editor_follows_a_switch_that_another_store_made(make_editor: MakeEditor) -> None:
    editor = make_editor(**EASY)
    teach(editor, FACTS[:1])
    on_main = state(editor)
    other = Store(editor.store.folder)
    other.move("branch/work", other.history.tip(), "branch")
    other.move("HEAD", "work", "switch")
    editor.edit(FACTS[1].prompt, FACTS[1].target)  # is on the new branch
    on_work = state(editor)
    assert other.history.branch == "work"
    assert [len(other.live(each)) for each in other.history.branches.values()] == [1, 2]
    for branch, expected in (("main", on_main), ("work", on_work), ("main", on_main)):
        other.move("HEAD", branch, "switch")
        editor.refresh()
        assert same(state(editor), expected)
    other.close()


def test_an_editor_follows_a_branch_that_was_moved_back(make_editor: MakeEditor) -> None:
    editor = make_editor(**EASY)
    first, *_ = teach(editor, FACTS[:1])
    before = state(editor)
    teach(editor, FACTS[1:])
    editor.store.move("branch/main", first.commit, "reset")
    editor.refresh()
    assert same(state(editor), before)
    assert len(editor) == 1


def test_a_state_that_does_not_exist_is_refused_in_words(
    make_editor: MakeEditor, tmp_path: Path
) -> None:
    make_editor(**EASY).close()
    with pytest.raises(UnknownName, match="no branch, tag or commit 'wrok'"):
        make_editor(at="wrok")
    with pytest.raises(NotAStore) as refused:
        Editor.open("no-model-is-loaded", tmp_path / "new", at="main")
    assert str(refused.value) == (
        f"{tmp_path / 'new'} holds no memoir store, so there is no state 'main' to look at; leave it "
        "out to make a new store."
    )
    assert not (tmp_path / "new").exists()
