"""Tags: names of commits that stay where they are."""

from __future__ import annotations

from memoir.errors import UnknownName
from memoir.store import Store
from memoir.store.rows import HEAD
from memoir.versions.names import checked_free


def create(store: Store, name: str, ref: str = HEAD) -> str:
    """Name a commit, and return its id.

    Raises:
        BadInput: nothing may be named so.
        StoreError: a branch or a tag has the name.
        UnknownName: no such commit.
    """
    with store.writing():
        commit = store.history.resolve(ref)
        store.move(f"tag/{checked_free(store.history, name)}", commit, "tag")
        return commit


def delete(store: Store, name: str) -> str:
    """Take a tag away, and return the commit it named.

    Raises:
        UnknownName: no such tag.
    """
    with store.writing():
        commit = store.history.tags.get(name)
        if commit is None:
            raise UnknownName.among("tag", name, store.history.tags)
        store.move(f"tag/{name}", None, "tag --delete")
        return commit
