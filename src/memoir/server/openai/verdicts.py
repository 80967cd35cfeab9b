"""Which edit fired: told to those with the right, by the field ``memoir`` and the header below."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel

from memoir.server.access.callers import Caller
from memoir.server.asked import Generation
from memoir.server.openai.errors import Refusal
from memoir.server.openai.fields import Asked

HEADER = "X-Memoir-Edits"
"""Ids of the edits that fired, separated by commas; not there if none did. A stream begins before all
is known, so it has the field only, in the last chunk of each answer."""


class Verdict(BaseModel):
    """The router's verdict on a prompt.

    Attributes:
        branch: whose edits were in force.
        commit: id of the commit they were in force at.
        edit: id of the edit that fits best; None when none could be meant, or edits were off.
        score: how well it fits, 0..1; None where nothing decides.
        threshold: score from which an edit fires; None where nothing decides.
        fired: whether it gave the answer.
        evidence: why, as plain values.
    """

    branch: str
    commit: str
    edit: str | None
    score: float | None
    threshold: float | None
    fired: bool
    evidence: dict[str, Any]


def permit(asked: Asked, caller: Caller) -> None:
    """Let only those see edits, or look behind them, who may make them.

    Raises:
        Refusal: 403.
    """
    wanted = "memoir.explain" if asked.explain else None if asked.edits else "memoir.edits"
    if wanted is not None and not caller.may("edit"):
        raise Refusal(
            403,
            f"{wanted} needs the role edit, and the key '{caller.name}' has {caller.role}.",
            type="permission_error",
            param=wanted,
            code="insufficient_role",
        )


def verdict(branch: str, generation: Generation) -> dict[str, Any]:
    """The verdict on an answer's prompt."""
    match = generation.match
    found = Verdict(
        branch=branch,
        commit=generation.commit,
        edit=match.edit_id if match else None,
        score=match.score if match else None,
        threshold=match.threshold if match else None,
        fired=match is not None and match.fired,
        evidence=dict(match.evidence) if match else {},
    )
    return found.model_dump(mode="json")


def header(verdicts: list[dict[str, Any]]) -> dict[str, str]:
    """The header, where an edit fired."""
    fired = dict.fromkeys(each["edit"] for each in verdicts if each["fired"])
    return {HEADER: ",".join(fired)} if fired else {}
