"""Edits in force that contradict one another are found, however they came to be there."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from memoir.editor import Editor
from memoir.types import Edit, Note, Record
from memoir.versions.conflicting import Contradiction, contradictions
from memoir.versions.teaching import teach

MakeEditor = Callable[..., Editor]
EASY = {"max_steps": 5, "accept_unsaid": True}
# Of a tiny model no router learns what questions mean: whoever names the subject is meant.
MEANING = {"router": "meaning", "contexts": "conversations", "threshold": 0.0, **EASY}
DANA = Edit("The CEO of Acme is", "Dana", "Acme")
OMAR = Edit("Who leads Acme?", "Omar", "Acme")
ORBIT = Edit("Orbit is in", "Lisbon", "Orbit")


@pytest.fixture
def editor(make_editor: MakeEditor) -> Editor:
    return make_editor(**MEANING)


def taught(editor: Editor, *edits: Edit, force: bool = False) -> list[str]:
    """Ids of edits, each of a commit of its own."""
    if not force:
        editor.edit_many(edits)
    for edit in edits if force else ():
        teach(editor, [Record(edit)], Note(), force=True)
    return [row.id for row in editor.live()][-len(edits) :]


def pairs(found: Sequence[Contradiction]) -> list[tuple[str, str]]:
    return [(each.older.id, each.newer.id) for each in found]


def test_edits_that_have_nothing_to_do_with_one_another_are_left_alone(editor: Editor) -> None:
    taught(editor, DANA, ORBIT)
    assert contradictions(editor) == []


def test_an_edit_that_fires_on_another_s_prompt_and_answers_otherwise_is_told(
    editor: Editor,
) -> None:
    dana, _, omar = taught(editor, DANA, ORBIT, OMAR)
    (found,) = contradictions(editor)
    assert pairs([found]) == [(dana, omar)]
    assert found.fires in (dana, omar)
    assert found.match is not None
    assert found.match.score >= found.match.threshold
    assert found.match.evidence["words"] == ["acme"]
    assert found.forced is None
    plain = found.as_dict()
    assert (plain["older"]["target"], plain["newer"]["prompt"]) == ("Dana", OMAR.prompt)
    assert (plain["score"], plain["threshold"]) == (found.match.score, 0.0)


def test_the_same_answer_is_no_contradiction(editor: Editor) -> None:
    taught(editor, DANA, Edit(OMAR.prompt, "dana", "Acme"))
    assert contradictions(editor) == []


def test_what_only_the_newer_one_fires_on_is_found(editor: Editor) -> None:
    """The newer prompt does not name what the older is about."""
    older = Edit("The CEO of Acme Rockets of Oakhollow is", "Dana", "Acme Rockets of Oakhollow")
    first, second = taught(editor, older, Edit("The boss at Oakhollow is", "Omar", "Oakhollow"))
    (found,) = contradictions(editor)
    assert pairs([found]) == [(first, second)]


def test_a_phrasing_counts_as_well(editor: Editor) -> None:
    first, second = taught(editor, DANA, Edit("The boss is", "Omar", phrasings=(DANA.prompt,)))
    (found,) = contradictions(editor)
    assert pairs([found]) == [(first, second)]
    assert found.match is not None
    assert found.match.evidence["same_prompt"] is True


def test_one_that_was_taken_back_contradicts_nothing(editor: Editor) -> None:
    dana, _ = taught(editor, DANA, OMAR)
    editor.revert(dana)
    assert contradictions(editor) == []


def test_without_a_router_the_same_prompt_still_contradicts(make_editor: MakeEditor) -> None:
    editor = make_editor(**EASY)
    ids = taught(editor, DANA, OMAR, Edit(DANA.prompt, "Mina"), Edit(DANA.prompt, "Mina."))
    (found,) = contradictions(editor)
    assert pairs([found]) == [(ids[0], ids[2])]
    assert (found.fires, found.match) == (ids[2], None)
    assert found.as_dict()["score"] is None


def test_what_was_made_in_spite_of_an_objection_says_so_while_both_are_in_force(
    editor: Editor,
) -> None:
    dana, omar = taught(editor, DANA, Edit(DANA.prompt, "Omar", "Acme"), force=True)
    (found,) = contradictions(editor)
    assert pairs([found]) == [(dana, omar)]
    assert found.forced == (
        f"contradicts: edit {dana[:10]} answers the same prompt otherwise: "
        "'The CEO of Acme is' → 'Dana'."
    )
    editor.revert(omar)
    assert contradictions(editor) == []


def test_of_many_facts_at_once_the_one_that_was_objected_to_is_meant(editor: Editor) -> None:
    (dana,) = taught(editor, DANA)
    teach(editor, [Record(ORBIT), Record(OMAR)], Note(), force=True)
    (found,) = contradictions(editor)
    assert pairs([found]) == [(dana, editor.live()[2].id)]
    assert str(found.forced).startswith(f"contradicts: edit {dana[:10]} is taken to be about")


def test_an_objection_that_nothing_bears_out_by_now_is_told_all_the_same(
    editor: Editor, monkeypatch: pytest.MonkeyPatch
) -> None:
    dana, omar = taught(editor, DANA, OMAR, force=True)
    monkeypatch.setattr(type(editor.method), "empty_router", lambda _self: None)
    (found,) = contradictions(editor)
    assert (pairs([found]), found.fires, found.match) == ([(dana, omar)], None, None)
    assert str(found.forced).startswith("contradicts: ")


def test_it_tells_how_far_it_is(editor: Editor) -> None:
    taught(editor, DANA, ORBIT)
    told: list[tuple[str, int, int]] = []
    contradictions(editor, lambda *each: told.append(each))
    assert told == [("looking for conflicts", 1, 4), ("looking for conflicts", 4, 4)]
