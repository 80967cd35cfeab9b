"""Plain records, one JSON object a line: ``{"prompt": …, "target": …, "subject": …}``."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from memoir.data.defects import Notes
from memoir.data.fields import Fields
from memoir.types import Record

MEASURES = "Your own facts: are they told?"
SOURCE = 'you: JSON lines such as {"prompt": "The CEO of Acme is", "target": "Dana Reyes"}'
LICENCE = "yours"
FILES = {"edit": ""}
"""Any file: what is named as the folder of this set is the file itself."""

FIELDS = {"prompt", "target"}


def parse(record: Any, where: str, notes: Notes) -> Record:
    """``prompt`` → ``target``; ``subject`` and the lists ``phrasings`` and ``aliases`` are optional."""
    given = Fields(record, where, notes)
    edit = given.edit("prompt", "target")
    lists = [
        tuple(given.texts(name, name)) if name in given else () for name in ("phrasings", "aliases")
    ]
    return Record(replace(edit, phrasings=lists[0], aliases=lists[1]))
