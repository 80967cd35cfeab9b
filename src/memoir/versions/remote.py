"""Where stores are pushed to and pulled from, and what it holds.

    refs.json                      the model it is about, branches, and packs in the order they came
    rows/SHA256.jsonl              a pack: the rows of one push, see :mod:`memoir.versions.pack`
    tensors/SHA256.safetensors

``refs.json`` alone decides what a remote holds. It is written last, and only in the place of the one
that was read, so of two who push at once one is told. All else is named by its content, so files of a
push that never got so far harm nobody.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Protocol

from pydantic import Field, TypeAdapter, ValidationError

from memoir.errors import BadInput, BadTransfer

FORMAT = 1
"""Version of the layout."""

REFS = "refs.json"
HUB = "hf://"
"""How an address of a repository on the Hugging Face Hub begins."""


class Remote(Protocol):
    """Where stores are pushed to.

    Attributes:
        address: as it was given.
        name: what its branches are kept under here.
    """

    address: str
    name: str

    def refs(self) -> tuple[str | None, bytes | None]:
        """Its version now, and its ``refs.json``; None of what it has not.

        Raises:
            RemoteUnavailable: it cannot be read.
        """

    def fetch(self, path: str, version: str | None) -> bytes:
        """A file as of a version.

        Raises:
            RemoteUnavailable: it cannot be read.
            BadTransfer: there is none.
        """

    def publish(
        self, files: Mapping[str, Path | bytes], refs: bytes, version: str | None, message: str
    ) -> bool:
        """Add files, then put ``refs.json`` in the place of the one of a version.

        Returns:
            Whether it was still that version; if not, its ``refs.json`` is as it was.

        Raises:
            RemoteUnavailable: it cannot be written.
        """


@dataclass(frozen=True)
class PackName:
    """A pack of a remote: its checksum, and the commit it leads to."""

    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    tip: str


@dataclass(frozen=True)
class Refs:
    """What a remote's ``refs.json`` says.

    Attributes:
        format: version of the layout.
        identity: the model it is about; empty while nothing was pushed.
        branches: commits by name.
        packs: in order; each builds on those before it.
    """

    format: int = FORMAT
    identity: dict[str, str] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=dict)
    packs: list[PackName] = field(default_factory=list)


def remote_at(address: str) -> Remote:
    """The remote of an address: ``hf://user/repo``, or a folder.

    Raises:
        BadInput: it is neither.
    """
    if address.startswith(HUB):
        from memoir.versions.remote_hub import HubRemote

        return HubRemote(address.removeprefix(HUB))
    if "://" in address:
        raise BadInput(f"'{address}' is no remote; give a folder, or {HUB}USER/REPO.")
    from memoir.versions.remote_folder import FolderRemote

    return FolderRemote(address)


def read_refs(remote: Remote) -> tuple[str | None, Refs]:
    """A remote's version now, and what its ``refs.json`` says; nothing if it has none yet.

    Raises:
        BadTransfer: it is not what memoir writes.
        RemoteUnavailable: it cannot be read.
    """
    version, content = remote.refs()
    if content is None:
        return version, Refs()
    try:
        given = json.loads(content)
        number = given["format"]
        if number == FORMAT:
            return version, TypeAdapter(Refs).validate_python(given)
    except (ValidationError, ValueError, TypeError, KeyError) as error:
        raise BadTransfer(
            f"{remote.address}: its {REFS} is not what memoir push writes; nothing was changed. "
            "Restore it from a copy, or push to another remote."
        ) from error
    raise BadTransfer(
        f"{remote.address} has layout {number}, but this version of memoir reads {FORMAT}; nothing was "
        "changed."
    )


def rows_path(sha256: str) -> str:
    """Where a remote has a pack."""
    return f"rows/{sha256}.jsonl"


def tensors_path(sha256: str) -> str:
    """Where a remote has a tensor file."""
    return f"tensors/{sha256}.safetensors"
