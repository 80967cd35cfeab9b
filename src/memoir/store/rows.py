"""What a store is made of: rows that name themselves by what they say, and moves of names over them.

    settings   what a method was prepared with for a model
    edit       one fact, as it was fitted
    commit     which of them come into force and which leave it, and the commits before

A row's id is the SHA-256 of its content, and a commit names its parents and edits by their ids. So an
old row cannot be altered without all later ids telling it, and two stores can compare what they hold
by ids alone. Branches and tags are names of commits; each move of one is noted, and the notes are
chained by hashes.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from memoir.types import Edit

SHORT = 10
"""Digits of an id that people are shown."""

HEAD = "HEAD"
"""The name of the branch that a store is switched to."""


@dataclass(frozen=True)
class Row:
    """One line of the log.

    Attributes:
        seq: position in this store, from 1.
        id: SHA-256 of everything below, in hex.
        kind: ``settings``, ``edit`` or ``commit``.
        time: when it was made, UTC, ISO 8601.
        body: what it says.
        sha256: of its tensor file; None if it has none.
    """

    seq: int
    id: str
    kind: str
    time: str
    body: dict[str, Any]
    sha256: str | None = None

    @classmethod
    def new(cls, kind: str, body: Mapping[str, Any], sha256: str | None = None) -> Row:
        """A row that is not stored yet, made now."""
        time = now()
        content = json.loads(json.dumps(body))  # as it will be read
        return cls(0, identity(kind, time, content, sha256), kind, time, content, sha256)


@dataclass(frozen=True)
class Move:
    """A name that was given to a commit.

    Attributes:
        seq: position in this store, from 1.
        ref: ``branch/NAME``, ``tag/NAME``, or ``HEAD``.
        target: the commit's id, or HEAD's branch; None: the name was taken away.
        time: UTC, ISO 8601.
        why: the verb that did it.
        chain: SHA-256 of the move before and of this one.
    """

    seq: int
    ref: str
    target: str | None
    time: str
    why: str
    chain: str


def identity(kind: str, time: str, body: Mapping[str, Any], sha256: str | None) -> str:
    """The id of a row with this content."""
    return _digest([kind, time, body, sha256])


def chained(before: str, ref: str, target: str | None, time: str, why: str) -> str:
    """The chain's next link."""
    return _digest([before, ref, target, time, why])


def _digest(content: Sequence[Any]) -> str:
    text = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def now() -> str:
    """The time, UTC, ISO 8601."""
    return datetime.now(timezone.utc).isoformat(timespec="microseconds")


def short(id: str) -> str:
    """An id as people are shown it."""
    return id[:SHORT]


def taught(row: Row) -> Edit:
    """The edit of a row that holds one."""
    body = row.body
    more = {name: tuple(body.get(name, ())) for name in ("phrasings", "aliases", "tags")}
    return Edit(
        body["prompt"],
        body["target"],
        body["subject"],
        source=body.get("source"),
        expires=body.get("expires"),
        **more,
    )
