"""One file with everything that a name leads to, to be carried elsewhere.

It is a safetensors file, written and read without holding more than one tensor file in memory:

    metadata   memoir: the manifest, JSON; checksum: SHA-256 of that
    rows       JSON lines as bytes, see :mod:`memoir.versions.pack`
    SHA256     a tensor file as bytes, as it is in the store, named by its checksum

So what is taken in elsewhere has the same ids, and the same tensors bit for bit.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import safetensors
from pydantic import TypeAdapter, ValidationError

from memoir.errors import BadInput, BadTransfer
from memoir.store import Store, short
from memoir.store import tensors as tensor_files
from memoir.store.rows import HEAD
from memoir.versions.arrival import Arrival, Landed, take_in
from memoir.versions.pack import packed, read, written

FORMAT = 1
"""Version of the layout."""

ROWS = "rows"


@dataclass(frozen=True)
class Manifest:
    """What a bundle holds.

    Attributes:
        format: version of the layout.
        branch: the branch or tag it was made of, or the commit's short id.
        tip: the commit that it leads to.
        identity: the model it is about, see :meth:`memoir.host.Host.identity`.
        rows: how many.
        rows_sha256: checksum of them all.
        files: how many tensor files.
    """

    format: int
    branch: str
    tip: str
    identity: dict[str, str]
    rows: int
    rows_sha256: str
    files: int


def export(store: Store, file: Path, ref: str = HEAD) -> Manifest:
    """Write everything that a name leads to into one new file.

    Args:
        store: where it is.
        file: to be made.
        ref: a branch, tag or commit.

    Raises:
        UnknownName: no such name.
        BadInput: the file is there already.
        StoreDamaged: something that would have to be in it is missing or damaged.
        StoreFull: the disk took no more; no file is left behind.
    """
    if file.exists():
        raise BadInput(f"{file} is there already; choose another name for the file.")
    history = store.history
    tip = history.resolve(ref)
    pack = packed(store, tip)
    settings = store.settings(tip)
    if settings is None:
        raise BadInput(f"'{ref}' is bound to no model yet; make edits first.")
    for sha256 in pack.files:
        store.files.open(sha256).verify()  # before anything is written
    rows = written(pack)
    manifest = Manifest(
        FORMAT,
        _branch(store, ref, tip),
        tip,
        settings.body["identity"],
        len(pack.rows),
        hashlib.sha256(rows).hexdigest(),
        len(pack.files),
    )
    _write(file, manifest, rows, {sha256: store.file(sha256) for sha256 in pack.files})
    return manifest


def import_(file: Path, folder: str | Path) -> Landed:
    """Take a bundle into a store; one is made where there is none.

    A branch of the bundle's name that it only goes on from is moved on; otherwise the bundle comes in
    as ``imported/NAME``.

    Raises:
        BadInput: there is no such file.
        BadTransfer: it is no bundle, or damaged; the store is as it was.
        WrongModel: the store is about another model.
    """
    with _opened(file) as arrival:
        return take_in(folder, arrival, f"imported/{arrival.branch}", "import")


def _branch(store: Store, ref: str, tip: str) -> str:
    history = store.history
    if ref == HEAD:
        return history.branch
    return ref if ref in history.branches or ref in history.tags else short(tip)


# ---------------------------------------------------------------------- the file


def _write(file: Path, manifest: Manifest, rows: bytes, files: dict[str, Path]) -> None:
    """Write a safetensors file part by part, whole or not at all."""
    told = json.dumps(asdict(manifest), ensure_ascii=False)
    header: dict[str, Any] = {"__metadata__": {"memoir": told, "checksum": _sha256(told)}}
    end = 0
    for name, size in [(ROWS, len(rows)), *((name, p.stat().st_size) for name, p in files.items())]:
        header[name] = {"dtype": "U8", "shape": [size], "data_offsets": [end, end + size]}
        end += size
    head = json.dumps(header).encode()
    head += b" " * (-len(head) % 8)
    unfinished = file.with_name(file.name + tensor_files.UNFINISHED)
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with unfinished.open("wb") as out:
            out.write(len(head).to_bytes(8, "little") + head + rows)
            for path in files.values():
                out.write(path.read_bytes())
            out.flush()
            os.fsync(out.fileno())
        unfinished.rename(file)
    except OSError as error:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)
        raise tensor_files.explained(error, str(file)) from error


@contextmanager
def _opened(file: Path) -> Iterator[Arrival]:
    """What a bundle holds, its rows verified; tensor files are verified as they are asked for."""
    if not file.is_file():
        raise BadInput(f"there is no file {file} to import; make one with: memoir export FILE")
    try:
        found = safetensors.safe_open(file, "numpy")
    except (safetensors.SafetensorError, OSError) as error:
        raise _damaged(file, str(error)) from error
    with found:
        manifest = _manifest(file, found.metadata() or {})
        names = set(found.keys())

        def content(name: str) -> bytes:
            if name not in names:
                raise _damaged(file, f"it lacks {name[:12]}…")
            return bytes(found.get_tensor(name).tobytes())

        rows = content(ROWS)
        if hashlib.sha256(rows).hexdigest() != manifest.rows_sha256:
            raise _damaged(file, "its rows are not those that its manifest names")
        yield Arrival(str(file), manifest.branch, manifest.tip, read(rows, str(file)), content)


def _manifest(file: Path, metadata: dict[str, str]) -> Manifest:
    told = metadata.get("memoir")
    if told is None:
        raise BadTransfer(
            f"{file} is a safetensors file, but none that memoir export wrote; nothing was taken in."
        )
    if _sha256(told) != metadata.get("checksum"):
        raise _damaged(file, "its manifest does not fit its checksum")
    try:
        given = json.loads(told)
        number = given["format"]
        if number == FORMAT:
            return TypeAdapter(Manifest).validate_python(given)
    except (ValidationError, ValueError, TypeError, KeyError) as error:
        raise _damaged(file, "its manifest lacks something") from error
    raise BadTransfer(
        f"{file} has layout {number}, but this version of memoir reads {FORMAT}; nothing was taken in."
    )


def _damaged(file: Path, why: str) -> BadTransfer:
    return BadTransfer(
        f"{file} is no bundle, or a damaged one: {why.rstrip('.')}; nothing was taken in. Fetch it "
        "again, or ask whoever made it."
    )


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
