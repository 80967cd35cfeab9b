"""Servers as processes of their own, on stores of tiny models."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx
from desks import QUICK

import tiny
from memoir.editor import Editor
from memoir.host.loading import load_host
from memoir.store import Store


def tiny_store(folder: Path) -> Path:
    """A store of a tiny model that lies beside it as a checkpoint."""
    checkpoint = tiny.save(folder / "tiny")
    store = Store.create(folder / "store")
    Editor(load_host(str(checkpoint), 2), store, config=QUICK).close()
    return folder / "store"


class Replica:
    """``memoir serve`` on a free port.

    Args:
        store: what it serves.
        options: more words of the command.
    """

    def __init__(self, store: Path, *options: str) -> None:
        folders = [str(Path(tiny.__file__).parent), *sys.path]
        command = [sys.executable, "-m", "memoir", "serve", "--store", str(store), "--json"]
        self.process = subprocess.Popen(
            [*command, "--port", "0", *options],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(folders), "OMP_NUM_THREADS": "1"},
        )
        self._ready: dict[str, Any] | None = None
        self._client: httpx.Client | None = None

    @property
    def ready(self) -> dict[str, Any]:
        """What it said when it was ready."""
        if self._ready is None:
            assert self.process.stdout is not None
            line = self.process.stdout.readline()
            assert line, self.process.communicate()[1]
            self._ready = json.loads(line)
        return self._ready

    @property
    def client(self) -> httpx.Client:
        """Asks it."""
        if self._client is None:
            self._client = httpx.Client(base_url=self.ready["url"], timeout=60)
        return self._client

    def say(self, prompt: str, tokens: int = 5, **more: Any) -> str:
        """A greedy answer to a bare prompt."""
        body = {"prompt": prompt, "max_tokens": tokens, "temperature": 0, **more}
        answer = self.client.post("/v1/completions", json=body)
        assert answer.status_code == 200, answer.text
        text: str = answer.json()["choices"][0]["text"]
        return text

    def edits(self) -> int:
        """Edits in force."""
        count: int = self.client.get("/version").json()["branches"][0]["edits"]
        return count

    def end(self, how: signal.Signals = signal.SIGTERM) -> tuple[int, str]:
        """Send it a signal; its exit status, and what it said on standard error."""
        self.process.send_signal(how)
        _, said = self.process.communicate(timeout=60)
        return self.process.returncode, said

    def __enter__(self) -> Replica:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._client is not None:
            self._client.close()
        if self.process.poll() is None:
            self.process.kill()
        self.process.communicate()
