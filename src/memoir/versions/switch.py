"""Switching to another branch: editors that follow the branch in use follow at their next look."""

from __future__ import annotations

from memoir.errors import UnknownName
from memoir.store import Store
from memoir.store.rows import HEAD
from memoir.versions import branch


def switch(store: Store, name: str, new: bool = False) -> str:
    """Use another branch from now on, and return its last commit.

    Args:
        store: where it is.
        name: of the branch.
        new: begin it here first.

    Raises:
        UnknownName: no such branch.
        StoreError: a new one is asked for, and a branch or a tag has the name.
    """
    with store.writing():
        if new:
            branch.create(store, name)
        elif name in store.history.tags:
            raise UnknownName(
                f"'{name}' is a tag, which stays where it is. Begin a branch there and use that: "
                f"memoir branch NAME {name}, then memoir switch NAME"
            )
        tip = branch.existing(store, name)
        if name != store.history.branch:
            store.move(HEAD, name, "switch")
        return tip
