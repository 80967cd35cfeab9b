"""A folder of edits, bound to one model.

    facts/
      log.sqlite          what happened, in order; never rewritten
      tensors/ID.safetensors
      write.lock          held by the one process that is adding something

The state of an editor is the fold of the log. A tensor file is complete and durable before the row
that names it, so whatever moment a process dies at, every row that was acknowledged can be read.
"""

from __future__ import annotations

import secrets
from collections.abc import Container, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from torch import Tensor

from memoir.errors import NotAStore, StoreBusy, StoreDamaged, StoreError, UnknownName
from memoir.store import tensors as tensor_files
from memoir.store.log import Log, Row
from memoir.types import Edit

LOG = "log.sqlite"
TENSORS = "tensors"


@dataclass(frozen=True)
class Entry:
    """One edit of the log, with what became of it.

    Attributes:
        row: the log's line.
        status: ``live``, ``reverted``, or ``damaged`` (in force, but its file cannot be used).
        note: what is wrong, if it is damaged.
    """

    row: Row
    status: str
    note: str | None = None

    @property
    def edit(self) -> Edit:
        """What was taught."""
        return taught(self.row)


def taught(row: Row) -> Edit:
    """The edit of a row that holds one."""
    body = row.body
    more = {name: tuple(body.get(name, ())) for name in ("phrasings", "aliases")}
    return Edit(body["prompt"], body["target"], body["subject"], **more)


class Store:
    """An existing store; see :meth:`create` for a new one.

    Args:
        folder: where it is.
        patience: seconds to wait for another process that is writing.

    Raises:
        NotAStore: there is none in that folder.
    """

    def __init__(self, folder: str | Path, patience: float = 60.0) -> None:
        self.folder = Path(folder)
        if not (self.folder / LOG).is_file():
            raise NotAStore(f"{self.folder} holds no memoir store; make one with: memoir init")
        self._log = Log(self.folder / LOG)
        self._lock = FileLock(self.folder / "write.lock", timeout=patience)
        self._swept = False

    @staticmethod
    def exists(folder: str | Path) -> bool:
        """Whether a store is in that folder."""
        return (Path(folder) / LOG).is_file()

    @classmethod
    def create(cls, folder: str | Path, patience: float = 60.0) -> Store:
        """Make an empty store in a new or empty folder.

        Raises:
            StoreError: the folder holds something else, or cannot be written.
        """
        path = Path(folder)
        if path.exists() and (not path.is_dir() or any(path.iterdir())):
            raise StoreError(f"{path} is not an empty folder; choose a new one for the store.")
        try:
            (path / TENSORS).mkdir(parents=True)
            # Named last, so that a half-made store is never taken for one.
            unfinished = path / (LOG + tensor_files.UNFINISHED)
            Log.create(unfinished)
            unfinished.rename(path / LOG)
        except (OSError, StoreError) as error:
            for left in path.glob(LOG + "*"):
                left.unlink(missing_ok=True)
            with suppress(OSError):
                (path / TENSORS).rmdir()
            if isinstance(error, OSError):
                raise tensor_files.explained(error, f"a store in {path}") from error
            raise
        return cls(path, patience)

    def close(self) -> None:
        """Release the files."""
        self._log.close()

    # ------------------------------------------------------------------ reading

    def rows(self, after: int = 0) -> list[Row]:
        """Rows of the log behind a position."""
        return self._log.rows(after)

    def find(self, id: str) -> Row:
        """The row with this id, or the edit with the only id that begins so.

        Raises:
            UnknownName: none, or several.
        """
        rows = self.rows()
        found = [row for row in rows if row.id == id] or [
            row for row in rows if id and row.kind == "edit" and row.id.startswith(id)
        ]
        if len(found) > 1:
            some = ", ".join(row.id for row in found[:4]) + (", …" if len(found) > 4 else "")
            raise UnknownName(
                f"'{id}' is the beginning of {len(found)} ids ({some}); give more of it."
            )
        if not found:
            raise UnknownName(f"no entry '{id}' in {self.folder}; see: memoir log")
        return found[0]

    def tensors(self, row: Row) -> Mapping[str, Tensor]:
        """The tensors of a row; the file is verified now, and each is read when it is asked for.

        Raises:
            StoreDamaged: the file is missing, truncated or altered.
        """
        if row.file is None or row.sha256 is None:
            return {}
        return tensor_files.TensorFile(self.folder / row.file, row.sha256)

    def size(self, row: Row) -> int:
        """Bytes of a row's tensor file; 0 if it has none."""
        path = self.folder / row.file if row.file else None
        return path.stat().st_size if path and path.exists() else 0

    # ------------------------------------------------------------------ what became of edits

    def entries(self) -> list[Entry]:
        """Every edit ever made here, in order; the files of those in force are verified."""
        rows = self.rows()
        reverted = {row.body["edit"] for row in rows if row.kind == "revert"}
        return [self._entry(row, reverted) for row in rows if row.kind == "edit"]

    def entry(self, id: str) -> Entry:
        """One edit.

        Raises:
            UnknownName: no such edit.
        """
        row = self.find(id)
        if row.kind != "edit":
            raise UnknownName(f"'{row.id}' is a {row.kind}, no edit; see: memoir log")
        return self._entry(row, {row.body["edit"] for row in self.rows() if row.kind == "revert"})

    def in_force(self, id: str) -> Row:
        """The row of an edit that is in force.

        Raises:
            UnknownName: no such edit, or it was taken back before.
        """
        entry = self.entry(id)
        if entry.status == "reverted":
            raise UnknownName(f"'{entry.row.id}' is reverted already; see: memoir log")
        return entry.row

    def _entry(self, row: Row, reverted: Container[str]) -> Entry:
        if row.id in reverted:
            return Entry(row, "reverted")
        try:
            self.tensors(row)
        except StoreDamaged as error:
            return Entry(row, "damaged", str(error))
        return Entry(row, "live")

    # ------------------------------------------------------------------ writing

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Be the only process that adds something.

        Raises:
            StoreBusy: another one kept the lock for longer than our patience.
        """
        try:
            # Polled often: a process that writes edit after edit frees the lock for moments only.
            with self._lock.acquire(poll_interval=0.005):
                self._sweep()
                yield
        except Timeout:
            raise StoreBusy(
                f"another process has been writing to {self.folder} for over "
                f"{self._lock.timeout:g} s; nothing was added. Try again when it is done."
            ) from None

    def append(
        self, kind: str, body: dict[str, Any], tensors: Mapping[str, Tensor] | None = None
    ) -> Row:
        """Add a row with its tensors; both are durable when this returns.

        Raises:
            StoreFull: the disk took no more; the store is as it was.
        """
        with self.writing():
            id = secrets.token_hex(5)
            if not tensors:
                return self._log.append(id, kind, body, None, None)
            file = f"{TENSORS}/{id}.safetensors"
            sha256 = tensor_files.write(self.folder / file, tensors)
            try:
                return self._log.append(id, kind, body, file, sha256)
            except StoreError:
                (self.folder / file).unlink(missing_ok=True)
                raise

    def revert(self, id: str) -> Row:
        """Note that an edit is taken back, and return the new row.

        Raises:
            UnknownName: no such edit, or it was taken back before.
        """
        with self.writing():
            return self.append("revert", {"edit": self.in_force(id).id})

    def _sweep(self) -> None:
        """Once a store is opened: remove what a process that died wrote and never acknowledged."""
        if self._swept:
            return
        self._swept = True
        named = {row.file for row in self.rows()}
        for path in (self.folder / TENSORS).iterdir():
            if f"{TENSORS}/{path.name}" not in named:
                path.unlink(missing_ok=True)
