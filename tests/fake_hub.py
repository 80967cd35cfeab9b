"""The few methods of the Hugging Face Hub that remotes use, backed by a folder for each commit."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
from huggingface_hub import CommitOperationAdd
from huggingface_hub.errors import (
    EntryNotFoundError,
    HfHubHTTPError,
    RepositoryNotFoundError,
)


class FakeHub:
    """One repository, as :class:`huggingface_hub.HfApi` tells of it; absent until it is made.

    Attributes:
        commits: made so far.
        reachable: whether the Hub answers.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.commits = 0
        self.reachable = True

    @property
    def latest(self) -> Path:
        """The files of the last commit."""
        return self._folder / str(self.commits)

    def repo_info(self, repo_id: str) -> Any:
        self._answer()
        if not self.commits:
            raise RepositoryNotFoundError("no such repository", response=_response(404))
        return SimpleNamespace(sha=str(self.commits))

    def create_repo(self, repo_id: str, *, private: bool, exist_ok: bool) -> None:
        self._answer()
        assert private
        assert exist_ok
        if not self.commits:
            self.commits = 1
            self.latest.mkdir(parents=True)

    def hf_hub_download(self, repo_id: str, filename: str, *, revision: str) -> str:
        self._answer()
        path = self._folder / revision / filename
        if not path.exists():
            raise EntryNotFoundError(f"no {filename}")
        return str(path)

    def create_commit(
        self,
        repo_id: str,
        operations: Sequence[CommitOperationAdd],
        *,
        commit_message: str,
        parent_commit: str,
    ) -> Any:
        self._answer()
        assert commit_message
        if parent_commit != str(self.commits):
            raise HfHubHTTPError("a commit has happened since", response=_response(412))
        before = self.latest
        self.commits += 1
        shutil.copytree(before, self.latest)
        for operation in operations:
            path = self.latest / operation.path_in_repo
            path.parent.mkdir(parents=True, exist_ok=True)
            with operation.as_file() as file:
                path.write_bytes(file.read())
        return SimpleNamespace(oid=str(self.commits))

    def _answer(self) -> None:
        if not self.reachable:
            raise ConnectionError("no route to host")


def _response(status: int) -> Any:
    return httpx.Response(status, request=httpx.Request("GET", "https://huggingface.co"))
