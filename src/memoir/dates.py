"""Days as people write them."""

from __future__ import annotations

import re
from datetime import date, datetime, timezone

from memoir.errors import BadInput


def day(text: str, what: str) -> str:
    """A day of the calendar, ``2026-12-31``.

    Args:
        text: what was given.
        what: what it is for, as the message shall begin.

    Raises:
        BadInput: it is no such day.
    """
    wrong = f"{what} takes a day such as 2026-12-31 (year, month, day), not '{text}'"
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", text, re.ASCII):
        raise BadInput(f"{wrong}.")
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError as error:
        raise BadInput(f"{wrong}: {error}.") from error


def today() -> str:
    """This day, UTC."""
    return datetime.now(timezone.utc).date().isoformat()
