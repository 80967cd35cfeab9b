"""Which edits are in force at which commit: the graph of commits, and the names in it.

The state at a commit is that at its first parent, less what it removes, with what it adds. A merge's
changes are told relative to its first parent too; its other parents only say what it already knows.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from memoir.errors import StoreDamaged, UnknownName
from memoir.store.rows import HEAD, Move, Row, short

MAIN = "main"
"""The branch that a new store begins with."""

_BACK = re.compile(r"(.+)~(\d+)")


class Node(NamedTuple):
    """What of a commit decides states.

    Attributes:
        parents: ids of commits; none for the first one.
        settings: id of the settings it brings into force, or None.
        add: ids of edits that come into force, in order.
        remove: ids of edits that leave it.
    """

    parents: tuple[str, ...]
    settings: str | None
    add: tuple[str, ...]
    remove: tuple[str, ...]


class History:
    """Commits and names that were taken in so far."""

    def __init__(self) -> None:
        self.nodes: dict[str, Node] = {}
        self.refs: dict[str, str] = {}
        self._last: tuple[str | None, dict[str, None]] = (None, {})

    def take(self, commits: Iterable[Row], moves: Iterable[Move]) -> None:
        """Take in what was added since."""
        for row in commits:
            body = row.body
            self.nodes[row.id] = Node(
                tuple(body["parents"]),
                body.get("settings"),
                tuple(body["add"]),
                tuple(body["remove"]),
            )
        for move in moves:
            if move.target is None:
                self.refs.pop(move.ref, None)
            else:
                self.refs[move.ref] = move.target

    # ------------------------------------------------------------------ names

    @property
    def branch(self) -> str:
        """The branch that the store is switched to."""
        return self.refs.get(HEAD, MAIN)

    @property
    def branches(self) -> dict[str, str]:
        """Commits of all branches, by name."""
        return self._named("branch/")

    @property
    def tags(self) -> dict[str, str]:
        """Commits of all tags, by name."""
        return self._named("tag/")

    def _named(self, prefix: str) -> dict[str, str]:
        return {
            ref.removeprefix(prefix): id
            for ref, id in sorted(self.refs.items())
            if ref.startswith(prefix)
        }

    def tip(self, branch: str | None = None) -> str | None:
        """The last commit of a branch, by default of the one in use; None while it has none."""
        return self.refs.get(f"branch/{branch or self.branch}")

    def is_name(self, word: str) -> bool:
        """Whether a word is a name of a commit, and not the beginning of an id."""
        back = _BACK.fullmatch(word)
        return word == HEAD or back is not None or word in self.branches or word in self.tags

    def resolve(self, name: str) -> str:
        """The commit that a name stands for.

        Args:
            name: ``HEAD``, a branch, a tag, a commit's id or a beginning of it; ``NAME~2`` for the
                second one before.

        Raises:
            UnknownName: none, or several.
        """
        back = _BACK.fullmatch(name)
        if back:
            line = self.line(self.resolve(back[1]))
            if int(back[2]) >= len(line):
                raise UnknownName(
                    f"'{back[1]}' has {len(line) - 1} commits before it; no '{name}'."
                )
            return line[-1 - int(back[2])]
        found = self.tip() if name == HEAD else self.branches.get(name) or self.tags.get(name)
        if found is not None:
            return found
        begin = [id for id in self.nodes if name and id.startswith(name)]
        if len(begin) == 1:
            return begin[0]
        if begin:
            some = ", ".join(map(short, begin[:4])) + (", …" if len(begin) > 4 else "")
            raise UnknownName(
                f"'{name}' is the beginning of {len(begin)} commits ({some}); give more."
            )
        raise UnknownName.among(
            "branch, tag or commit",
            name,
            [*([HEAD] if self.tip() else []), *self.branches, *self.tags],
            "See: memoir log.",
        )

    # ------------------------------------------------------------------ states

    def _node(self, id: str) -> Node:
        if id not in self.nodes:
            raise StoreDamaged(
                f"the log has lost the commit {short(id)}, which its history names. See what else is "
                "damaged with memoir fsck, and restore the store from a copy."
            )
        return self.nodes[id]

    def line(self, commit: str | None) -> list[str]:
        """A commit and its first parents, the oldest first."""
        found = []
        while commit is not None:
            found.append(commit)
            parents = self._node(commit).parents
            commit = parents[0] if parents else None
        return found[::-1]

    def since(self, old: str | None, new: str | None) -> list[str] | None:
        """The commits that lead from one commit to another, the oldest first; None if none do."""
        found = []
        while new != old:
            if new is None:
                return None
            found.append(new)
            parents = self._node(new).parents
            new = parents[0] if parents else None
        return found[::-1]

    def live(self, commit: str | None) -> list[str]:
        """Ids of the edits in force at a commit, in the order they came into force."""
        at, edits = self._last
        steps = self.since(at, commit)
        if steps is None:
            steps, edits = self.line(commit), {}
        edits = dict(edits)
        for id in steps:
            node = self.nodes[id]
            for each in node.remove:
                edits.pop(each, None)
            edits.update(dict.fromkeys(node.add))
        self._last = (commit, edits)
        return list(edits)

    def settings(self, commit: str | None) -> str | None:
        """Id of the settings in force at a commit; None before there are any."""
        ids = (self.nodes[id].settings for id in reversed(self.line(commit)))
        return next((id for id in ids if id is not None), None)

    def made(self, commit: str | None) -> dict[str, str]:
        """For every edit that was ever in force on the way to a commit, the commit that made it so
        first."""
        found: dict[str, str] = {}
        for id in self.ordered(commit):
            for edit in self.nodes[id].add:
                found.setdefault(edit, id)
        return found

    def ancestors(self, commit: str | None) -> set[str]:
        """A commit with everything it builds on."""
        found: set[str] = set()
        todo = [commit] if commit is not None else []
        while todo:
            id = todo.pop()
            if id not in found:
                found.add(id)
                todo += self._node(id).parents
        return found

    def ordered(self, commit: str | None) -> list[str]:
        """:meth:`ancestors`, each behind all it builds on."""
        known = self.ancestors(commit)
        return [
            id for id in self.nodes if id in known
        ]  # stores take commits in after their parents

    def base(self, one: str | None, other: str | None) -> str | None:
        """The last commit that two have in common; None if they have none."""
        shared = self.ancestors(one) & self.ancestors(other)
        return next((id for id in reversed(self.nodes) if id in shared), None)

    def reachable(self) -> set[str]:
        """Commits that some name leads to."""
        found: set[str] = set()
        for commit in {*self.branches.values(), *self.tags.values()}:
            found |= self.ancestors(commit)
        return found

    def edits(self, commits: Iterable[str]) -> Iterator[str]:
        """Ids of the edits that commits bring into force."""
        for id in commits:
            yield from self.nodes[id].add
