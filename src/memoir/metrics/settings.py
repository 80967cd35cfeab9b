"""Asking in settings besides the bare prompt: which ones, for which records, under which names."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256

from memoir.errors import BadInput, UnknownName
from memoir.surroundings import SETTINGS
from memoir.types import Record

WHERE = {
    "bare": "",
    "chat": " in the chat template",
    "system": " behind a system prompt",
    "turns": " after turns about other facts",
    "document": " after a document in the same turn",
}
"""Settings in the words of definitions."""

BESIDES = tuple(setting for setting in SETTINGS if setting != "bare")
"""Settings that a metric can ask in besides the bare prompt, which it always asks."""


def check(settings: Sequence[str], share: float) -> None:
    """Refuse options that cannot be asked.

    Raises:
        UnknownName: one is no setting besides the bare prompt.
        BadInput: the share is not above 0 and at most 1.
    """
    for setting in settings:
        if setting not in BESIDES:
            raise UnknownName.among("setting besides the bare prompt", setting, BESIDES)
    if not 0 < share <= 1:
        raise BadInput(f"option 'share' must be above 0 and at most 1, not {share!r}.")


def asked_in(record: Record, settings: Sequence[str], share: float) -> tuple[str, ...]:
    """The settings a record is asked in, ``bare`` first.

    Args:
        record: all its prompts, or none, are asked in settings besides the bare one.
        settings: those besides the bare one.
        share: of the records, how many are asked there, 0..1. The edit's prompt decides, so that
            every method, seed and checkpoint asks the same records.
    """
    drawn = int(sha256(record.edit.prompt.encode()).hexdigest(), 16) < share * 2**256
    return ("bare", *settings) if drawn else ("bare",)


def named(name: str, setting: str) -> str:
    """The name of a number in a setting: ``reliability`` is ``reliability_chat`` in chat."""
    return name if setting == "bare" else f"{name}_{setting}"
