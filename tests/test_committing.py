"""Fitting keeps nobody from writing where edits are apart; what was fitted meanwhile still counts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

import unfitted
from editing import EASY, FACTS, PROMPTS, SHARED, same, state
from memoir.editor import Editor
from memoir.errors import EditRefused, StoreBusy
from memoir.methods.base import Change
from memoir.store import Store
from memoir.types import Edit

MakeEditor = Callable[..., Editor]


def meanwhile(editor: Editor, monkeypatch: pytest.MonkeyPatch, do: Callable[[Store], Any]) -> None:
    """Do something as another process would, while the first group of edits is fitted."""
    fit = type(editor.method).fit
    folder = editor.store.folder

    def fit_and_do(method: Any, edits: Sequence[Edit], *args: Any) -> list[Change | EditRefused]:
        monkeypatch.setattr(type(method), "fit", fit)
        other = Store(folder, patience=0.1)
        try:
            do(other)
        finally:
            other.close()
        return fit(method, edits, *args)

    monkeypatch.setattr(type(editor.method), "fit", fit_and_do)


@pytest.mark.parametrize("together", [False, True])
def test_another_process_writes_while_edits_are_fitted(
    make_editor: MakeEditor, monkeypatch: pytest.MonkeyPatch, together: bool
) -> None:
    editor = make_editor(**EASY)
    (first,) = editor.edit_many(FACTS[:1])
    meanwhile(editor, monkeypatch, lambda other: other.revert([first.id]))
    editor.edit_many(FACTS[1:2], together=together)
    assert [row.body["prompt"] for row in editor.live()] == [PROMPTS[1]]
    assert editor.ask(PROMPTS[1]).text.startswith("Oslo")


def test_a_memory_that_all_edits_share_is_fitted_while_nobody_else_writes(
    make_editor: MakeEditor, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor = make_editor(**SHARED)
    meanwhile(editor, monkeypatch, lambda other: unfitted.teach(other))
    with pytest.raises(StoreBusy, match="another process has been writing"):
        editor.edit_many(FACTS[:1])
    assert editor.store.log.rows(kind="edit") == []


def test_what_was_fitted_with_other_settings_is_fitted_again(
    make_editor: MakeEditor, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor = make_editor(**EASY)

    def rebind(other: Store) -> None:
        bound = other.settings()
        assert bound is not None
        config = {**bound.body["config"], "k": 8}
        row = {**bound.body, "config": config}
        with other.writing():
            other.commit(settings=other.row("settings", row, dict(other.tensors(bound))))

    meanwhile(editor, monkeypatch, rebind)
    (receipt,) = editor.edit_many(FACTS[:1])
    stored = editor.store.tensors(editor.store.find(receipt.id))
    assert editor.method.config.k == 8
    assert len(stored["columns"]) == 8


def test_of_edits_that_are_one_change_none_is_fitted_behind_one_that_was_refused(
    make_editor: MakeEditor,
) -> None:
    editor = make_editor(max_steps=1, batch_size=1)
    before, told = state(editor), list[tuple[str, int, int]]()
    with pytest.raises(EditRefused) as refused:
        editor.edit_many(FACTS, together=True, progress=lambda *given: told.append(given))
    assert refused.value.place == 0
    assert [given for given in told if given[0] == "editing"] == [("editing", 0, 3)]
    assert same(state(editor), before)
