"""Branches: lines of commits that go on separately."""

from __future__ import annotations

from memoir.errors import StoreError, UnknownName
from memoir.store import Store, short
from memoir.store.rows import HEAD
from memoir.versions.names import checked_free


def create(store: Store, name: str, start: str = HEAD) -> str:
    """Begin a branch at a commit, and return its id. The branch in use stays.

    Raises:
        BadInput: nothing may be named so.
        StoreError: a branch or a tag has the name.
        UnknownName: no such commit.
    """
    with store.writing():
        commit = store.history.resolve(start)
        store.move(f"branch/{checked_free(store.history, name)}", commit, "branch")
        return commit


def delete(store: Store, name: str, force: bool = False) -> str:
    """Take a branch's name away, and return the commit it had. Its commits stay in the log.

    Args:
        store: where it is.
        name: of the branch.
        force: also if no other name leads to its last commit.

    Raises:
        UnknownName: no such branch.
        StoreError: it is in use, or nothing else leads to its last commit.
    """
    with store.writing():
        history = store.history
        tip = existing(store, name)
        if name == history.branch:
            raise StoreError(
                f"branch '{name}' is in use; switch to another one first: memoir switch NAME"
            )
        others = {each: commit for each, commit in history.branches.items() if each != name}
        known = [*others.values(), *history.tags.values()]
        if not force and not any(tip in history.ancestors(commit) for commit in known):
            raise StoreError(
                f"no other branch or tag leads to the last commit of branch '{name}' "
                f"({short(tip)}), so its edits would be lost sight of. Merge or tag it first, or "
                "delete it all the same with --force."
            )
        store.move(f"branch/{name}", None, "branch --delete")
        return tip


def existing(store: Store, name: str) -> str:
    """The last commit of a branch.

    Raises:
        UnknownName: no such branch.
    """
    found = store.history.branches.get(name)
    if found is None:
        raise UnknownName.among(
            "branch", name, store.history.branches, f"Make it with: memoir switch --create {name}"
        )
    return found
