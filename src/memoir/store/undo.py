"""The inverse of edits and commits: what must leave the state, and what must come back into it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from memoir.errors import BadInput, StoreError, UnknownName
from memoir.store.rows import Row, short

if TYPE_CHECKING:
    from memoir.store.store import Store


@dataclass(frozen=True)
class Undo:
    """One change that takes others back.

    Attributes:
        remove: ids of edits to take out of force, in the order they came into it.
        add: ids of edits to bring back into force, in order.
        message: what it does, in a line.
    """

    remove: tuple[str, ...]
    add: tuple[str, ...]
    message: str


def plan(store: Store, words: Sequence[str], branch: str | None = None) -> Undo:
    """What takes edits and commits back from a branch, the last one given first.

    Args:
        words: ids of edits or commits or beginnings of them, names of commits, or ``A..B``: the
            commits after A up to B.
        branch: which one; None for the branch in use.

    Raises:
        UnknownName: no such edit or commit, or an edit is not in force.
        StoreError: a commit cannot be taken back, or nothing would change.
    """
    history = store.history
    branch = branch or history.branch
    before = history.live(history.tip(branch))
    state = dict.fromkeys(before)
    told = []
    for word in words:
        commits, edit = _meant(store, word)
        for commit in reversed(commits):
            _take_back(store, branch, commit, state)
        if edit is not None:
            row = store.in_force(edit, branch)
            if row.id not in state:
                raise UnknownName(f"'{short(row.id)}' is named twice; name it once.")
            del state[row.id]
            told.append(repr(row.body["prompt"]))
        elif len(commits) == 1:
            told.append(repr(_row(store, commits[0]).body["message"] or short(commits[0])))
        else:
            told.append(f"{len(commits)} commits ({word})")
    remove = tuple(id for id in before if id not in state)
    known = set(before)
    add = tuple(id for id in state if id not in known)
    if not remove and not add:
        raise StoreError(f"taking back {', '.join(words)} changes nothing; nothing was added.")
    return Undo(remove, add, _message(told, remove))


def _message(told: Sequence[str], remove: Sequence[str]) -> str:
    return f"Revert {told[0]}" if len(told) == 1 else f"Revert {len(remove)} edits"


def _meant(store: Store, word: str) -> tuple[list[str], str | None]:
    """The commits that a word stands for, the oldest first, or the edit."""
    history = store.history
    first, dots, last = word.partition("..")
    if dots:
        if not first or not last or last.startswith("."):
            raise BadInput(f"'{word}' is no range; give it as A..B: the commits after A up to B.")
        start, end = history.resolve(first), history.resolve(last)
        steps = history.since(start, end)
        if not steps:
            raise UnknownName(
                f"'{word}' holds no commits: {short(start)} does not come before {short(end)}. "
                "Give the older one first; see: memoir log --oneline"
            )
        return steps, None
    if history.is_name(word):
        return [history.resolve(word)], None
    row = store.find(word)
    if row.kind == "settings":
        raise StoreError(_settings(f"'{short(row.id)}'"))
    return ([row.id], None) if row.kind == "commit" else ([], row.id)


def _take_back(store: Store, branch: str, commit: str, state: dict[str, None]) -> None:
    """Undo one commit in a branch's state."""
    history = store.history
    node = history.nodes[commit]
    if node.settings is not None:
        raise StoreError(_settings(f"commit {short(commit)}"))
    if commit not in history.ancestors(history.tip(branch)):
        raise UnknownName(f"commit {short(commit)} is not on branch '{branch}'; see: memoir log")
    for edit in node.add:
        if edit not in state:
            raise StoreError(
                f"commit {short(commit)} cannot be taken back: {_named(store, edit)}, which it "
                "brought into force, is not in force any more. Take back what took it back first, "
                "or name the other edits one by one."
            )
        del state[edit]
    for edit in node.remove:
        if edit in state:
            raise StoreError(
                f"commit {short(commit)} cannot be taken back: {_named(store, edit)}, which it took "
                "back, is in force again. There is nothing of it left to undo."
            )
        state[edit] = None


def _settings(what: str) -> str:
    return (
        f"{what} chose settings, which a revert does not change: edits were fitted under them. "
        "Choose others with: memoir calibrate; or begin a new store."
    )


def _named(store: Store, edit: str) -> str:
    return f"edit {short(edit)} ({_row(store, edit).body['prompt']!r})"


def _row(store: Store, id: str) -> Row:
    return store.log.get([id])[id]
