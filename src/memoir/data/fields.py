"""One record, read field by field: what is malformed is refused, what is left out is noted."""

from __future__ import annotations

from reprlib import repr as short
from typing import Any

from memoir.data.defects import LOST, Defect, Notes
from memoir.errors import BadRecord
from memoir.types import Edit, Probe


class Fields:
    """The fields of a record, or of an object inside it.

    Args:
        record: must be a JSON object.
        where: file and record, for messages.
        notes: where to note what is left out.
        path: what leads to an inner object, with a dot at the end.

    Raises:
        BadRecord: ``record`` is something else.
    """

    def __init__(self, record: Any, where: str, notes: Notes, path: str = "") -> None:
        if not isinstance(record, dict):
            what = f"field '{path[:-1]}'" if path else "a record"
            raise BadRecord(f"{where}: {what} must be a JSON object, not {type(record).__name__}.")
        self.record, self.where, self.notes, self.path = record, where, notes, path

    def __contains__(self, field: str) -> bool:
        return self.record.get(field) is not None

    def needed(self, field: str, role: str) -> str:
        """A text without which the record is of no use; stripped, not empty.

        Raises:
            BadRecord: the field is missing or no text.
            Defect: it is empty or holds U+FFFD.
        """
        text = self._text(field, self._value(field))
        if not text:
            raise Defect(self._wrong(field, "a non-empty text"), f"empty {role}")
        if LOST in text:
            message = f"{self._at(field)} holds U+FFFD, in place of a character that was lost."
            raise Defect(message, "text holds U+FFFD")
        return text

    def edit(self, prompt: str, target: str) -> Edit:
        """The edit, by the names of its fields. ``subject`` is optional."""
        subject = self.optional("subject")
        return Edit(self.needed(prompt, "prompt"), self.needed(target, "target"), subject)

    def optional(self, field: str) -> str | None:
        """A text that may be missing or empty: ``None`` then.

        Raises:
            BadRecord: the field is no text.
        """
        return (self._text(field, self.record[field]) if field in self else "") or None

    def usable(self, field: str, kind: str) -> str | None:
        """A text that may turn out empty or to hold U+FFFD: noted, and ``None``.

        Raises:
            BadRecord: the field is missing or no text.
        """
        return self._usable(field, self._value(field), kind)

    def texts(self, field: str, kind: str) -> list[str]:
        """The usable texts of a list; the others are noted.

        Raises:
            BadRecord: the field is missing, no list, or holds something else than texts.
        """
        found = (self._usable(field, item, kind) for item in self._list(field))
        return [text for text in found if text is not None]

    def probe(
        self, kind: str, prompt: str, expected: str | None = None, gold: str | None = None
    ) -> tuple[Probe, ...]:
        """The probe, or nothing where its prompt is not usable.

        Args:
            kind: of the probe.
            prompt: name of the prompt's field.
            expected: the right answer, if known here.
            gold: else, name of the field that may hold it.
        """
        text = self.usable(prompt, kind)
        if text is None:
            return ()
        if gold is not None and gold in self:
            expected = self._usable(gold, self.record[gold], kind)
        return (Probe(kind, text, expected),)

    def inside(self, field: str) -> Fields:
        """The fields of an inner object.

        Raises:
            BadRecord: the field is missing or no object.
        """
        return Fields(self._value(field), self.where, self.notes, f"{self.path}{field}.")

    def objects(self, field: str) -> list[Fields]:
        """The fields of each object of a list.

        Raises:
            BadRecord: the field is missing, no list, or holds something else than objects.
        """
        path = f"{self.path}{field}."
        return [Fields(item, self.where, self.notes, path) for item in self._list(field)]

    def note(self, kind: str, why: str) -> None:
        """Note that a probe was left out."""
        self.notes.append((kind, why))

    def _usable(self, field: str, value: Any, kind: str) -> str | None:
        text = self._text(field, value)
        if text and LOST not in text:
            return text
        self.note(kind, f"{'U+FFFD in' if text else 'empty'} field '{self.path}{field}'")
        return None

    def _value(self, field: str) -> Any:
        if field not in self.record:
            raise BadRecord(f"{self._at(field)} is missing.")
        return self.record[field]

    def _text(self, field: str, value: Any) -> str:
        if not isinstance(value, str):
            raise BadRecord(self._wrong(field, "a non-empty text", value))
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise BadRecord(self._wrong(field, "text that UTF-8 can write", value)) from error
        return value.strip()

    def _list(self, field: str) -> list[Any]:
        value = self._value(field)
        if not isinstance(value, list):
            raise BadRecord(self._wrong(field, "a list"))
        return value

    def _at(self, field: str) -> str:
        return f"{self.where}: field '{self.path}{field}'"

    def _wrong(self, field: str, allowed: str, value: Any = None) -> str:
        given = self.record[field] if value is None else value
        return f"{self._at(field)} must be {allowed}, not {short(given)}."
