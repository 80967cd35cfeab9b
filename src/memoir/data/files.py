"""From a file to its records."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from memoir.errors import BadInput, BadRecord


def content(path: Path) -> tuple[str, str]:
    """A file's text, and the SHA-256 of its bytes in hex.

    Raises:
        BadInput: it cannot be read, or is not UTF-8.
    """
    try:
        given = path.read_bytes()
        return given.decode("utf-8-sig"), hashlib.sha256(given).hexdigest()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} cannot be read as UTF-8 text: {error}.") from error


def records(text: str, path: Path) -> Iterator[tuple[str, Any]]:
    """Place and value of each record of a JSON array or of JSON lines.

    A line that is not JSON gives the error as its value, so that the lines after it can be read.

    Raises:
        BadRecord: the array is not JSON; the message names the line.
    """
    if text.lstrip().startswith("["):
        for index, record in enumerate(_json(text, path)):
            yield f"record {index}", record
        return
    for number, line in enumerate(text.split("\n"), start=1):  # splitlines cuts inside strings
        if line.strip():
            try:
                yield f"line {number}", _json(line, path, number)
            except BadRecord as error:
                yield f"line {number}", error


def sound(value: Any) -> Any:
    """The value of a record, unless it is the error met when it was read; that is raised."""
    if isinstance(value, BadRecord):
        raise value
    return value


def _json(text: str, path: Path, line: int | None = None) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        place = f"{path}, line {line or error.lineno}"
        raise BadRecord(f"{place}: not valid JSON ({error.msg}).") from error
    except (ValueError, RecursionError) as error:  # numbers and nesting beyond Python's limits
        raise BadRecord(f"{path}, line {line or 1}: not usable JSON ({error}).") from error
