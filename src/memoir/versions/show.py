"""One commit or edit by any of its names, and what became of it."""

from __future__ import annotations

from memoir.store import Entry, Row, Store


def named(store: Store, word: str) -> Row:
    """The row that a branch, a tag, ``HEAD``, ``NAME~2``, an id or a beginning of one stands for.

    Raises:
        UnknownName: none, or several.
    """
    history = store.history
    if not history.is_name(word):
        return store.find(word)
    id = history.resolve(word)
    return store.log.get([id])[id]


def standing(store: Store, row: Row) -> Entry:
    """An edit with what became of it: on the branch in use if it was made there, else ``elsewhere``,
    with the branches on which it is in force."""
    history = store.history
    if row.id in history.made(history.tip()):
        return store.entry(row.id)
    commit = next(id for id, node in history.nodes.items() if row.id in node.add)
    branches = [name for name, tip in history.branches.items() if row.id in history.live(tip)]
    note = f"in force on {', '.join(branches)}" if branches else "in force on no branch"
    return Entry(row, "elsewhere", commit, note)
