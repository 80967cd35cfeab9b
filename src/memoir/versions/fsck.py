"""What is wrong with a store: each row, name and file, held against what the others say of it.

A row must have the id of its content, a commit must find all it names, each move must continue the
chain of those before it, and a tensor file must have the checksum in its row. What is damaged hides as
little as possible of the rest.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from memoir.errors import StoreDamaged
from memoir.store import Store, short
from memoir.store.history import MAIN
from memoir.store.rows import HEAD, chained, identity
from memoir.types import Progress, no_progress

RESTORE = "Restore the log from a copy of the store."
NAMED = (("commit", "parents"), ("edit", "add"), ("edit", "remove"), ("settings", "settings"))
"""Kinds of rows that a commit names, and where."""


@dataclass(frozen=True)
class Finding:
    """Something that is not as it was written.

    Attributes:
        severity: ``error``: something that a branch or a tag needs is lost, or the history is not what
            it was; ``notice``: nothing needs it.
        what: what was found, and where.
        remedy: what to do about it.
    """

    severity: str
    what: str
    remedy: str


class _Row(NamedTuple):
    """A row as it is found; its body is empty where it cannot be read."""

    id: str
    kind: str
    body: dict[str, Any]
    sha256: str | None

    def named(self) -> Iterator[tuple[str, str]]:
        """Kind and id of each row that a commit names."""
        for kind, field in NAMED:
            value = self.body.get(field)
            for id in value if isinstance(value, list) else [value]:
                if isinstance(id, str):
                    yield kind, id

    def __str__(self) -> str:
        prompt = self.body.get("prompt")
        return f"the {self.kind} {short(self.id)}" + (f" ({prompt!r})" if prompt else "")


def check(store: Store, progress: Progress = no_progress) -> list[Finding]:
    """Everything that is wrong with a store: its log first, then its files."""
    log = _Log(store)
    return [*log.findings(), *_files(store, log, progress), *_nameless(store, log)]


def check_log(store: Store) -> list[Finding]:
    """The same for the log alone."""
    return _Log(store).findings()


class _Log:
    """Rows and moves as far as they can be read.

    Attributes:
        rows: by id.
        tips: commits that branches and tags stand for.
    """

    def __init__(self, store: Store) -> None:
        self._found: list[Finding] = []
        try:
            texts = store.log.check()
        except StoreDamaged as error:
            texts = [str(error)]
        self._error(*(f"{store.log.engine} says of {store.log.place}: {text}" for text in texts))
        # Moves before rows: what is committed meanwhile is not named yet, and is not missed.
        moves, _ = self._read(store, "moves")
        rows, self._whole = self._read(store, "log")
        self.rows = {row.id: row for row in (self._row(*each) for each in rows.items())}
        names = dict(self._names(moves))
        self.tips = {id for ref, id in names.items() if ref != HEAD}
        self._links()
        branch = names.get(HEAD, MAIN)
        if self.tips and f"branch/{branch}" not in names:
            self._found.append(
                Finding(
                    "notice",
                    f"The store is switched to the branch '{branch}', which has no commit.",
                    "Switch to another one: memoir switch NAME.",
                )
            )

    def findings(self) -> list[Finding]:
        """What is wrong, in the order of the log."""
        return list(self._found)

    def needed(self) -> set[str]:
        """Ids of all rows that a branch or a tag leads to, or may lead to where the way is lost."""
        found: set[str] = set()
        todo = list(self.tips)
        while todo:
            id = todo.pop()
            if id not in self.rows:
                return set(self.rows)
            if id not in found:
                found.add(id)
                todo += (other for _, other in self.rows[id].named())
        return found

    def _error(self, *whats: str) -> None:
        self._found += [Finding("error", what, RESTORE) for what in whats]

    def _read(self, store: Store, table: str) -> tuple[dict[int, list[Any]], bool]:
        """The rows of a table by position, and whether all can be read."""
        rows: dict[int, list[Any]] = {}
        lost: dict[str, list[int]] = {}
        try:
            last = store.log.last(table)
        except StoreDamaged as error:
            self._error(str(error))
            return rows, False
        for seq in range(1, last + 1):
            try:
                row = store.log.raw(table, seq)
            except StoreDamaged:
                lost.setdefault("cannot be read", []).append(seq)
                continue
            if row is None:
                lost.setdefault("were removed", []).append(seq)
            else:
                rows[seq] = row
        for how, seqs in lost.items():
            some = ", ".join(map(str, seqs[:8])) + (", …" if len(seqs) > 8 else "")
            self._error(f"Of {last} rows of the table '{table}', {len(seqs)} {how}: {some}.")
        return rows, "cannot be read" not in lost

    def _row(self, seq: int, columns: Sequence[Any]) -> _Row:
        id, kind, time, text, sha256 = columns
        try:
            body = json.loads(text)
            sound = identity(kind, time, body, sha256) == id
        except (TypeError, ValueError):
            body, sound = {}, False
        row = _Row(str(id), str(kind), body if isinstance(body, dict) else {}, sha256)
        if not sound:
            self._error(
                f"Row {seq} of the log ({row}) was altered: its id is not that of its content."
            )
        return row

    def _names(self, moves: Mapping[int, Sequence[Any]]) -> Iterator[tuple[str, str]]:
        """What names stand for after all moves."""
        before, names = "", {}
        for seq, (ref, target, time, why, chain) in moves.items():
            if chain != chained(before, ref, target, time, why):
                self._error(
                    f"Move {seq} ({ref}) does not continue the chain of moves: it was altered, or one "
                    "before it was removed."
                )
            before, names[str(ref)] = str(chain), target
            if ref != HEAD and target is not None and not self._holds("commit", target):
                self._error(
                    f"Move {seq} gave the name {ref} to the commit {short(target)}, which the log does "
                    "not hold."
                )
        return ((ref, target) for ref, target in names.items() if target is not None)

    def _links(self) -> None:
        for row in self.rows.values():
            if row.kind == "commit":
                self._error(
                    *(
                        f"The commit {short(row.id)} names the {kind} {short(id)}, which the log does "
                        "not hold."
                        for kind, id in row.named()
                        if not self._holds(kind, id)
                    )
                )

    def _holds(self, kind: str, id: str) -> bool:
        """Whether there is such a row, or may be one where the log cannot be read."""
        return not self._whole or (id in self.rows and self.rows[id].kind == kind)


def _files(store: Store, log: _Log, progress: Progress) -> Iterator[Finding]:
    needed, gone = log.needed(), 0
    owners: dict[str, _Row] = {}
    for row in log.rows.values():
        if isinstance(row.sha256, str) and (row.id in needed or row.sha256 not in owners):
            owners[row.sha256] = row
    for number, (sha256, row) in enumerate(owners.items(), start=1):
        try:
            store.files.verify(sha256)
        except StoreDamaged as error:
            if row.id in needed:
                remedy = "Restore the file from a copy of the store"
                remedy += ", or revert the edit and teach it anew." if row.kind == "edit" else "."
                yield Finding("error", f"{error} It belongs to {row}.", remedy)
            elif store.files.size(sha256):
                yield Finding(
                    "notice",
                    f"{error} It belongs to {row}, which no branch or tag leads to.",
                    "None is needed; memoir gc removes it in time.",
                )
            else:
                gone += 1
        progress("checking tensor files", number, len(owners))
    if gone:
        yield Finding(
            "notice",
            f"Tensor files that no branch or tag needs are gone: {gone}.",
            "None is needed; memoir gc removes such files.",
        )


def _nameless(store: Store, log: _Log) -> Iterator[Finding]:
    named = {row.sha256 for row in log.rows.values() if row.sha256 is not None}
    for stray in store.files.strays(named):
        yield Finding(
            "notice",
            f"No row names {stray}: a process is about to add it, or ended before it did.",
            "None is needed; the next change to the store removes it.",
        )
