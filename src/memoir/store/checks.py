"""What checks of whole states found, in numbers. Known to this store alone: it is no part of history,
so it neither travels nor is held against anything."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

COLUMNS = "time, branch, commit_id, edits, held, questions, broken, expired"
"""Of the table ``checks``, beside its ``seq``."""


@dataclass(frozen=True)
class PastCheck:
    """A check that was made.

    Attributes:
        seq: position in this store, from 1; 0 before it is stored.
        time: when it ended, UTC, ISO 8601.
        branch: the branch that was looked at; None at a commit or a tag.
        commit: id of the commit whose state was checked.
        edits: number of edits in force there.
        held: those of them whose own prompt was still answered with their target.
        questions: asked or known in all.
        broken: questions whose answer was not as it must be.
        expired: edits whose last day had passed.
    """

    seq: int
    time: str
    branch: str | None
    commit: str
    edits: int
    held: int
    questions: int
    broken: int
    expired: int

    def as_dict(self) -> dict[str, Any]:
        """The check as plain values, for ``--json``."""
        return {
            "id": str(self.seq),
            "time": self.time,
            "branch": self.branch,
            "commit": self.commit,
            "edits": self.edits,
            "held": self.held,
            "questions": self.questions,
            "broken": self.broken,
            "expired": self.expired,
        }

    @property
    def columns(self) -> tuple[str | int | None, ...]:
        """Values of :data:`COLUMNS`."""
        counts = (self.edits, self.held, self.questions, self.broken, self.expired)
        return (self.time, self.branch, self.commit, *counts)


def wanted(branch: str | None, before: int | None, mark: str) -> tuple[str, list[str | int]]:
    """The condition of a query for checks, and its values.

    Args:
        branch: where they were made; None for everywhere.
        before: position that they lie before; None for all.
        mark: what stands for a value.
    """
    given: dict[str, str | int] = {}
    if branch is not None:
        given["branch ="] = branch
    if before is not None:
        given["seq <"] = before
    condition = " AND ".join(f"{each} {mark}" for each in given)
    return f"WHERE {condition}" if given else "", list(given.values())
