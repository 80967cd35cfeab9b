"""Checks of committed states, and what they found: remembered in numbers by the store."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from memoir.editor import Editor
from memoir.store.checks import PastCheck
from memoir.store.rows import now
from memoir.types import Progress, no_progress
from memoir.versions.check import Report, blamed, check
from memoir.versions.suite import Question


def checked(
    editor: Editor,
    probes: Sequence[Question] = (),
    *,
    unrelated: int = 40,
    anew: bool = False,
    progress: Progress = no_progress,
) -> Report:
    """Check the state that an editor is at, which is committed, and note in its store what came of it.

    Args:
        editor: at that state.
        probes: a user's own questions, beside the edits'.
        unrelated: how many questions that no edit is about.
        anew: ask also what is known.
        progress: told while it asks.

    Returns:
        What was found, with the commits that broke what is broken.
    """
    report = check(editor, probes, unrelated=unrelated, anew=anew, progress=progress)
    editor.store.log.note_check(in_numbers(editor, report))
    return replace(report, broken=blamed(editor, report.broken))


def in_numbers(editor: Editor, report: Report) -> PastCheck:
    """What a check of the state that an editor is at found now. An edit that broke in several questions
    is lost once, and one that broke in other wordings only is not lost."""
    lost = {each.question.edit for each in report.broken if each.question.kind == "edit"}
    return PastCheck(
        seq=0,
        time=now(),
        branch=editor.branch,
        commit=editor.at,
        edits=len(editor),
        held=len(editor) - len(lost),
        questions=report.asked + report.skipped,
        broken=len(report.broken),
        expired=len(report.expired),
    )
