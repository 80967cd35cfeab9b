"""What happened: commits with the edits they brought and took, the newest first."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from memoir.store import Row, Store
from memoir.store.rows import HEAD
from memoir.versions.names import labels

_AT_ONCE = 1000
"""Commits whose rows are read together."""


@dataclass(frozen=True)
class Commit:
    """A commit with all that is said of it.

    Attributes:
        row: its line in the log.
        add: rows of the edits it brought into force, in order.
        remove: rows of those it took out of force.
        names: what points at it, see :func:`memoir.versions.names.labels`.
    """

    row: Row
    add: tuple[Row, ...]
    remove: tuple[Row, ...]
    names: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """The commit as plain values, for ``--json``."""
        body = self.row.body
        return {
            "id": self.row.id,
            "time": self.row.time,
            "author": body["author"],
            "message": body["message"],
            "parents": body["parents"],
            "names": list(self.names),
            "settings": body["settings"],
            "forced": body.get("forced", []),
            "add": [plain(row) for row in self.add],
            "remove": [plain(row) for row in self.remove],
        }


@dataclass(frozen=True)
class Filter:
    """Which commits and edits are asked for; None asks for all.

    Attributes:
        subject: text in an edit's subject or prompt, in upper or lower case.
        author: of the commit.
        tag: of an edit.
        since, until: first and last day of the commit, UTC, ISO 8601.
    """

    subject: str | None = None
    author: str | None = None
    tag: str | None = None
    since: str | None = None
    until: str | None = None

    def commit(self, row: Row) -> bool:
        """Whether a commit is asked for, its edits aside."""
        made = row.time[:10]
        return (
            (self.author is None or row.body["author"] == self.author)
            and (self.since is None or made >= self.since)
            and (self.until is None or made <= self.until)
        )

    def edit(self, row: Row) -> bool:
        """Whether an edit is asked for, its commit aside."""
        if self.tag is not None and self.tag not in row.body.get("tags", ()):
            return False
        if self.subject is None:
            return True
        texts = (row.body["prompt"], row.body["subject"] or "")
        return any(self.subject.casefold() in text.casefold() for text in texts)

    def edits(self, rows: Iterable[Row]) -> bool:
        """Whether one of the edits is asked for, or all commits are whatever their edits."""
        if self.tag is None and self.subject is None:
            return True
        return any(map(self.edit, rows))


def log(
    store: Store, ref: str = HEAD, which: Filter | None = None, everything: bool = False
) -> Iterator[Commit]:
    """Commits, the newest first; rows are read as they are asked for, many at once.

    Args:
        store: where they are.
        ref: name of the commit to begin at; what it builds on follows.
        which: leaves others out.
        everything: begin at all branches and tags.

    Raises:
        UnknownName: no such commit.
    """
    history = store.history
    which = which or Filter()
    if everything:
        known = history.reachable()
        ids = [id for id in history.nodes if id in known]
    elif ref == HEAD and history.tip() is None:  # a store whose making was refused
        ids = []
    else:
        ids = history.ordered(history.resolve(ref))
    ids.reverse()
    for start in range(0, len(ids), _AT_ONCE):
        found = store.log.get(ids[start : start + _AT_ONCE])
        rows = [found[id] for id in ids[start : start + _AT_ONCE]]
        told = described(store, [row for row in rows if which.commit(row)])
        yield from (one for one in told if which.edits([*one.add, *one.remove]))


def described(store: Store, rows: Sequence[Row]) -> list[Commit]:
    """Commits with their edits and names, from their rows."""
    names = labels(store.history)
    wanted = {id for row in rows for id in (*row.body["add"], *row.body["remove"])}
    edits = store.log.get(wanted)
    return [
        Commit(
            row,
            tuple(edits[id] for id in row.body["add"]),
            tuple(edits[id] for id in row.body["remove"]),
            tuple(names.get(row.id, ())),
        )
        for row in rows
    ]


def plain(row: Row) -> dict[str, Any]:
    """An edit as plain values."""
    return {"id": row.id, "time": row.time, **row.body}
