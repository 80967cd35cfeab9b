"""Room given back: tensor files that no branch and no tag needs any more.

Rows stay, so the history can be read for good; only what an edit did to the model is gone. A deleted
branch can be named again as long as its files are there, so they are kept for some days.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from datetime import datetime, timedelta

from memoir.errors import StoreDamaged
from memoir.store import Row, Store
from memoir.store.rows import HEAD, now
from memoir.versions import fsck

DAYS = 14.0
"""Days for which files are kept that nothing needs."""


@dataclass(frozen=True)
class Garbage:
    """A tensor file that nothing needs.

    Attributes:
        row: a row that names it.
        since: when a branch or a tag led there last, UTC, ISO 8601.
        bytes: its size.
    """

    row: Row
    since: str
    bytes: int


def collect(store: Store, older_than: float = DAYS, dry_run: bool = False) -> list[Garbage]:
    """Remove the tensor files of edits and settings that no branch or tag leads to.

    Args:
        older_than: days since one did, at least 0.
        dry_run: remove nothing.

    Returns:
        What was removed, or would be, in the order of the log.

    Raises:
        StoreDamaged: the log is not what it was, so what is needed cannot be told; nothing was removed.
    """
    with store.writing():
        for finding in fsck.check_log(store):
            if finding.severity == "error":
                raise StoreDamaged(
                    f"the store is damaged, so what it needs cannot be told: {finding.what} Nothing "
                    "was removed. See: memoir fsck."
                )
        before = datetime.fromisoformat(now()) - timedelta(days=older_than)
        found = [each for each in _garbage(store) if datetime.fromisoformat(each.since) <= before]
        if not dry_run:
            for each in found:
                store.files.remove(each.row.sha256 or "")
    return found


def _garbage(store: Store) -> list[Garbage]:
    history, needed = store.history, store.history.reachable()
    rows = {row.id: row for row in store.log.rows() if row.sha256 is not None}
    since = {row.sha256: row.time for row in rows.values()}
    left, kept = _left(store, needed), set()
    for id, node in history.nodes.items():
        for row in (rows[named] for named in (*node.add, node.settings) if named in rows):
            if id in needed:
                kept.add(row.sha256)
            else:
                since[row.sha256] = max(since[row.sha256], left[id])
    owners = {row.sha256: row for row in rows.values() if row.sha256 not in kept}
    return [
        Garbage(row, since[sha256], size)
        for sha256, row in owners.items()
        if sha256 is not None and (size := store.size(row))
    ]


def _left(store: Store, needed: Container[str]) -> dict[str, str]:
    """For each commit that no name leads to, when one did last; when it was made, if none ever did."""
    left = {row.id: row.time for row in store.log.rows(kind="commit") if row.id not in needed}
    names: dict[str, str | None] = {}
    for move in store.log.moves():
        if move.ref == HEAD:
            continue
        before = names.get(move.ref)
        if before in left:
            left[before] = max(left[before], move.time)
        names[move.ref] = move.target
    for id in reversed(left):  # what a commit builds on was reachable as long as it was
        for parent in store.history.nodes[id].parents:
            if parent in left:
                left[parent] = max(left[parent], left[id])
    return left
