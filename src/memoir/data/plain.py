"""Plain records, one JSON object a line: ``{"prompt": …, "target": …, "subject": …}``."""

from __future__ import annotations

from typing import Any

from memoir.data import text_field
from memoir.types import Edit, Record

FIELDS = {"prompt", "target"}


def parse(record: dict[str, Any], where: str) -> Record:
    """``prompt`` → ``target``; the subject is optional."""
    subject = record.get("subject")
    return Record(
        Edit(
            text_field(record, "prompt", where),
            text_field(record, "target", where),
            text_field(record, "subject", where) if subject is not None else None,
        )
    )
