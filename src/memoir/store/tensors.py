"""Tensor files: written whole or not at all, verified whenever they are read."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

import safetensors.torch
from torch import Tensor

from memoir.errors import StoreDamaged, StoreError, StoreFull

UNFINISHED = ".unfinished"
"""Suffix of a file being written; one found later belongs to a process that died."""


def write(path: Path, tensors: Mapping[str, Tensor]) -> str:
    """Write a safetensors file durably and return its SHA-256.

    Raises:
        StoreFull: the disk took no more; no file is left behind.
        StoreError: this user may not write there.
    """
    content = safetensors.torch.save(
        {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    )
    unfinished = path.with_name(path.name + UNFINISHED)
    try:
        with unfinished.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        unfinished.rename(path)
        _sync_folder(path.parent)
    except OSError as error:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)
        raise explained(error, f"{path} ({len(content)} bytes)") from error
    return hashlib.sha256(content).hexdigest()


def read(path: Path, sha256: str) -> dict[str, Tensor]:
    """Read a file written by :func:`write`.

    Raises:
        StoreDamaged: it is missing, or its bytes are not those that were written.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise StoreDamaged(f"{path} cannot be read: {error.strerror}.") from error
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise StoreDamaged(
            f"{path} was truncated or altered: SHA-256 {found[:12]}… in place of {sha256[:12]}…."
        )
    return safetensors.torch.load(content)


def explained(error: OSError, what: str) -> StoreError:
    """A failed write as an error of ours: out of space, or not allowed."""
    failed = f"could not write {what}: {error.strerror}; nothing was added. "
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return StoreFull(failed + "Free some space and try again.")
    return StoreError(failed + "Check the disk, and that this user may write there.")


def _sync_folder(folder: Path) -> None:
    """Make a rename durable."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
