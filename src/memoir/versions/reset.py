"""Moving the branch in use to another commit; where it was stays named."""

from __future__ import annotations

from datetime import datetime, timezone
from itertools import count
from typing import NamedTuple

from memoir.store import Store
from memoir.store.history import History


class Moved(NamedTuple):
    """Where a branch was, and where it is.

    Attributes:
        branch: its name.
        before: the commit it was at; None if it had none.
        after: the commit it is at.
        backup: the tag that names the commit before; None if the branch did not move.
    """

    branch: str
    before: str | None
    after: str
    backup: str | None


def reset(store: Store, ref: str) -> Moved:
    """Move the branch in use to a commit. What it was at is tagged first.

    Raises:
        UnknownName: no such commit.
    """
    with store.writing():
        history = store.history
        branch, before, after = history.branch, history.tip(), history.resolve(ref)
        if before == after:
            return Moved(branch, before, after, None)
        backup = None
        if before is not None:
            backup = _free(history, branch)
            store.move(f"tag/{backup}", before, "reset")
        store.move(f"branch/{branch}", after, "reset")
        return Moved(branch, before, after, backup)


def _free(history: History, branch: str) -> str:
    """``backup/BRANCH-YYYYMMDD-HHMMSS``, numbered if this second has one already."""
    name = f"backup/{branch}-{datetime.now(timezone.utc):%Y%m%d-%H%M%S}"
    taken = {*history.branches, *history.tags}
    names = (name if number == 1 else f"{name}-{number}" for number in count(1))
    return next(each for each in names if each not in taken)
