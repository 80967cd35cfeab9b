"""What is known of an answer at its end."""

from __future__ import annotations

from dataclasses import dataclass, field

from memoir.types import Match


@dataclass(frozen=True)
class Answered:
    """An answer that came to its end, or was given up.

    Attributes:
        time: when it was asked for, in seconds since 1970.
        branch: whose edits were in force.
        seconds: from the question to the last piece.
        first: from the question to the first piece; None if none came.
        prompt_tokens, completion_tokens: of it.
        match: the router's verdict, where there is one.
        finish: ``stop``, ``length``, or ``cancelled``.
    """

    time: float
    branch: str
    seconds: float
    first: float | None
    prompt_tokens: int
    completion_tokens: int
    match: Match | None
    finish: str


@dataclass
class Told:
    """What the log's line of a request says of its answers.

    Attributes:
        prompt_tokens, completion_tokens: of all answers.
        fired: ids of the edits that fired.
    """

    prompt_tokens: int = 0
    completion_tokens: int = 0
    fired: list[str] = field(default_factory=list)
