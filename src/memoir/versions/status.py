"""Where a store stands: its branch, what is in force there, and what needs a look."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from memoir.dates import today
from memoir.store import Entry, Store


@dataclass(frozen=True)
class Status:
    """What there is to know of a store at a glance.

    Attributes:
        branch: the one in use.
        tip: id of its last commit; None before there is one.
        edits: the number in force, damaged and expired ones among them.
        expired: those whose last day is over.
        damaged: those whose tensor file cannot be used.
        model, dtype, site, method: what the store is bound to; None before it is.
        branches, tags: commits by name.
    """

    branch: str
    tip: str | None
    edits: int
    expired: tuple[Entry, ...]
    damaged: tuple[Entry, ...]
    model: str | None
    dtype: str | None
    site: str | None
    method: str | None
    branches: dict[str, str]
    tags: dict[str, str]

    def as_dict(self) -> dict[str, Any]:
        """The status as plain values, for ``--json``."""
        return {
            **vars(self),
            "expired": [_plain(entry) for entry in self.expired],
            "damaged": [_plain(entry) for entry in self.damaged],
        }


def status(store: Store) -> Status:
    """Look at a store; the tensor files of all edits in force are verified."""
    history = store.history
    live = [entry for entry in store.entries() if entry.status != "reverted"]
    settings = store.settings()
    bound = settings.body if settings else {"identity": {}}
    day = today()
    return Status(
        history.branch,
        history.tip(),
        len(live),
        tuple(entry for entry in live if entry.edit.expires and entry.edit.expires < day),
        tuple(entry for entry in live if entry.status == "damaged"),
        bound["identity"].get("model"),
        bound["identity"].get("dtype"),
        bound.get("site"),
        bound.get("method"),
        history.branches,
        history.tags,
    )


def _plain(entry: Entry) -> dict[str, Any]:
    edit = entry.edit
    return {
        "id": entry.row.id,
        "prompt": edit.prompt,
        "target": edit.target,
        "expires": edit.expires,
        "note": entry.note,
    }
