"""A remote that is a folder: on another disk, on a network share, or synchronised by other means."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout

from memoir.errors import BadTransfer, RemoteUnavailable
from memoir.store.tensors import UNFINISHED
from memoir.versions.remote import REFS

PATIENCE = 60.0
"""Seconds to wait for another process that pushes."""


class FolderRemote:
    """A folder; made by the first push.

    Args:
        address: its path.
    """

    def __init__(self, address: str) -> None:
        self.address = address
        self._folder = Path(address).expanduser()
        self.name = branch_name(self._folder.resolve().name)

    def refs(self) -> tuple[str | None, bytes | None]:
        """Its version, which is the checksum of its ``refs.json``, and that."""
        try:
            content = (self._folder / REFS).read_bytes()
        except FileNotFoundError:
            return None, None
        except OSError as error:
            raise self._failed("read", error) from error
        return hashlib.sha256(content).hexdigest(), content

    def fetch(self, path: str, version: str | None) -> bytes:
        """A file's content; files never change, so of any version."""
        try:
            return (self._folder / path).read_bytes()
        except FileNotFoundError as error:
            raise BadTransfer(
                f"{self.address} lacks {path}; nothing was taken in. Restore it from a copy, or "
                "push to another remote."
            ) from error
        except OSError as error:
            raise self._failed("read", error) from error

    def publish(
        self, files: Mapping[str, Path | bytes], refs: bytes, version: str | None, message: str
    ) -> bool:
        """Add files, then replace ``refs.json`` under a lock if it is still that of the version."""
        self._check_ours()
        try:
            for path, content in files.items():
                if not (self._folder / path).exists():
                    whole = content if isinstance(content, bytes) else content.read_bytes()
                    _write(self._folder / path, whole)
            self._folder.mkdir(parents=True, exist_ok=True)
            with FileLock(self._folder / "push.lock", timeout=PATIENCE):
                if self.refs()[0] != version:
                    return False
                _write(self._folder / REFS, refs)
        except Timeout as error:
            raise RemoteUnavailable(
                f"another process has been pushing to {self.address} for over {PATIENCE:g} s; nothing "
                "was pushed. Try again when it is done."
            ) from error
        except OSError as error:
            raise self._failed("write", error) from error
        return True

    def _check_ours(self) -> None:
        """Whether the folder is a remote, or may become one."""
        folder = self._folder
        ours = ("rows", "tensors", "push.lock")
        try:
            others = [each.name for each in folder.iterdir()] if folder.exists() else []
        except OSError as error:
            raise self._failed("write", error) from error
        foreign = sorted(each for each in others if each not in ours and not each.startswith(REFS))
        if foreign and REFS not in others:
            raise RemoteUnavailable(
                f"{self.address} holds something else than a remote ({foreign[0]}); nothing was "
                "pushed. Choose a new or empty folder."
            )

    def _failed(self, what: str, error: OSError) -> RemoteUnavailable:
        return RemoteUnavailable(
            f"could not {what} {error.filename or self.address}: {error.strerror}. Check that "
            f"{self.address} is there, has room, and that this user may {what} it."
        )


def branch_name(text: str) -> str:
    """A text as a part of a branch's name."""
    return re.sub(r"[^\w.-]", "-", text).lstrip("_.-") or "remote"


def _write(path: Path, content: bytes) -> None:
    """Write a file durably, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f"{path.name}.{os.getpid()}{UNFINISHED}")
    try:
        with unfinished.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(path)
    except OSError:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)
        raise
