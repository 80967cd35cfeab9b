"""Tensor files of a store: in its folder, or in its database with copies in the user's cache."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from memoir.cache import cache_folder
from memoir.errors import StoreDamaged
from memoir.store import tensors as tensor_files
from memoir.store.tensors import TensorFile

if TYPE_CHECKING:
    from memoir.store.session import Session

PART = 32 * 2**20
"""Bytes of a file in one row of a database, which takes no more than a gigabyte."""


class Files(Protocol):
    """Tensor files, named by their checksums."""

    def store(self, content: bytes) -> str:
        """Keep a file's content, durably, and return its checksum.

        Raises:
            StoreFull: the disk took no more; nothing of it is kept.
        """

    def open(self, sha256: str) -> TensorFile:
        """A file that is there; each tensor is verified when it is read.

        Raises:
            StoreDamaged: it is missing or truncated, or its header was altered.
        """

    def verify(self, sha256: str) -> None:
        """Read a file where the store itself has it.

        Raises:
            StoreDamaged: it is missing, truncated or altered.
        """

    def path(self, sha256: str) -> Path:
        """Where a file can be read, if there is one."""

    def size(self, sha256: str) -> int:
        """Bytes of a file; 0 if there is none."""

    def remove(self, sha256: str) -> None:
        """Remove a file, if there is one."""

    def strays(self, named: Collection[str]) -> list[str]:
        """What is there beside these files, as people are told."""

    def sweep(self, named: Collection[str]) -> None:
        """Remove it."""


class FolderFiles:
    """Tensor files in a folder.

    Args:
        folder: which holds nothing else.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def store(self, content: bytes) -> str:
        """Keep a file's content, durably, and return its checksum."""
        return tensor_files.store(self._folder, content)

    def open(self, sha256: str) -> TensorFile:
        """A file that is there; each tensor is verified when it is read."""
        return TensorFile(self.path(sha256), sha256)

    def verify(self, sha256: str) -> None:
        """Read a file, and raise if it is missing, truncated or altered."""
        self.open(sha256).verify()

    def path(self, sha256: str) -> Path:
        """Where a file is, or would be."""
        return self._folder / f"{sha256}.safetensors"

    def size(self, sha256: str) -> int:
        """Bytes of a file; 0 if there is none."""
        path = self.path(sha256)
        return path.stat().st_size if path.exists() else 0

    def remove(self, sha256: str) -> None:
        """Remove a file, if there is one."""
        self.path(sha256).unlink(missing_ok=True)

    def strays(self, named: Collection[str]) -> list[str]:
        """What is there beside these files: their paths."""
        names = {self.path(sha256).name for sha256 in named}
        return sorted(str(path) for path in self._folder.iterdir() if path.name not in names)

    def sweep(self, named: Collection[str]) -> None:
        """Remove it."""
        for path in self.strays(named):
            Path(path).unlink(missing_ok=True)


class DatabaseFiles:
    """Tensor files in a database.

    A method reads tensors one by one from files, so a file is copied into the user's cache when it is
    asked for, and read there from then on. The copies are for reading only, shared by all stores, and
    may be deleted while no editor is open.

    Args:
        session: a connection to the database.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._cache = cache_folder() / "tensors"

    def store(self, content: bytes) -> str:
        """Keep a file's content, durably, and return its checksum."""
        sha256 = tensor_files.checksum(content)
        with self._session.transaction():
            # What is there of it may be damaged, or cut into other parts.
            self._session.run("DELETE FROM tensors WHERE sha256 = %s", (sha256,))
            for number, start in enumerate(range(0, len(content), PART)):
                self._session.run(
                    "INSERT INTO tensors VALUES (%s, %s, %s)",
                    (sha256, number, content[start : start + PART]),
                )
        return sha256

    def open(self, sha256: str) -> TensorFile:
        """A file that is there; each tensor is verified when it is read."""
        path = self.path(sha256)
        if not path.exists():
            raise self._missing(sha256)
        try:
            return TensorFile(path, sha256)
        except StoreDamaged:  # of the copy, that is: it was right when it was made
            path.unlink(missing_ok=True)
            return TensorFile(self.path(sha256), sha256)

    def verify(self, sha256: str) -> None:
        """Read a file in the database, and raise if it is missing, truncated or altered; a copy here
        that was is removed."""
        self._content(sha256)
        copy = self._copied(sha256)
        if copy.exists():
            try:
                TensorFile(copy, sha256).verify()
            except StoreDamaged:
                copy.unlink(missing_ok=True)

    def path(self, sha256: str) -> Path:
        """Where a copy is; made now if there is none, and anything to make it from."""
        path = self._copied(sha256)
        if not path.exists() and self.size(sha256):
            try:
                self._copy(sha256, path)
            except OSError as error:
                what = f"{path}, a copy of what the database {self._session.address} holds"
                raise tensor_files.explained(error, what) from error
        return path

    def size(self, sha256: str) -> int:
        """Bytes of a file; 0 if there is none."""
        ((size,),) = self._session.run(
            "SELECT coalesce(sum(octet_length(content)), 0)::bigint FROM tensors WHERE sha256 = %s",
            (sha256,),
        )
        return int(size)

    def remove(self, sha256: str) -> None:
        """Remove a file and its copy here, if there are any."""
        self._session.run("DELETE FROM tensors WHERE sha256 = %s", (sha256,))
        self._copied(sha256).unlink(missing_ok=True)

    def strays(self, named: Collection[str]) -> list[str]:
        """What is there beside these files: their checksums."""
        found = {sha256 for (sha256,) in self._session.run("SELECT DISTINCT sha256 FROM tensors")}
        return sorted(found.difference(named))

    def sweep(self, named: Collection[str]) -> None:
        """Remove it."""
        for sha256 in self.strays(named):
            self.remove(sha256)

    def _copied(self, sha256: str) -> Path:
        return self._cache / f"{sha256}.safetensors"

    def _copy(self, sha256: str, path: Path) -> None:
        """Bring a file into the cache: under its name once it is whole and right."""
        self._cache.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=self._cache, prefix=".", delete=False) as copy:
            unfinished = Path(copy.name)
            try:
                copy.write(self._content(sha256))
                copy.flush()
                os.chmod(unfinished, 0o444)
                unfinished.replace(path)
            except BaseException:
                unfinished.unlink(missing_ok=True)
                raise

    def _content(self, sha256: str) -> bytes:
        """A whole file, verified."""
        query = "SELECT content FROM tensors WHERE sha256 = %s AND part = %s"
        parts: list[bytes] = []
        while part := self._session.run(query, (sha256, len(parts)), binary=True):
            parts.append(bytes(part[0][0]))
        if not parts:
            raise self._missing(sha256)
        content = b"".join(parts)
        found = tensor_files.checksum(content)
        if found != sha256:
            raise StoreDamaged(
                f"tensors in the database {self._session.address} were truncated or altered: "
                f"SHA-256 {found[:12]}… in place of {sha256[:12]}…."
            )
        return content

    def _missing(self, sha256: str) -> StoreDamaged:
        return StoreDamaged(f"the database {self._session.address} has no tensors {sha256[:12]}….")
