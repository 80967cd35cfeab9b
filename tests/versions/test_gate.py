"""What breaks something is not committed, if the store is set to."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from memoir.editor import Editor
from memoir.errors import CheckFailed
from memoir.types import Edit
from memoir.versions import config, gate
from memoir.versions.check import Broken
from memoir.versions.merge import merge

MakeEditor = Callable[..., Editor]
# Of a tiny model no router learns what questions mean: whoever names the subject is meant.
MEANING = {"router": "meaning", "contexts": "conversations", "threshold": 0.0}
OMAR = Edit("The CEO of Acme is", "Omar", "Acme")


@pytest.fixture
def editor(make_editor: MakeEditor) -> Editor:
    """One whose store has a fact and a gate."""
    editor = make_editor(**MEANING)
    editor.edit("The CEO of Acme is", "Dana", "Acme")
    config.put(editor.store, "gate.on-commit", "true")
    gate.install(editor)
    return editor


def state(editor: Editor) -> tuple[object, ...]:
    said = editor.ask("The CEO of Acme is", max_new_tokens=5)
    return editor.store.history.tip(), [row.id for row in editor.live()], said


def test_a_change_that_breaks_a_fact_is_not_committed(editor: Editor) -> None:
    before = state(editor)
    with pytest.raises(CheckFailed) as refused:
        editor.edit(OMAR.prompt, OMAR.target, OMAR.subject)
    message = str(refused.value)
    assert (
        "with this change; it was not committed. The first: 'The CEO of Acme is' (edit " in message
    )
    assert message.endswith(
        "which does not begin with 'Dana'. Change it, or commit without the gate."
    )
    (first, *_) = refused.value.broken
    assert isinstance(first, Broken)
    assert (first.question.prompt, first.question.text) == ("The CEO of Acme is", "Dana")
    assert first.question.edit == editor.live()[0].id
    assert state(editor) == before


def test_a_change_that_breaks_nothing_is_committed(editor: Editor) -> None:
    editor.edit("Orbit is in", "Lisbon", "Orbit")
    assert len(editor) == 2
    assert editor.store.log.checks() == []  # what is not committed is no state to remember


def test_many_facts_at_once_are_guarded_too(editor: Editor) -> None:
    before = state(editor)
    with pytest.raises(CheckFailed):
        editor.edit_many([Edit("Orbit is in", "Lisbon", "Orbit"), OMAR], together=True)
    assert state(editor) == before


def test_a_merge_is_guarded_also_where_the_branch_only_moves_on(editor: Editor) -> None:
    history = editor.store.history
    editor.store.move("branch/work", history.tip(), "branch")
    editor.store.move("HEAD", "work", "switch")
    editor.review = None
    editor.edit(OMAR.prompt, OMAR.target, OMAR.subject)
    editor.store.move("HEAD", "main", "switch")
    editor.refresh()
    gate.install(editor)
    before = state(editor)
    with pytest.raises(CheckFailed):
        merge(editor, "work")
    assert state(editor) == before


def test_probes_of_the_gate_s_suite_guard_as_well(editor: Editor, tmp_path: Path) -> None:
    file = tmp_path / "probes.jsonl"
    file.write_text(json.dumps({"prompt": "Orbit is in", "must_never_say": "Lisbon"}))
    config.put(editor.store, "gate.suite", str(file))
    gate.install(editor)
    with pytest.raises(CheckFailed, match="says 'Lisbon'"):
        editor.edit("Orbit is in", "Lisbon", "Orbit")


def test_how_a_store_is_guarded_is_told(make_editor: MakeEditor, tmp_path: Path) -> None:
    store, file = make_editor(**MEANING).store, tmp_path / "probes.jsonl"
    assert gate.of(store) == gate.Gate(False)
    file.write_text(json.dumps({"prompt": "Orbit is in", "must_say": "Lisbon"}) + "\n")
    config.put(store, "gate.suite", str(file))
    config.put(store, "gate.on-commit", "true")
    assert gate.of(store) == gate.Gate(True, 1)
    file.write_text("{}")
    assert "a probe is a JSON object" in str(gate.of(store).trouble)
    file.unlink()
    assert str(file) in str(gate.of(store).trouble)


def test_a_take_back_is_never_held_up(editor: Editor) -> None:
    editor.revert(editor.live()[0].id)
    assert len(editor) == 0


def test_without_the_setting_nothing_is_guarded(make_editor: MakeEditor) -> None:
    editor = make_editor(**MEANING)
    gate.install(editor)
    assert editor.review is None
