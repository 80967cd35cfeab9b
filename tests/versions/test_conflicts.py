"""What there is to say against an edit before it is made."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from memoir.calibration import Background
from memoir.editor import Editor
from memoir.types import Edit
from memoir.versions.conflicts import Objection, objections

MakeEditor = Callable[..., Editor]
EASY = {"max_steps": 5, "accept_unsaid": True}
# Of a tiny model no router learns what questions mean: whoever names the subject is meant.
MEANING = {"router": "meaning", "contexts": "conversations", "threshold": 0.0, **EASY}
DANA = Edit("The CEO of Acme is", "Dana", "Acme")


@pytest.fixture
def editor(make_editor: MakeEditor) -> Editor:
    return make_editor(**MEANING)


def kinds(found: list[Objection]) -> list[tuple[str, int]]:
    return [(each.kind, each.number) for each in found]


def test_a_new_fact_meets_no_objection(editor: Editor) -> None:
    editor.edit("The CEO of Acme is", "Dana", "Acme")
    assert objections(editor, [Edit("Orbit is in", "Lisbon", "Orbit")]) == []


def test_another_answer_to_the_same_prompt_contradicts_and_says_what_to_do(editor: Editor) -> None:
    receipt = editor.edit("The CEO of Acme is", "Dana", "Acme")
    (found,) = objections(editor, [Edit("the CEO of Acme is ", "Omar", "Acme")])
    assert (found.kind, found.others) == ("contradicts", (receipt.id,))
    assert found.what == (
        f"edit {receipt.id[:10]} answers the same prompt otherwise: 'The CEO of Acme is' → 'Dana'."
    )
    assert found.remedy == "Take that one back first, or leave this one out."
    assert found.evidence["same_prompt"] is True


def test_a_rephrase_contradicts_by_the_router_s_own_evidence(editor: Editor) -> None:
    receipt = editor.edit("The CEO of Acme is", "Dana", "Acme")
    (found,) = objections(editor, [Edit("Who leads Acme?", "Omar")])
    assert (found.kind, found.others) == ("contradicts", (receipt.id,))
    assert found.evidence["words"] == ["acme"]


def test_a_phrasing_contradicts_too(editor: Editor) -> None:
    receipt = editor.edit("The CEO of Acme is", "Dana", "Acme")
    edit = Edit("The boss there is", "Omar", phrasings=("The CEO of Acme is",))
    found = [each.others for each in objections(editor, [edit]) if each.kind == "contradicts"]
    assert found == [(receipt.id,)]


def test_edits_of_one_change_are_held_against_each_other(editor: Editor) -> None:
    found = objections(editor, [DANA, Edit("Who leads Acme?", "Omar", "Acme")])
    assert kinds(found) == [("contradicts", 1)]
    assert found[0].what.startswith(
        "edit 1 of the same change is taken to be about the same (score "
    )
    assert found[0].what.endswith("and answers otherwise: 'The CEO of Acme is' → 'Dana'.")
    assert found[0].remedy == (
        "Leave this one out; if they are different facts, make it all the same."
    )


def test_the_same_answer_again_does_not_contradict(editor: Editor) -> None:
    editor.edit("The CEO of Acme is", "Dana", "Acme")
    assert "contradicts" not in dict(kinds(objections(editor, [Edit("Who leads Acme?", "dana")])))


def test_an_older_edit_that_would_be_answered_is_shadowed(editor: Editor) -> None:
    """The new edit's prompt does not name what the old one is about, but the old one's does."""
    old = editor.edit(
        "The CEO of Acme Rockets of Oakhollow is", "Dana", "Acme Rockets of Oakhollow"
    )
    found = objections(editor, [Edit("The boss at Oakhollow is", "Omar", "Oakhollow")])
    assert ("shadows", 0) in kinds(found) or ("contradicts", 0) in kinds(found)
    assert all(each.others == (old.id,) for each in found)


def test_what_the_model_says_already_changes_nothing(make_editor: MakeEditor) -> None:
    editor = make_editor(**{**MEANING, "max_steps": 200, "accept_unsaid": False})
    editor.edit("The CEO of Acme is", "Dana", "Acme")
    (found,) = objections(editor, [DANA])
    assert found.kind == "known"
    assert found.what == "the model says 'Dana' already."


def test_a_prompt_about_nothing_in_particular_is_generic(
    editor: Editor, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = ["Who leads Orbit?", "The capital of Peru is", "Orbit was founded in"]
    few = Background(asked, asked, asked)
    monkeypatch.setattr(Background, "shipped", classmethod(lambda cls: few))
    (found,) = objections(editor, [Edit("About Orbit:", "Omar", "Orbit")])
    assert (found.kind, found.number) == ("generic", 0)
    assert found.what == (
        "its prompt would fire on 2 of 3 unrelated prompts, such as 'Who leads Orbit?'."
    )
    assert found.remedy == "Say in the prompt what it is about, or give the subject."


@pytest.mark.parametrize("target", ["Dana or Omar", "Dana / Omar"])
def test_a_target_that_names_two_answers_is_undecided(editor: Editor, target: str) -> None:
    (found,) = objections(editor, [Edit("The CEO of Acme is", target, "Acme")])
    assert (found.kind, found.remedy) == ("undecided", "Teach one of them.")
    assert found.what == f"the target names more than one answer: {target!r}."


def test_without_a_router_the_same_prompt_still_contradicts(make_editor: MakeEditor) -> None:
    editor = make_editor(**EASY)
    receipt = editor.edit("The CEO of Acme is", "Dana")
    found = objections(
        editor, [Edit("The CEO of Acme is", "Omar"), Edit("Who leads Acme?", "Mina")]
    )
    assert [(each.kind, each.others) for each in found] == [("contradicts", (receipt.id,))]
