"""Data sets: edits with what tests them, questions, and texts. One file here, one data set.

Such a file states

    MEASURES   what the set measures, in one sentence
    SOURCE     where people get it
    LICENCE    of the data
    FILES      the file of each split, below the folder of data sets: ``edit`` is what results are
               reported on, ``train`` is for calibration and tuning
    FIELDS     the fields a record is recognised by, if the set consists of edits
    parse      makes an item of a record, and notes what it had to leave out
    cut        cuts the file's text into records; only where these are not JSON
    finish     makes the records final once all of them are known, from the items and the values they
               were parsed from, in the same order; only where a record's probes need the others

and is found because it is here. Files without ``MEASURES`` are what all of them are read with.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

from memoir.data import files, registry
from memoir.data.defects import Defect, Notes
from memoir.data.registry import available, find, get
from memoir.data.summary import summary
from memoir.errors import BadInput, BadRecord
from memoir.types import Choice, DataSet, Dropped, Item, Question, Record

__all__ = [
    "Choice",
    "DataSet",
    "Dropped",
    "Question",
    "Record",
    "available",
    "find",
    "get",
    "load",
    "read",
    "summary",
]


def load(
    name: str, folder: str | Path | None = None, *, split: str = "edit", skip_bad: bool = False
) -> DataSet:
    """One split of a data set, with a list of what was dropped and why.

    Known defects of the public files are dropped and listed: records with an empty prompt or
    target, with U+FFFD in either, or whose prompt repeats an earlier record's; probes with such a
    prompt; expected answers that are empty or hold U+FFFD. Records that contradict each other in
    different words are kept.

    Args:
        name: one of ``available()``.
        folder: what the files lie below, laid out as in ``FILES``; for ``plain``, the file itself.
            Default: the environment variable MEMOIR_DATA.
        split: ``edit`` or ``train``, where the set has it.
        skip_bad: list malformed records as dropped instead of refusing the file.

    Raises:
        UnknownName: no such data set, or it has no such split.
        BadInput: no folder is named, it or the file is missing, or the file has nothing usable.
        BadRecord: a record is malformed; the message names file, record or line, and field.
    """
    path = find(name, folder, split)
    text, sha256 = files.content(path)
    items, dropped, count = _sift(get(name), path, text, skip_bad)
    if not items:
        raise BadInput(f"{path} holds no usable record ({count} read); give at least one.")
    return DataSet(name, path, sha256, tuple(items), count, tuple(dropped))


def read(path: str | Path) -> list[Record]:
    """The edits of any one file: a JSON array or JSON lines, each record's format recognised.

    Repeated prompts are kept. Probes without a usable prompt are left out, and so are those that take
    other records to make.

    Raises:
        BadInput: the file cannot be read, or holds nothing.
        BadRecord: a record is malformed or has nothing to teach; the message names it and the field.
    """
    path = Path(path)
    text, _ = files.content(path)
    records = [_recognised(value, f"{path}, {place}") for place, value in files.records(text, path)]
    if not records:
        raise BadInput(f"{path} holds no records; give at least one.")
    return records


def _sift(
    module: ModuleType, path: Path, text: str, skip_bad: bool
) -> tuple[list[Item], list[Dropped], int]:
    items: dict[Any, Item] = {}
    values: list[Any] = []
    dropped: list[Dropped] = []
    count = 0
    for place, value in getattr(module, "cut", files.records)(text, path):
        count += 1
        notes: Notes = []
        try:
            item = _new_item(module, value, f"{path}, {place}", notes, items)
        except Defect as defect:
            dropped.append(Dropped(place, "record", defect.why))
        except BadRecord as error:
            if not skip_bad:
                raise
            why = str(error).removeprefix(f"{path}, {place}: ").removesuffix(".")
            dropped.append(Dropped(place, "record", f"malformed: {why}"))
        else:
            items[_key(item)] = item
            values.append(value)
            dropped += [Dropped(place, what, why) for what, why in notes]
    finish = getattr(module, "finish", lambda parsed, _values: parsed)
    return finish(list(items.values()), values), dropped, count


def _new_item(
    module: ModuleType, value: Any, where: str, notes: Notes, known: dict[Any, Item]
) -> Item:
    item: Item = module.parse(files.sound(value), where, notes)
    if _key(item) in known:
        raise Defect(f"{where}: the prompt repeats.", "prompt repeats an earlier record's")
    return item


def _key(item: Item) -> Any:
    """What makes an item the same as another. A choice differs by its choices too."""
    if isinstance(item, Record):
        return item.edit.prompt
    return item.prompt if isinstance(item, Question) else item


def _recognised(value: Any, where: str) -> Record:
    record = files.sound(value)
    if not isinstance(record, dict):
        raise BadRecord(f"{where}: a record must be a JSON object, not {type(record).__name__}.")
    formats = registry.formats()
    fitting = [module for module in formats if record.keys() >= module.FIELDS]
    if not fitting:
        known = "; ".join(", ".join(sorted(module.FIELDS)) for module in formats)
        raise BadRecord(
            f"{where}: fields {', '.join(sorted(record))} fit no known format. "
            f"A record must have one of these sets of fields: {known}."
        )
    best = max(fitting, key=lambda module: len(module.FIELDS))
    try:
        parsed: Record = best.parse(record, where, [])
    except Defect as defect:  # nothing is dropped here, so it is an error like any other
        raise BadRecord(str(defect)) from defect
    return replace(parsed, where=where)
