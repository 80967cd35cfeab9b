"""Edits, bound to one model, with their history: in a folder, or in a PostgreSQL database.

    facts/
      log.sqlite                what happened, in order; never rewritten
      tensors/SHA256.safetensors
      write.lock                held by the one process that is adding something

A database has the same in tables; see :mod:`memoir.store.postgres`.

The state of an editor is the fold of the commits that lead to the tip of a branch. A tensor file is
complete and durable before the row that names it, so whatever moment a process dies at, every row that
was acknowledged can be read.
"""

from __future__ import annotations

import getpass
import os
import re
from collections.abc import Container, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from filelock import Timeout
from torch import Tensor

from memoir.errors import BadInput, StoreBusy, StoreDamaged, StoreError, UnknownName
from memoir.store import places, signatures
from memoir.store import tensors as tensor_files
from memoir.store.address import Address, located
from memoir.store.history import History
from memoir.store.rows import HEAD, Row, short, taught
from memoir.store.undo import plan
from memoir.types import Edit, Note

USER = "user.name"
"""Key of the store's setting that says who makes commits here."""

_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[\w.-]+)*")
"""Names of branches and tags."""


@dataclass(frozen=True)
class Entry:
    """One edit of a branch, with what became of it.

    Attributes:
        row: the edit's line in the log.
        status: ``live``, ``reverted``, or ``damaged`` (in force, but its file cannot be used).
        commit: id of the commit that brought it into force first.
        note: what is wrong, if it is damaged.
    """

    row: Row
    status: str
    commit: str
    note: str | None = None

    @property
    def edit(self) -> Edit:
        """What was taught."""
        return taught(self.row)

    def as_dict(self) -> dict[str, Any]:
        """The entry as plain values, for ``--json``."""
        return {
            "id": self.row.id,
            "time": self.row.time,
            "status": self.status,
            "commit": self.commit,
            "note": self.note,
            **self.row.body,
        }


class Store:
    """An existing store; see :meth:`create` for a new one.

    Args:
        folder: where it is: a folder, or the address of a database such as
            ``postgresql://USER@HOST/DATABASE?schema=NAME``.
        patience: seconds to wait for another process that is writing.

    Attributes:
        folder: the same, without a password.
        log: rows and moves.
        files: tensors.

    Raises:
        NotAStore: there is none.
        MissingExtra: it is in a database, and psycopg is not installed.
    """

    def __init__(self, folder: str | Path | Address, patience: float = 60.0) -> None:
        self.folder = located(folder)
        self.log, self.files = places.opened(self.folder)
        self._lock = self.log.lock(patience)
        self._swept = False
        self._history = History()
        self._read = (0, 0)

    @staticmethod
    def exists(folder: str | Path | Address) -> bool:
        """Whether a store is there."""
        return places.exists(located(folder))

    @classmethod
    def create(cls, folder: str | Path | Address, patience: float = 60.0) -> Store:
        """Make an empty store in a new or empty folder, or schema of a database.

        Raises:
            StoreError: it holds something else, or cannot be written.
        """
        places.create(located(folder))
        return cls(folder, patience)

    def close(self) -> None:
        """Release the files."""
        self.log.close()

    # ------------------------------------------------------------------ reading

    @property
    def history(self) -> History:
        """Commits and names, with all that was added by now."""
        rows, moves = self._read
        with self.log.snapshot():
            new_moves = self.log.moves(moves)
            if new_moves:  # no commit counts before a name leads to it
                commits = self.log.rows(rows, "commit")
                self._history.take(commits, new_moves)
                self._read = (commits[-1].seq if commits else rows, new_moves[-1].seq)
        return self._history

    def find(self, id: str, kind: str | None = None) -> Row:
        """The row with this id, or the only one whose id begins so.

        Args:
            id: an id or a beginning of one.
            kind: ``edit``, ``commit`` or ``settings``, to have one of these.

        Raises:
            UnknownName: none, or several.
        """
        found = self.log.beginning(id, kind) if re.fullmatch("[0-9a-f]+", id) else []
        if len(found) > 1:
            some = ", ".join(f"{short(row.id)} ({row.kind})" for row in found[:4])
            raise UnknownName(f"'{id}' is the beginning of several ids: {some}; give more of it.")
        if not found:
            raise UnknownName(f"no {kind or 'entry'} '{id}' in {self.folder}; see: memoir log")
        return found[0]

    def live(self, commit: str | None = None) -> list[Row]:
        """The edits in force at a commit, by default the tip, in the order they came into force."""
        history = self.history
        return self._named(history.live(commit or history.tip()))

    def settings(self, commit: str | None = None) -> Row | None:
        """The settings in force at a commit, by default the tip; None in a store that is not bound to
        a model yet."""
        history = self.history
        id = history.settings(commit or history.tip())
        return None if id is None else self._named([id])[0]

    def _named(self, ids: Sequence[str]) -> list[Row]:
        """The rows that commits name by these ids."""
        rows = self.log.get(ids)
        missing = next((id for id in ids if id not in rows), None)
        if missing is not None:
            raise StoreDamaged(
                f"the log of {self.folder} has lost the row {short(missing)}, which its history names. "
                "See what else is damaged with memoir fsck, and restore the store from a copy."
            )
        return [rows[id] for id in ids]

    def tensors(self, row: Row) -> Mapping[str, Tensor]:
        """The tensors of a row; each is read, and verified, when it is asked for.

        Raises:
            StoreDamaged: the file is missing or truncated, or its header was altered.
        """
        if row.sha256 is None:
            return {}
        try:
            return self.files.open(row.sha256)
        except StoreDamaged as error:
            if self.size(row):
                raise
            raise StoreDamaged(
                f"{error} memoir gc removes such a file once no branch or tag has led to its edit for "
                "some time; restore it from a copy, or teach the edit anew."
            ) from None

    def file(self, sha256: str) -> Path:
        """Where the tensors with this checksum can be read."""
        return self.files.path(sha256)

    def size(self, row: Row) -> int:
        """Bytes of a row's tensor file; 0 if it has none."""
        return self.files.size(row.sha256) if row.sha256 else 0

    # ------------------------------------------------------------------ what became of edits

    def entries(self, commit: str | None = None, ids: Sequence[str] | None = None) -> list[Entry]:
        """Every edit made on the way to a commit, by default the tip, in order; or some of them, by
        their ids. The files of those in force are looked for."""
        history = self.history
        commit = commit or history.tip()
        live, made = set(history.live(commit)), history.made(commit)
        rows = self._named(list(made) if ids is None else ids)
        return [self._entry(row, live, made[row.id]) for row in rows]

    def entry(self, id: str) -> Entry:
        """One edit of the branch in use.

        Raises:
            UnknownName: no such edit.
        """
        row = self.find(id, "edit")
        history = self.history
        made = history.made(history.tip())
        if row.id not in made:
            raise UnknownName(
                f"edit '{short(row.id)}' was not made on branch '{history.branch}'; "
                "see: memoir log --all"
            )
        return self._entry(row, history.live(history.tip()), made[row.id])

    def in_force(self, id: str, branch: str | None = None) -> Row:
        """The row of an edit that is in force on a branch, by default the one in use.

        Raises:
            UnknownName: no such edit, or it was taken back before.
        """
        row = self.find(id, "edit")
        history = self.history
        tip = history.tip(branch)
        if row.id not in history.live(tip):
            gone = row.id in history.made(tip)
            why = (
                "is reverted already" if gone else f"is not on branch '{branch or history.branch}'"
            )
            raise UnknownName(f"'{short(row.id)}' {why}; see: memoir log")
        return row

    def _entry(self, row: Row, live: Container[str], commit: str) -> Entry:
        if row.id not in live:
            return Entry(row, "reverted", commit)
        try:
            self.tensors(row)
        except StoreDamaged as error:
            return Entry(row, "damaged", commit, str(error))
        return Entry(row, "live", commit)

    # ------------------------------------------------------------------ writing

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Be the only process that adds something.

        Raises:
            StoreBusy: another one kept the lock for longer than our patience.
        """
        try:
            # Polled often: a process that writes edit after edit frees the lock for moments only.
            self._lock.acquire(poll_interval=0.005)
        except Timeout:
            raise StoreBusy(
                f"another process has been writing to {self.folder} for over "
                f"{self._lock.timeout:g} s; nothing was added. Try again when it is done."
            ) from None
        except OSError as error:
            raise tensor_files.explained(error, self._lock.lock_file) from error
        try:
            self._sweep()
            yield
        except BaseException:
            if self._lock.lock_counter == 1:  # nobody further out may still commit what was written
                self._swept = False
                with suppress(OSError, StoreError):
                    self._sweep()
            raise
        finally:
            self._lock.release()

    def row(
        self, kind: str, body: Mapping[str, Any], tensors: Mapping[str, Tensor] | None = None
    ) -> Row:
        """A row to be committed, whose tensors are durable already. Made inside :meth:`writing`, and
        committed there: a file that no row names is swept away.

        Raises:
            StoreFull: the disk took no more; nothing was added.
        """
        assert self._lock.is_locked, "rows are made inside Store.writing()"
        content = tensor_files.serialized(tensors) if tensors else None
        return Row.new(kind, body, None if content is None else self.files.store(content))

    def commit(
        self,
        add: Sequence[Row] = (),
        remove: Sequence[str] = (),
        *,
        settings: Row | None = None,
        note: Note | None = None,
        parents: Sequence[str] | None = None,
        why: str = "commit",
        branch: str | None = None,
    ) -> Row:
        """Change what is in force on a branch; durable when this returns.

        Args:
            add: edits that come into force, in order: new ones from :meth:`row`, or ones that are
                stored, here or in another store.
            remove: ids of edits that leave it.
            settings: new ones, made by :meth:`row`.
            note: who changes this, and why.
            parents: of the commit; None for the branch's tip.
            why: the verb, for the record of moves.
            branch: which one; None for the branch in use.

        Returns:
            The commit's row.

        Raises:
            StoreFull: the disk took no more; the store is as it was.
            SigningFailed: the store has a signing key, and it could not be used.
        """
        note = note or Note()
        with self.writing():
            history, config = self.history, self.log.config()
            branch = branch or history.branch
            tip = history.tip(branch)
            body = {
                "parents": list(parents) if parents is not None else [tip] if tip else [],
                "author": note.author or author(config.get(USER)),
                "message": note.message,
                "settings": settings.id if settings else None,
                "add": [row.id for row in add],
                "remove": list(remove),
                **({"forced": list(note.forced)} if note.forced else {}),
            }
            commit = Row.new("commit", body)
            rows = [*((settings,) if settings else ()), *add]
            known = self.log.get(row.id for row in rows)
            new = [row for row in rows if row.id not in known]
            moves = [(f"branch/{branch}", commit.id, why)]
            key = config.get(signatures.KEY)
            signed = {commit.id: signatures.sign(commit, key)} if key else {}
            return self.log.append([*new, commit], moves, signed)[-1]

    def move(self, ref: str, target: str | None, why: str) -> None:
        """Give a name to another commit, or take it away; HEAD takes a branch's name."""
        with self.writing():
            self.log.append([], [(ref, target, why)])

    def revert(
        self, words: Sequence[str], note: Note | None = None, branch: str | None = None
    ) -> Row:
        """Take edits and commits back, all or none, and return the commit that does.

        Args:
            words: what to take back, see :func:`memoir.store.undo.plan`.
            note: who does, and why.
            branch: which one they are taken back from; None for the branch in use.

        Raises:
            UnknownName: no such edit or commit, or an edit is not in force.
            StoreError: a commit cannot be taken back.
        """
        with self.writing():
            undo = plan(self, words, branch)
            note = note or Note()
            rows = self.log.get(undo.add)
            return self.commit(
                [rows[id] for id in undo.add],
                undo.remove,
                note=replace(note, message=note.message or undo.message),
                why="revert",
                branch=branch,
            )

    def _sweep(self) -> None:
        """Remove tensor files that were written and never acknowledged: once a store is opened, those
        of processes that died, and later those of each change that failed."""
        if self._swept:
            return
        self._swept = True
        self.files.sweep(self.log.files())


def checked_name(name: str) -> str:
    """A name that a branch or a tag may have.

    Raises:
        BadInput: it may not.
    """
    if not _NAME.fullmatch(name) or name == HEAD or ".." in name:  # A..B is a range
        raise BadInput(
            f"'{name}' cannot name a branch or a tag: use letters, digits, and single . _ - / "
            "between them."
        )
    return name


def author(configured: str | None = None) -> str:
    """Who makes commits here: ``MEMOIR_AUTHOR``, or else who the store is configured for, or else the
    user's name on this machine."""
    given = os.environ.get("MEMOIR_AUTHOR", "").strip() or configured
    if given:
        return given
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return "unknown"
