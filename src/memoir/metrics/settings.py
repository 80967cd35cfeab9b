"""Asking in settings besides the bare prompt: which ones, for what, under which names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256

from memoir.errors import BadInput, UnknownName
from memoir.surroundings import SETTINGS
from memoir.types import Probe, Record

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


Share = float | tuple[tuple[str, float], ...]
"""Of the records, how many are asked in settings, 0..1: in each of them, or setting by setting."""


def check(settings: Sequence[str], share: Share) -> None:
    """Refuse options that cannot be asked.

    Raises:
        UnknownName: one is no setting besides the bare prompt.
        BadInput: a share is not above 0 and at most 1, or the table of shares lacks one of these
            settings or has another.
    """
    for setting in settings:
        if setting not in BESIDES:
            raise UnknownName.among("setting besides the bare prompt", setting, BESIDES)
    if isinstance(share, tuple):
        _check_table(settings, dict(share))
    elif not 0 < share <= 1:
        raise BadInput(f"option 'share' must be above 0 and at most 1, not {share!r}.")


def asked_in(record: Record, settings: Sequence[str], share: Share) -> tuple[str, ...]:
    """The settings a record is asked in, ``bare`` first.

    Args:
        record: what is asked about. Its edit's prompt decides, so that every method, seed and
            checkpoint asks the same records, and a smaller share is a part of a larger one.
        settings: those besides the bare one.
        share: of the records, how many are asked there.
    """
    drawn = int(sha256(record.edit.prompt.encode()).hexdigest(), 16)
    shares = dict(share) if isinstance(share, tuple) else dict.fromkeys(settings, share)
    return ("bare", *(setting for setting in settings if drawn < shares[setting] * 2**256))


def probes_in(record: Record, setting: str, most: int | None) -> list[Probe]:
    """The probes of a record that are asked in a setting.

    Args:
        record: whose.
        setting: bare, all are asked.
        most: in another, at most so many of each kind, the first ones; None for all.
    """
    return first_of_each_kind(record.probes, None if setting == "bare" else most)


def first_of_each_kind(probes: Iterable[Probe], most: int | None) -> list[Probe]:
    """The first probes of each kind, at most so many; None for all."""
    seen: Counter[str] = Counter()
    kept = []
    for probe in probes:
        seen[probe.kind] += 1
        if most is None or seen[probe.kind] <= most:
            kept.append(probe)
    return kept


def named(name: str, setting: str) -> str:
    """The name of a number in a setting: ``reliability`` is ``reliability_chat`` in chat."""
    return name if setting == "bare" else f"{name}_{setting}"


def _check_table(settings: Sequence[str], shares: Mapping[str, float]) -> None:
    for setting in shares:
        if setting not in settings:
            raise BadInput(
                f"option 'share' gives a number for '{setting}', but the settings asked are "
                f"{', '.join(settings) or 'none'}."
            )
    for setting in settings:
        if setting not in shares:
            raise BadInput(
                f"option 'share' gives no number for '{setting}'; it must give one for each of the "
                f"settings asked, {', '.join(settings)}."
            )
        if not 0 < shares[setting] <= 1:
            raise BadInput(
                f"option 'share' must be above 0 and at most 1 for '{setting}', "
                f"not {shares[setting]!r}."
            )
