"""The gate: what breaks something is not committed.

Set ``gate.on-commit`` and it guards edits and merges, with the probes of ``gate.suite``. A take-back is
never held up: it needs no model, and may be all that helps at night; ``memoir check`` tells afterwards.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from memoir.editor import Editor
from memoir.errors import BadInput, CheckFailed
from memoir.store import Store, short
from memoir.versions import config
from memoir.versions.check import check
from memoir.versions.suite import Question, read_probes


@dataclass(frozen=True)
class Gate:
    """How a store is guarded.

    Attributes:
        on: whether edits and merges are checked before they are committed.
        probes: number of the questions in ``gate.suite``; None if that is not set, or cannot be read.
        trouble: why it cannot be read; then nothing can be checked, so nothing is let through either.
    """

    on: bool
    probes: int | None = None
    trouble: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """The gate as plain values, for ``--json``."""
        return asdict(self)


def of(store: Store) -> Gate:
    """How a store is guarded now."""
    on = bool(config.get(store, "gate.on-commit"))
    if config.get(store, "gate.suite") is None:
        return Gate(on)
    try:
        return Gate(on, len(own_probes(store)))
    except BadInput as error:
        return Gate(on, trouble=str(error))


def install(editor: Editor) -> None:
    """Guard what an editor commits, if its store is set to."""
    editor.review = None
    if config.get(editor.store, "gate.on-commit"):
        probes = own_probes(editor.store)
        editor.review = lambda at: guard(at, probes)


def own_probes(store: Store) -> list[Question]:
    """The probes of a store's ``gate.suite``; none if it is not set.

    Raises:
        BadInput: the file cannot be read, or holds something else.
    """
    suite = config.get(store, "gate.suite")
    return read_probes(Path(str(suite))) if suite else []


def guard(editor: Editor, probes: Sequence[Question] = ()) -> None:
    """Refuse what breaks something: to be called while a change is in force and not committed.

    Raises:
        CheckFailed: something is not as it must be.
    """
    report = check(editor, probes)
    if report.broken:
        first = report.broken[0]
        about = f" (edit {short(first.question.edit)})" if first.question.edit else ""
        raise CheckFailed(
            f"{len(report.broken)} of {report.asked + report.skipped} checks fail with this change; "
            f"it was not committed. The first: {first.question.prompt!r}{about} was answered "
            f"{first.answer!r}, which {first.question.unlike}. Change it, or commit without the gate.",
            report.broken,
        )
