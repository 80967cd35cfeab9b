"""Plain records, one JSON object a line: ``{"prompt": …, "target": …, "subject": …}``."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from memoir.data.defects import Notes
from memoir.data.fields import Fields
from memoir.dates import day
from memoir.errors import BadInput, BadRecord
from memoir.types import Record

MEASURES = "Your own facts: are they told?"
SOURCE = 'you: JSON lines such as {"prompt": "The CEO of Acme is", "target": "Dana Reyes"}'
LICENCE = "yours"
FILES = {"edit": ""}
"""Any file: what is named as the folder of this set is the file itself."""

FIELDS = {"prompt", "target"}
LISTS = ("phrasings", "aliases", "tags")


def parse(record: Any, where: str, notes: Notes) -> Record:
    """``prompt`` → ``target``. Optional are ``subject``, ``source``, ``expires`` and ``message``, and
    the lists ``phrasings``, ``aliases`` and ``tags``."""
    given = Fields(record, where, notes)
    edit = given.edit("prompt", "target")
    more: dict[str, Any] = {name: given.optional(name) for name in ("source", "expires")}
    more |= {name: tuple(given.texts(name, name)) for name in LISTS if name in given}
    if more["expires"] is not None:
        try:
            day(more["expires"], f"{where}: field 'expires'")
        except BadInput as error:
            raise BadRecord(str(error)) from error
    message = given.optional("message") or ""
    return Record(replace(edit, **more), message=message)
