"""Everything that was taught is still said, and what is not is traced to its commit."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from memoir.editor import Editor
from memoir.errors import BadRecord
from memoir.types import Note
from memoir.versions.check import WHY_SKIPPED, blamed, check, expired
from memoir.versions.suite import Question, read_probes

MakeEditor = Callable[..., Editor]
# Of a tiny model no router learns what questions mean: whoever names the subject is meant.
MEANING = {"router": "meaning", "contexts": "conversations", "threshold": 0.0}


@pytest.fixture
def editor(make_editor: MakeEditor) -> Editor:
    editor = make_editor(**MEANING)
    editor.edit("The CEO of Acme is", "Dana", "Acme")
    editor.edit("Orbit is in", "Lisbon", "Orbit")
    return editor


def tip(editor: Editor) -> str:
    commit = editor.store.history.tip()
    assert commit is not None
    return commit


def shadowed(editor: Editor) -> str:
    """Break the first edit by one that takes its prompt over; the commit that did."""
    editor.edit("The CEO of Acme is", "Omar", "Acme", note=Note("Omar it is"))
    return tip(editor)


def test_what_was_taught_holds(editor: Editor) -> None:
    report = check(editor, unrelated=3)
    assert report.passed
    assert (report.asked, report.skipped, report.why_skipped) == (5, 0, "")


def test_the_phrasings_of_an_edit_are_asked_too(editor: Editor) -> None:
    editor.edit("Zenith makes", "kites", "Zenith", phrasings=["What does Zenith make?"])
    assert check(editor, unrelated=0).asked == 4


def test_only_what_a_new_edit_fires_on_is_asked_again(editor: Editor) -> None:
    check(editor, unrelated=3)
    again = check(editor, unrelated=3)
    assert (again.asked, again.skipped, again.why_skipped) == (0, 5, WHY_SKIPPED)
    editor.edit("Zenith makes", "kites", "Zenith")
    more = check(editor, unrelated=3)
    assert (more.asked, more.skipped) == (1, 5)
    assert check(editor, unrelated=3, anew=True).asked == 6


def test_answers_outlive_the_editor(editor: Editor, make_editor: MakeEditor) -> None:
    check(editor, unrelated=3)
    editor.close()
    assert check(make_editor(), unrelated=3).asked == 0


def test_with_shared_memory_everything_is_asked_again(make_editor: MakeEditor) -> None:
    # The few columns of a tiny model's fingerprints hold a fact in one context, not in four.
    editor = make_editor(**{**MEANING, "contexts": "bare"}, memory="shared")
    editor.edit("The CEO of Acme is", "Dana", "Acme")
    assert [check(editor, unrelated=3).asked for _ in range(2)] == [4, 4]


def test_what_broke_is_told_with_the_commit_that_broke_it(editor: Editor) -> None:
    commit = shadowed(editor)
    editor.edit("Zenith makes", "kites", "Zenith")
    report = check(editor, unrelated=0)
    kinds = [(each.question.kind, each.question.text) for each in report.broken]
    assert kinds[0] == ("edit", "Dana")
    assert report.broken[0].answer.startswith("Omar")
    assert {each.commit for each in blamed(editor, report.broken[:1])} == {commit}


def test_looking_for_the_commit_leaves_the_editor_as_it_was(editor: Editor) -> None:
    shadowed(editor)
    broken = check(editor, unrelated=0).broken
    before = editor.ask("Orbit is in", max_new_tokens=5)
    blamed(editor, broken)
    assert editor.ask("Orbit is in", max_new_tokens=5) == before


@pytest.mark.parametrize(
    ("kind", "text", "holds"),
    [
        ("must say", "Dana", True),
        ("must say", "Omar", False),
        ("must never say", "Omar", True),
        ("must never say", "Dana", False),
    ],
)
def test_probes_of_one_s_own(editor: Editor, kind: str, text: str, holds: bool) -> None:
    probe = Question(kind, "The CEO of Acme is", text)
    assert check(editor, [probe], unrelated=0).passed is holds


def test_a_probe_that_never_held_is_blamed_on_the_first_commit(editor: Editor) -> None:
    report = check(editor, [Question("must say", "Orbit is in", "Rome")], unrelated=0)
    (found,) = blamed(editor, report.broken)
    assert found.commit == editor.store.history.line(tip(editor))[0]


def test_edits_whose_last_day_has_passed_are_told(editor: Editor) -> None:
    editor.edit("Zenith makes", "kites", "Zenith", expires="2026-03-01")
    assert expired(editor, date(2026, 3, 1)) == []
    (row,) = expired(editor, date(2026, 3, 2))
    assert row.body["prompt"] == "Zenith makes"


def test_probes_are_read_from_lines(tmp_path: Path) -> None:
    file = tmp_path / "probes.jsonl"
    file.write_text(
        '{"prompt": "Who leads Acme?", "must_say": "Dana"}\n\n'
        '{"prompt": "Hi!", "must_never_say": "Dana", "chat": true}\n'
    )
    assert read_probes(file) == [
        Question("must say", "Who leads Acme?", "Dana"),
        Question("must never say", "Hi!", "Dana", chat=True),
    ]


@pytest.mark.parametrize(
    "line",
    [
        "no JSON",
        "[]",
        '{"prompt": "Hi!"}',
        '{"prompt": "Hi!", "must_say": ""}',
        '{"prompt": "Hi!", "must_say": "a", "must_never_say": "b"}',
        '{"prompt": "Hi!", "may_say": "a"}',
        '{"prompt": 3, "must_say": "a"}',
    ],
)
def test_a_line_that_is_no_probe_is_named(tmp_path: Path, line: str) -> None:
    file = tmp_path / "probes.jsonl"
    file.write_text('{"prompt": "Hi!", "must_say": "a"}\n' + line)
    with pytest.raises(BadRecord) as refused:
        read_probes(file)
    assert str(refused.value) == (
        f"{file}, line 2: a probe is a JSON object with 'prompt', 'must_say' or 'must_never_say', and "
        'perhaps "chat": true.'
    )
