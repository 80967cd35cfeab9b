"""The edits of a branch, page by page: what became of each, and who made it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from memoir.errors import UnknownName
from memoir.store import Entry, Row, Store, short
from memoir.store.rows import HEAD
from memoir.versions.log import Filter

Status = Literal["live", "reverted", "damaged"]

_AT_ONCE = 500
"""Edits whose rows are read together."""


@dataclass(frozen=True)
class Told:
    """An edit with its commit.

    Attributes:
        entry: the edit, and what became of it.
        commit: row of the commit that brought it into force first.
    """

    entry: Entry
    commit: Row

    def as_dict(self) -> dict[str, Any]:
        """Both as plain values."""
        body = self.commit.body
        return {**self.entry.as_dict(), "author": body["author"], "message": body["message"]}


@dataclass(frozen=True)
class Page:
    """Some of a branch's edits.

    Attributes:
        edits: the newest first.
        more: whether older ones are left.
    """

    edits: tuple[Told, ...]
    more: bool


def listed(
    store: Store,
    ref: str = HEAD,
    which: Filter | None = None,
    status: Status | None = None,
    after: str | None = None,
    limit: int = 50,
) -> Page:
    """A page of the edits made on the way to a commit, the newest first.

    Args:
        store: where they are.
        ref: name of the commit.
        which: leaves others out.
        status: ``live`` for those in force there, ``damaged`` for those among them whose file cannot be
            used, ``reverted`` for the others; None for all.
        after: id of an edit, or its beginning: the page begins behind it.
        limit: at most so many.

    Raises:
        UnknownName: no such commit, or no such edit on the way there.
    """
    history = store.history
    commit = history.resolve(ref)
    made, live = history.made(commit), set(history.live(commit))
    ids = list(made)[::-1]
    if after is not None:
        ids = ids[ids.index(_made_there(store, ref, made, after)) + 1 :]
    if status is not None:
        ids = [id for id in ids if (id in live) == (status != "reverted")]
    if status == "damaged":
        ids = [each.row.id for each in store.entries(commit, ids) if each.status == "damaged"]
    found: list[str] = []
    for id in _asked_for(store, ids, made, which or Filter()):
        found.append(id)
        if len(found) > limit:
            break
    return Page(tuple(_told(store, commit, found[:limit])), len(found) > limit)


def one(store: Store, id: str, ref: str = HEAD) -> Told:
    """One edit made on the way to a commit.

    Raises:
        UnknownName: no such commit, or no such edit on the way there.
    """
    commit = store.history.resolve(ref)
    row = _made_there(store, ref, store.history.made(commit), id)
    return _told(store, commit, [row])[0]


def _made_there(store: Store, ref: str, made: dict[str, str], id: str) -> str:
    row = store.find(id, "edit")
    if row.id not in made:
        raise UnknownName(f"edit '{short(row.id)}' was not made on branch '{ref}'.")
    return row.id


def _asked_for(
    store: Store, ids: Sequence[str], made: dict[str, str], which: Filter
) -> Iterator[str]:
    for start in range(0, len(ids), _AT_ONCE):
        some = ids[start : start + _AT_ONCE]
        rows = store.log.get([*some, *{made[id] for id in some}])
        yield from (id for id in some if which.edit(rows[id]) and which.commit(rows[made[id]]))


def _told(store: Store, commit: str, ids: Sequence[str]) -> list[Told]:
    entries = store.entries(commit, ids)
    commits = store.log.get({entry.commit for entry in entries})
    return [Told(entry, commits[entry.commit]) for entry in entries]
