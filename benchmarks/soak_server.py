"""`memoir serve` as a process of its own, and what it takes of the machine."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import httpx


class Sample(NamedTuple):
    """What a process takes at a moment.

    Attributes:
        seconds: on :func:`time.monotonic`'s clock.
        megabytes: of its own in memory; what it reads from mapped files does not count.
        threads, files: how many it has, and has open.
    """

    seconds: float
    megabytes: float
    threads: int
    files: int


class Server:
    """A server on a free port of this machine, which logs to a file.

    Args:
        store: what it serves; made if it is not there.
        log: where its log goes, behind what is there.
        options: more words of the command.
    """

    def __init__(self, store: Path, log: Path, *options: str) -> None:
        self._log = log
        command = [sys.executable, "-m", "memoir", "serve", "--store", str(store), "--json"]
        with log.open("a") as written:
            self.process = subprocess.Popen(
                [*command, "--port", "0", *options],
                stdout=subprocess.PIPE,
                stderr=written,
                text=True,
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            self.process.wait()
            raise RuntimeError(f"the server did not start: {log.read_text()[-2000:]}")
        self.url: str = json.loads(line)["url"]

    def edits(self) -> list[dict[str, Any]]:
        """Every edit that was ever made, as ``GET /v1/edits`` tells it."""
        found: list[dict[str, Any]] = []
        with httpx.Client(base_url=self.url, timeout=300) as client:
            more = True
            while more:
                after = {"after": found[-1]["id"]} if found else {}
                page = client.get("/v1/edits", params={"limit": 200, **after}).json()
                found += page["data"]
                more = page["has_more"]
        return found

    def says(self, prompt: str, tokens: int = 12) -> str:
        """A greedy answer to a bare prompt."""
        body = {"prompt": prompt, "max_tokens": tokens, "temperature": 0}
        answer = httpx.post(f"{self.url}/v1/completions", json=body, timeout=300)
        answer.raise_for_status()
        text: str = answer.json()["choices"][0]["text"]
        return text

    def sample(self) -> Sample:
        """What it takes now, as Linux counts it."""
        folder = Path(f"/proc/{self.process.pid}")
        status = (folder / "status").read_text()
        numbers = {name: int(n) for name, n in re.findall(r"(\w+):\s+(\d+)", status)}
        files = len(os.listdir(folder / "fd"))
        return Sample(time.monotonic(), numbers["RssAnon"] / 1e3, numbers["Threads"], files)

    @contextmanager
    def sampled(self, every: float) -> Iterator[list[Sample]]:
        """Samples, taken until the block ends."""
        samples = [self.sample()]
        ended = threading.Event()

        def sample() -> None:
            while not ended.wait(every):
                with suppress(OSError):  # it died
                    samples.append(self.sample())

        thread = threading.Thread(target=sample)
        thread.start()
        try:
            yield samples
        finally:
            ended.set()
            thread.join()

    def troubles(self) -> list[str]:
        """Lines of its log that tell of something else than usual work, or are no lines of a log."""
        lines = filter(str.strip, self._log.read_text().splitlines())
        return [each for each in lines if not each.startswith("{") or '"level": "info"' not in each]

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Send it a signal; its exit status."""
        self.process.send_signal(how)
        return self.process.wait(120)

    def __enter__(self) -> Server:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()
