"""Teaching with what there is to say against it: objected facts are refused, or left out, or forced."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby

from memoir.editor import Editor
from memoir.errors import EditRefused, Objected
from memoir.types import Note, Progress, Receipt, Record, no_progress
from memoir.versions.conflicts import Objection, objections


def teach(
    editor: Editor,
    records: Sequence[Record],
    note: Note,
    *,
    together: bool = True,
    keep_going: bool = False,
    force: bool = False,
    progress: Progress = no_progress,
) -> list[Receipt | EditRefused]:
    """Teach facts, unless there is something to say against them.

    Args:
        editor: of the branch that is changed.
        records: the facts, with messages of their own.
        note: who changes this, and why; its message goes before theirs.
        together: as one change, or none: the first that is refused is raised.
        keep_going: if not together, leave objected facts out; they come first among the results.
        force: teach them in spite of objections, and record these.
        progress: told as facts are taught.

    Raises:
        Objected: a fact is objected to, with all objections; nothing was changed.
        EditRefused: a fact of one change could not be taught, with its ``place``; nothing was changed.
    """
    found = _objections(editor, records)
    refused: list[Receipt | EditRefused] = []
    if force:
        some = (each.record for objected in found.values() for each in objected)
        note = replace(note, forced=tuple(some))
    elif keep_going and not together:
        refused = [_objected(records, {number: some}) for number, some in found.items()]
        records = [each for number, each in enumerate(records) if number not in found]
    elif found:
        raise _objected(records, found)
    if together:
        return _together(editor, records, note, progress)
    return refused + _one_by_one(editor, records, note, progress)


def _objections(editor: Editor, records: Sequence[Record]) -> dict[int, list[Objection]]:
    """What there is to say against records, by their number."""
    found: dict[int, list[Objection]] = {}
    for each in objections(editor, [record.edit for record in records]):
        found.setdefault(each.number, []).append(each)
    return found


def _objected(records: Sequence[Record], found: dict[int, list[Objection]]) -> Objected:
    """The refusal of the first objected record; it tells of all others too."""
    number, first = next(iter(found.items()))
    record = records[number]
    where = f"{record.where}: " if record.where else ""
    more = f" So are {len(found) - 1} more." if len(found) > 1 else ""
    error = Objected(
        f"{where}{record.edit.prompt!r} → {record.edit.target!r} is objected to; nothing was changed. "
        + " ".join(map(str, first))
        + more,
        objections=[each for some in found.values() for each in some],
    )
    error.place = number
    return error


def _one_by_one(
    editor: Editor, records: Sequence[Record], note: Note, progress: Progress
) -> list[Receipt | EditRefused]:
    """Each result as it comes; records that state one message after the other share their commits."""
    results: list[Receipt | EditRefused] = []

    def told(_what: str, done: int, _total: int) -> None:
        progress("editing", len(results) + done, len(records))

    for message, some in groupby(records, key=lambda record: record.message):
        said = replace(note, message=note.message or message)
        results += editor.edit_many([record.edit for record in some], note=said, progress=told)
    progress("editing", len(records), len(records))
    return results


def _together(
    editor: Editor, records: Sequence[Record], note: Note, progress: Progress
) -> list[Receipt | EditRefused]:
    """One commit, or the refusal of the first fact that cannot be taught."""
    messages = dict.fromkeys(record.message for record in records if record.message)
    said = replace(note, message=note.message or "; ".join(messages))
    results = editor.edit_many(
        [record.edit for record in records], note=said, together=True, progress=progress
    )
    progress("editing", len(records), len(records))
    return results
