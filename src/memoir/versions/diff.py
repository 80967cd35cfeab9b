"""What differs between two states: edits added, removed, and changed to another target."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from memoir.metrics.text import normalise
from memoir.store import Row, Store
from memoir.store.rows import HEAD
from memoir.versions.log import plain


@dataclass(frozen=True)
class Difference:
    """What leads from one state to another.

    Attributes:
        a, b: ids of their commits.
        added: rows of edits that are in force at b only, in order.
        removed: rows of those in force at a only.
        changed: the last edits about one prompt at a and at b, where these tell different targets;
            they are not among the others.
    """

    a: str
    b: str
    added: tuple[Row, ...]
    removed: tuple[Row, ...]
    changed: tuple[tuple[Row, Row], ...]

    def as_dict(self) -> dict[str, Any]:
        """The difference as plain values, for ``--json``."""
        return {
            "a": self.a,
            "b": self.b,
            "added": [plain(row) for row in self.added],
            "removed": [plain(row) for row in self.removed],
            "changed": [{"before": plain(old), "after": plain(new)} for old, new in self.changed],
        }


def diff(store: Store, a: str, b: str = HEAD) -> Difference:
    """Compare the edits in force at two commits.

    Raises:
        UnknownName: no such commit.
    """
    history = store.history
    ends = history.resolve(a), history.resolve(b)
    ids = [history.live(commit) for commit in ends]
    rows = store.log.get({*ids[0], *ids[1]})  # most are in force at both
    before, after = ({id: rows[id] for id in each} for each in ids)
    # Of edits about one prompt the last one answers it.
    was, now = ({about(row): row for row in state.values()} for state in (before, after))
    changed = tuple(
        (was[prompt], row)
        for prompt, row in now.items()
        if prompt in was and was[prompt].body["target"] != row.body["target"]
    )
    told = {row.id for pair in changed for row in pair}
    return Difference(
        *ends,
        tuple(row for id, row in after.items() if id not in before and id not in told),
        tuple(row for id, row in before.items() if id not in after and id not in told),
        changed,
    )


def about(row: Row) -> str:
    """What an edit is about: its prompt, whatever its case, white space and outer punctuation."""
    return normalise(row.body["prompt"])
