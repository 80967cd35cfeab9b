"""Tensor files: written whole or not at all, verified when they are found, read tensor by tensor.

A store may hold tens of thousands of edits, more than memory does. So a file is checked once, and
afterwards only the tensors that somebody asks for are read from it.
"""

from __future__ import annotations

import errno
import hashlib
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import safetensors.torch
from torch import Tensor

from memoir.errors import StoreDamaged, StoreError, StoreFull

UNFINISHED = ".unfinished"
"""Suffix of a file being written; one found later belongs to a process that died."""


def serialized(tensors: Mapping[str, Tensor]) -> bytes:
    """Tensors as a safetensors file's content."""
    return safetensors.torch.save(
        {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    )


def store_bytes(folder: Path, content: bytes) -> str:
    """Write a file durably, named by its SHA-256, and return that.

    Raises:
        StoreFull: the disk took no more; no file is left behind.
        StoreError: this user may not write there.
    """
    sha256 = hashlib.sha256(content).hexdigest()
    path = folder / f"{sha256}.safetensors"
    unfinished = path.with_name(path.name + UNFINISHED)
    try:
        with unfinished.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        unfinished.rename(path)
        sync_folder(folder)
    except OSError as error:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)
        raise explained(error, f"{path} ({len(content)} bytes)") from error
    return sha256


class TensorFile(Mapping[str, Tensor]):
    """The tensors of a file written by :func:`store_bytes`; each is read whenever it is asked for.

    Nothing of them stays in memory here, and no file stays open.

    Args:
        path: the file.
        sha256: what :func:`store_bytes` returned.

    Raises:
        StoreDamaged: it is missing, or its bytes are not those that were written; later also when
            a tensor is asked for and the file has gone or was cut.
    """

    __slots__ = ("_names", "_path")

    def __init__(self, path: Path, sha256: str) -> None:
        self._path = path
        _verify(path, sha256)
        with self._open() as file:
            # All edits of a store use the same few names: let them share these.
            self._names = tuple(map(sys.intern, file.keys()))

    def __getitem__(self, name: str) -> Tensor:
        if name not in self._names:
            raise KeyError(name)
        with self._open() as file:
            # A copy: what is mapped changes with the file, and dies with it.
            copy: Tensor = file.get_tensor(name).clone()
        return copy

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    @contextmanager
    def _open(self) -> Iterator[Any]:
        """The file, mapped into memory."""
        try:
            with safetensors.safe_open(self._path, "pt") as file:
                yield file
        except OSError as error:
            why = str(error).removesuffix(f": {self._path}")  # which is said anyway
            raise _unreadable(self._path, why) from error
        except (safetensors.SafetensorError, RuntimeError) as error:
            raise _unreadable(self._path, str(error)) from error


def _verify(path: Path, sha256: str) -> None:
    try:
        content = path.read_bytes()
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error)) from error
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise StoreDamaged(
            f"{path} was truncated or altered: SHA-256 {found[:12]}… in place of {sha256[:12]}…."
        )


def _unreadable(path: Path, why: str) -> StoreDamaged:
    return StoreDamaged(f"{path} cannot be read: {why}.")


def explained(error: OSError, what: str) -> StoreError:
    """A failed write as an error of ours: out of space, or not allowed."""
    failed = f"could not write {what}: {error.strerror}; nothing was added. "
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return StoreFull(failed + "Free some space and try again.")
    return StoreError(failed + "Check the disk, and that this user may write there.")


def sync_folder(folder: Path) -> None:
    """Make renames and links in a folder durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
