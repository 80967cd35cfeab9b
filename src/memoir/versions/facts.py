"""When two edits tell the same, and in what words they and verdicts on them are told."""

from __future__ import annotations

from memoir.routing.meaning import normal
from memoir.types import Edit, Match


def same_answer(one: Edit, other: Edit) -> bool:
    """Whether two edits have the same target, whatever its case, accents and punctuation."""
    return normal(one.target) == normal(other.target)


def told(edit: Edit) -> str:
    """What an edit teaches."""
    return f"{edit.prompt!r} → {edit.target!r}"


def plain(match: Match) -> dict[str, object]:
    """Why an edit is taken to be meant, as plain values."""
    return {"score": match.score, "threshold": match.threshold, **match.evidence}
