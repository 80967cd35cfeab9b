"""A remote that is a repository on the Hugging Face Hub.

It is a model repository, made private by the first push; whoever may read or write it there may pull
or push. Log in with ``hf auth login``, or set ``HF_TOKEN``. Every push is one or several commits there,
each on top of the one before (``parent_commit``), so that a push that somebody else overtook is refused
by the Hub and tried again.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from huggingface_hub import CommitOperationAdd, HfApi
from huggingface_hub.errors import (
    EntryNotFoundError,
    HfHubHTTPError,
    HFValidationError,
    LocalEntryNotFoundError,
    RepositoryNotFoundError,
)
from huggingface_hub.errors import HTTPError as TransportError  # type: ignore[attr-defined]

from memoir.errors import BadInput, BadTransfer, RemoteUnavailable
from memoir.versions.remote import HUB, REFS
from memoir.versions.remote_folder import branch_name

AT_ONCE = 500
"""Files of one commit on the Hub."""

OVERTAKEN = (409, 412)
"""What the Hub answers when a commit's parent is not the last one any more."""


class HubRemote:
    """A repository on the Hub.

    Args:
        repository: ``user/repo``.
        api: an object with the methods ``repo_info``, ``hf_hub_download``, ``create_repo`` and
            ``create_commit`` of :class:`huggingface_hub.HfApi`; None for that.

    Raises:
        BadInput: that is no repository's name.
    """

    def __init__(self, repository: str, api: Any = None) -> None:
        self.address = HUB + repository
        if repository.count("/") != 1 or not all(repository.split("/")):
            raise BadInput(f"'{self.address}' names no repository; write {HUB}USER/REPO.")
        self.name = branch_name(repository.split("/")[1])
        self._repository = repository
        self._api = HfApi() if api is None else api

    def refs(self) -> tuple[str | None, bytes | None]:
        """Its last commit, and its ``refs.json`` there."""
        with self._explaining():
            try:
                version = str(self._api.repo_info(self._repository).sha)
            except RepositoryNotFoundError:
                return None, None
            try:
                return version, self._download(REFS, version)
            except EntryNotFoundError:
                return version, None

    def fetch(self, path: str, version: str | None) -> bytes:
        """A file's content at a commit; it is kept in Hugging Face's cache."""
        with self._explaining():
            try:
                return self._download(path, version)
            except EntryNotFoundError as error:
                raise BadTransfer(
                    f"{self.address} lacks {path}; nothing was taken in. Push it again from a store "
                    "that has it, or to another remote."
                ) from error

    def publish(
        self, files: Mapping[str, Path | bytes], refs: bytes, version: str | None, message: str
    ) -> bool:
        """Commit files, ``refs.json`` last, each commit on top of the one before."""
        added = [*files.items(), (REFS, refs)]
        with self._explaining():
            if version is None:
                self._api.create_repo(self._repository, private=True, exist_ok=True)
                version, there = self.refs()
                if version is None or there is not None:
                    return False  # somebody else was faster
            try:
                for start in range(0, len(added), AT_ONCE):
                    version = self._commit(dict(added[start : start + AT_ONCE]), version, message)
            except HfHubHTTPError as error:
                if error.response.status_code in OVERTAKEN:
                    return False
                raise
        return True

    def _commit(self, files: Mapping[str, Path | bytes], parent: str, message: str) -> str:
        done = self._api.create_commit(
            self._repository,
            [CommitOperationAdd(path, content) for path, content in files.items()],
            commit_message=message,
            parent_commit=parent,
        )
        return str(done.oid)

    def _download(self, path: str, version: str | None) -> bytes:
        try:
            found = self._api.hf_hub_download(self._repository, path, revision=version)
        except LocalEntryNotFoundError as error:  # the Hub was not asked: it cannot be reached
            raise ConnectionError(str(error)) from error
        return Path(found).read_bytes()

    @contextmanager
    def _explaining(self) -> Iterator[None]:
        try:
            yield
        except HFValidationError as error:
            raise BadInput(f"'{self.address}' names no repository: {error}") from error
        except (TransportError, OSError) as error:
            why = (
                str(error).strip().splitlines()[0].rstrip(".")
                if str(error).strip()
                else "no answer"
            )
            raise RemoteUnavailable(
                f"{self.address} cannot be used: {why}. Check the name, the network, and that you are "
                "logged in with a token that may read and write it (hf auth login)."
            ) from error
