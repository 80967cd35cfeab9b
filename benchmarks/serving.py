"""What a served model costs: time to the first token and tokens per second, by clients and edits.

    python benchmarks/serving.py

Real `memoir serve` processes on this machine, asked over HTTP with streaming. The edited and the
unedited model take turns behind the same server. Half of the prompts ask for a stored fact in other
words, so that an edit fires; half are about strangers, so that none does. Writes
benchmarks/results/serving.json.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, cycle, islice
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import httpx

from common import WORK, parsed, parser, spread, write
from crowd import Crowd, Fitted, edits_of, fitted, router_of
from memoir import Editor
from memoir.bench.header import circumstances
from memoir.cli.output import progress_bars
from memoir.types import Progress

CLIENTS = (1, 8, 32)
EDITS = (0, 1_000, 10_000)
TOKENS = 32
"""Longest answer."""
ASKED = 3
"""Questions of each client in a turn."""
TURNS = 5
REAL = 16
"""Fitted edits, of which the others are copies."""


class Asked(NamedTuple):
    """One question over HTTP: seconds to its first token and to its last, and tokens."""

    first: float
    last: float
    tokens: int


class Turn(NamedTuple):
    """All questions of one turn.

    Attributes:
        asked: each.
        wall: seconds from the first question to the last answer.
        processor: seconds of the server's threads meanwhile.
    """

    asked: list[Asked]
    wall: float
    processor: float

    @property
    def tokens(self) -> int:
        return sum(each.tokens for each in self.asked)


def main() -> None:
    args = parsed(parser(__doc__ or ""))
    clients, edits, turns = ((1, 4), (0, 50), 1) if args.quick else (CLIENTS, EDITS, TURNS)
    rows: list[dict[str, Any]] = []
    with progress_bars() as show, TemporaryDirectory(prefix="memoir-serving-") as folder:
        real = fitted(edits_of("zsre", args.data_dir)[:REAL], WORK, show)
        for count in edits:
            store = Path(folder) / str(count)
            prompts = filled(store, real, count, max(edits), show)
            with served(store) as server:
                for number in clients:
                    rows.append(measured(server, prompts, count, number, turns, show))
                    result = {**circumstances(), "tokens": TOKENS, "turns": turns, "rows": rows}
                    write(args.out / "serving.json", result)


def filled(store: Path, real: Sequence[Fitted], count: int, most: int, show: Progress) -> list[str]:
    """Make a store with so many edits, and prompts for it."""
    with Editor.open("smollm2", store, progress=show) as editor:
        asked = max(CLIENTS) * ASKED
        crowd = Crowd(router_of(editor), real, max(most, asked), asked)
        with editor.store.writing():
            rows = []
            for fact in crowd.facts(0, count):
                body = {**fact.like.body, "prompt": fact.edit.prompt, "subject": fact.edit.subject}
                rows.append(editor.store.row("edit", body, fact.tensors))
                show(f"storing {count:,} edits", len(rows), count)
            if rows:
                editor.store.commit(rows)
        strangers = crowd.strangers()
        known = crowd.questions(count, asked) if count else strangers
    return list(chain.from_iterable(zip(known, cycle(strangers), strict=False)))


class Server(NamedTuple):
    """A running server."""

    url: str
    process: int


@contextmanager
def served(store: Path) -> Iterator[Server]:
    """`memoir serve` on a store, until the block ends."""
    words = [
        sys.executable,
        "-m",
        "memoir",
        "serve",
        "--store",
        str(store),
        "--port",
        "0",
        "--json",
    ]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield Server(json.loads(process.stdout.readline())["url"], process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def measured(
    server: Server, prompts: Sequence[str], edits: int, clients: int, turns: int, show: Progress
) -> dict[str, Any]:
    """The edited and the unedited model in turns, by so many clients at once."""
    found: dict[bool, list[Turn]] = {True: [], False: []}
    what = f"{edits:,} edits, {clients} clients"
    turn(server, prompts[:clients], clients, True)  # warm
    for number in range(turns):
        show(what, number, turns)
        start = number * clients * ASKED
        some = list(islice(cycle(prompts), start, start + clients * ASKED))
        for edited in (True, False) if number % 2 else (False, True):
            found[edited].append(turn(server, some, clients, edited))
    show(what, turns, turns)
    pairs = list(zip(found[True], found[False], strict=True))
    speed = {each: [t.tokens / t.wall for t in found[each]] for each in found}
    work = [(one.tokens / one.processor) / (other.tokens / other.processor) for one, other in pairs]
    return {
        "edits": edits,
        "clients": clients,
        "tokens_per_second": round(median(speed[True]), 1),
        "tokens_per_second_unedited": round(median(speed[False]), 1),
        "ratio": spread([a / b for a, b in zip(speed[True], speed[False], strict=True)]),
        "ratio_of_work": spread(work),
        "first_token": round(median(a.first for t in found[True] for a in t.asked), 3),
        "first_token_unedited": round(median(a.first for t in found[False] for a in t.asked), 3),
    }


def turn(server: Server, prompts: Sequence[str], clients: int, edited: bool) -> Turn:
    """Every client asks its share of the prompts, one after the other."""
    before, start = processor_seconds(server.process), time.perf_counter()
    asked = asyncio.run(everybody(server.url, prompts, clients, edited))
    wall = time.perf_counter() - start
    return Turn(asked, wall, processor_seconds(server.process) - before)


async def everybody(url: str, prompts: Sequence[str], clients: int, edited: bool) -> list[Asked]:
    async with httpx.AsyncClient(base_url=url, timeout=600) as http:

        async def client(number: int) -> list[Asked]:
            return [await ask(http, prompt, edited) for prompt in prompts[number::clients]]

        found = await asyncio.gather(*map(client, range(clients)))
    return [each for some in found for each in some]


async def ask(http: httpx.AsyncClient, prompt: str, edited: bool) -> Asked:
    body = {
        "model": "smollm2",
        "prompt": prompt,
        "max_tokens": TOKENS,
        "temperature": 0,
        "stream": True,
        "stream_options": {"include_usage": True},
        "memoir": {"edits": edited},
    }
    start, first, tokens = time.perf_counter(), 0.0, 0
    async with http.stream("POST", "/v1/completions", json=body) as answer:
        answer.raise_for_status()
        async for line in answer.aiter_lines():
            if not line.startswith("data: {"):
                continue
            event = json.loads(line.removeprefix("data: "))
            if not first and any(choice["text"] for choice in event["choices"]):
                first = time.perf_counter() - start
            if event.get("usage"):
                tokens = event["usage"]["completion_tokens"]
    return Asked(first, time.perf_counter() - start, tokens)


def processor_seconds(process: int) -> float:
    """Seconds that all threads of a process have spent on the processor, as Linux counts them."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
