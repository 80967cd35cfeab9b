"""What public files are known to hold that nothing can be done with."""

from __future__ import annotations

from memoir.errors import BadRecord

LOST = "\N{REPLACEMENT CHARACTER}"
"""U+FFFD: stands where a character was lost when the file was made."""

Notes = list[tuple[str, str]]
"""What was left out of a record, and why: (kind of the probe, reason)."""


class Defect(BadRecord):
    """A whole record that is of no use.

    Attributes:
        why: the reason in a few words, the same for all such records.
    """

    def __init__(self, message: str, why: str) -> None:
        super().__init__(message)
        self.why = why
