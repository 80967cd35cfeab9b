"""Files of edits. One file here, one format: ``FIELDS`` it is recognised by, and ``parse``."""

from __future__ import annotations

import json
import pkgutil
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from memoir.errors import BadInput, BadRecord
from memoir.types import Record


def read(path: str | Path) -> list[Record]:
    """All records of a JSON array or of a JSON-lines file, whatever their format.

    Raises:
        BadInput: the file cannot be read.
        BadRecord: a record is malformed; the message names it and the field.
    """
    records = [_parse(record, where) for where, record in _raw(Path(path))]
    if not records:
        raise BadInput(f"{path} holds no records; give at least one.")
    return records


def text_field(record: dict[str, Any], field: str, where: str) -> str:
    """A field that must hold text, stripped (public files carry stray spaces).

    Raises:
        BadRecord: it is absent, no string, or empty.
    """
    value = record.get(field)
    if not isinstance(value, str) or not value.strip():
        raise BadRecord(f"{where}: field '{field}' must be a non-empty text, not {value!r}.")
    return value.strip()


def optional_text(record: dict[str, Any], field: str, where: str) -> str | None:
    """A field that may be absent or empty, and otherwise holds text; stripped.

    Raises:
        BadRecord: it holds something else.
    """
    value = record.get(field)
    if value is None or value == "":
        return None
    if not isinstance(value, str):
        raise BadRecord(f"{where}: field '{field}' must be a text if given, not {value!r}.")
    return value.strip() or None


def text_list(record: dict[str, Any], field: str, where: str) -> list[str]:
    """A field that must hold a list of texts; each stripped.

    Raises:
        BadRecord: it is no list, or an item is no text or empty.
    """
    value = record.get(field)
    if not isinstance(value, list) or not all(isinstance(v, str) and v.strip() for v in value):
        raise BadRecord(
            f"{where}: field '{field}' must be a list of non-empty texts, not {value!r}."
        )
    return [item.strip() for item in value]


def _raw(path: Path) -> Iterator[tuple[str, Any]]:
    try:
        text = path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{path} cannot be read as UTF-8 text: {error}.") from error
    if text.lstrip().startswith("["):
        try:
            yield from (
                (f"{path}, record {i}", record) for i, record in enumerate(json.loads(text))
            )
        except json.JSONDecodeError as error:
            raise BadRecord(
                f"{path}, line {error.lineno}: not valid JSON ({error.msg})."
            ) from error
        return
    for number, line in enumerate(text.split("\n"), start=1):  # splitlines cuts inside strings
        if line.strip():
            try:
                yield f"{path}, line {number}", json.loads(line)
            except json.JSONDecodeError as error:
                raise BadRecord(f"{path}, line {number}: not valid JSON ({error.msg}).") from error


def _parse(record: Any, where: str) -> Record:
    if not isinstance(record, dict):
        raise BadRecord(f"{where}: a record must be a JSON object, not {type(record).__name__}.")
    formats = [
        import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)
    ]
    for format in formats:
        if record.keys() >= format.FIELDS:
            parsed: Record = format.parse(record, where)
            return parsed
    known = "; ".join(", ".join(sorted(format.FIELDS)) for format in formats)
    raise BadRecord(
        f"{where}: fields {', '.join(sorted(record))} fit no known format. "
        f"A record must have one of these sets of fields: {known}."
    )
