"""Plain records, one JSON object a line: ``{"prompt": …, "target": …, "subject": …}``."""

from __future__ import annotations

from typing import Any

from memoir.data import optional_text, text_field
from memoir.types import Edit, Record

FIELDS = {"prompt", "target"}


def parse(record: dict[str, Any], where: str) -> Record:
    """``prompt`` → ``target``; the subject is optional."""
    return Record(
        Edit(
            text_field(record, "prompt", where),
            text_field(record, "target", where),
            optional_text(record, "subject", where),
        )
    )
