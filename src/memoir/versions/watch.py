"""Following a store: everything that is added, as it comes, whichever process adds it."""

from __future__ import annotations

import time
from collections.abc import Iterator

from memoir.store import Row, Store
from memoir.store.rows import Move

INTERVAL = 0.2
"""Seconds between two looks."""


def follow(store: Store, interval: float = INTERVAL) -> Iterator[Row | Move]:
    """Commits and moves of names that are added from now on, in order, commits before the names that
    lead to them. Never ends by itself.

    Args:
        store: what to follow.
        interval: seconds between two looks.
    """
    with store.log.snapshot():
        commits, moves = store.log.rows(kind="commit"), store.log.moves()
    return _following(
        store, interval, commits[-1].seq if commits else 0, moves[-1].seq if moves else 0
    )


def _following(store: Store, interval: float, row: int, move: int) -> Iterator[Row | Move]:
    while True:
        with store.log.snapshot():
            commits, moves = store.log.rows(row, "commit"), store.log.moves(move)
        yield from commits
        yield from moves
        row = commits[-1].seq if commits else row
        move = moves[-1].seq if moves else move
        time.sleep(interval)
