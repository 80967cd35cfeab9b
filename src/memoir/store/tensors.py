"""Tensor files: written whole or not at all, and no tensor is read without being verified.

A store may hold tens of thousands of edits, more than memory does, and opening it must not read what
nobody asks for. So a file is named by the SHA-256 of its header, and the header holds that of each
tensor: reading a tensor verifies the header and that tensor, and nothing else is touched. Files made
before headers had checksums are named by the SHA-256 of all their bytes, and verified whole.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import safetensors.torch
import torch
from torch import Tensor

from memoir.errors import StoreDamaged, StoreError, StoreFull

UNFINISHED = ".unfinished"
"""Suffix of a file being written; one found later belongs to a process that died."""


CHECKSUMS = "sha256"
"""Key of a header's metadata: the SHA-256 of each tensor's bytes by its name, as JSON."""

_LENGTH = 8
"""Bytes before a header, which say how long it is."""

_DTYPES = {
    **{"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16},
    **{"F8_E4M3": torch.float8_e4m3fn, "F8_E5M2": torch.float8_e5m2, "C64": torch.complex64},
    **{"I64": torch.int64, "I32": torch.int32, "I16": torch.int16, "I8": torch.int8},
    **{"U64": torch.uint64, "U32": torch.uint32, "U16": torch.uint16, "U8": torch.uint8},
    "BOOL": torch.bool,
}
"""Types of numbers, by their names in a header."""


class _Header(NamedTuple):
    """What a file says of its tensors.

    Attributes:
        length: bytes up to the first tensor.
        tensors: by name: ``dtype``, ``shape``, and ``data_offsets`` behind the header.
        checksums: by name, the SHA-256 of its bytes; None in a file of the older kind.
    """

    length: int
    tensors: dict[str, Any]
    checksums: dict[str, str] | None

    @classmethod
    def parsed(cls, header: bytes) -> _Header:
        """Of a safetensors file's first bytes."""
        tensors = json.loads(header[_LENGTH:])
        checksums = tensors.pop("__metadata__", {}).get(CHECKSUMS)
        return cls(len(header), tensors, None if checksums is None else json.loads(checksums))

    @property
    def end(self) -> int:
        """Bytes of the whole file."""
        return self.length + max(
            (each["data_offsets"][1] for each in self.tensors.values()), default=0
        )


def serialized(tensors: Mapping[str, Tensor]) -> bytes:
    """Tensors as a safetensors file's content, with their checksums."""
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    checksums = {name: _digest(plain[name]) for name in sorted(plain)}
    return safetensors.torch.save(plain, {CHECKSUMS: json.dumps(checksums)})


def checksum(content: bytes) -> str:
    """What a file of this content is named: the SHA-256 of its header, if that holds those of all
    tensors and they are right; otherwise of everything."""
    header = content[: _LENGTH + int.from_bytes(content[:_LENGTH], "little")]
    try:
        found = {name: _sha256(tensor["data"]) for name, tensor in safetensors.deserialize(content)}
        right = found == _Header.parsed(header).checksums
    except (safetensors.SafetensorError, ValueError):
        right = False
    return _sha256(header if right else content)


def store(folder: Path, content: bytes) -> str:
    """Write a file durably, named by its checksum, and return that.

    Raises:
        StoreFull: the disk took no more; no file is left behind.
        StoreError: this user may not write there.
    """
    sha256 = checksum(content)
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
    """The tensors of a file written by :func:`store`; each is read, and verified, when it is asked for.

    Nothing of them stays in memory here, and no file stays open.

    Args:
        path: the file.
        sha256: what :func:`store` returned.

    Raises:
        StoreDamaged: it is missing, its length is wrong, or its header is not the one that was
            written; later, when a tensor is asked for, also if that is not what was written.
    """

    __slots__ = ("_names", "_path", "_sha256")

    def __init__(self, path: Path, sha256: str) -> None:
        self._path = path
        self._sha256 = sha256
        with self._open() as (_, header):
            # All edits of a store use the same few names: let them share these.
            self._names = tuple(map(sys.intern, header.tensors))

    def __getitem__(self, name: str) -> Tensor:
        if name not in self._names:
            raise KeyError(name)
        with self._open() as (file, header):
            told = header.tensors[name]
            start, end = told["data_offsets"]
            file.seek(header.length + start)
            content = bytearray(file.read(end - start))
        if header.checksums is not None and _sha256(content) != header.checksums[name]:
            raise StoreDamaged(f"{self._path} was altered: '{name}' is not what was written.")
        dtype = _DTYPES[told["dtype"]]
        flat = torch.frombuffer(content, dtype=dtype) if content else torch.empty(0, dtype=dtype)
        return flat.reshape(told["shape"])

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)

    def verify(self) -> None:
        """Read everything.

        Raises:
            StoreDamaged: a tensor is not what was written.
        """
        for _ in self.values():
            pass

    @contextmanager
    def _open(self) -> Iterator[tuple[BinaryIO, _Header]]:
        """The file, and its header, which is the one that was written."""
        try:
            with self._path.open("rb") as file:
                length = file.read(_LENGTH)
                size = os.fstat(file.fileno()).st_size
                header = length + file.read(min(int.from_bytes(length, "little"), size))
                found = _sha256(header)
                if found != self._sha256:  # then it is of the older kind, or wrong
                    found = _sha256(header + file.read())
                if found != self._sha256:
                    raise self._altered(f"SHA-256 {found[:12]}… in place of {self._sha256[:12]}…")
                parsed = _Header.parsed(header)
                if size != parsed.end:
                    raise self._altered(f"{size:,} bytes in place of {parsed.end:,}")
                yield file, parsed
        except OSError as error:
            raise StoreDamaged(
                f"{self._path} cannot be read: {error.strerror or error}."
            ) from error

    def _altered(self, found: str) -> StoreDamaged:
        return StoreDamaged(f"{self._path} was truncated or altered: {found}.")


def _sha256(content: bytes | bytearray) -> str:
    return hashlib.sha256(content).hexdigest()


def _digest(tensor: Tensor) -> str:
    """SHA-256 of a contiguous tensor's bytes."""
    return hashlib.sha256(tensor.reshape(-1).view(torch.uint8).numpy().data).hexdigest()


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
