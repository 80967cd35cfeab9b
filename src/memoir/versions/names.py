"""What branches and tags have in common: names that are free, and the names of commits."""

from __future__ import annotations

from collections import defaultdict

from memoir.errors import StoreError
from memoir.store.history import History
from memoir.store.rows import HEAD, short
from memoir.store.store import checked_name


def checked_free(history: History, name: str) -> str:
    """A name that nothing has yet. Branches and tags share their names, so that one means one commit.

    Raises:
        BadInput: nothing may be named so.
        StoreError: a branch or a tag has the name.
    """
    for kind, named in (("branch", history.branches), ("tag", history.tags)):
        if name in named:
            raise StoreError(
                f"there is a {kind} '{name}' already, at {short(named[name])}; choose another name, "
                f"or take that one away: memoir {kind} {name} --delete"
            )
    return checked_name(name)


def labels(history: History) -> dict[str, list[str]]:
    """What each named commit is shown with: ``HEAD -> main``, ``other``, ``tag: v1``."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for name, commit in history.branches.items():
        if name == history.branch:
            found[commit].insert(0, f"{HEAD} -> {name}")
        else:
            found[commit].append(name)
    for name, commit in history.tags.items():
        found[commit].append(f"tag: {name}")
    return dict(found)
