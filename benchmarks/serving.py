"""What a served model costs: time to the first token and tokens per second, by clients and edits.

    python benchmarks/serving.py

Real `memoir serve` processes on this machine, asked over HTTP with streaming. The edited and the
unedited model take turns behind the same server. Half of the prompts ask for a stored fact in other
words, so that an edit fires; half are about strangers, so that none does. All are prompts whose answer
has the full length either way, so that both do the same work. Writes benchmarks/results/serving.json.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, cycle, islice
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import httpx
import numpy as np

from common import WORK, parsed, parser, write
from crowd import Crowd, Fitted, edits_of, fitted, router_of
from memoir import Editor
from memoir.bench.header import circumstances
from memoir.cli.output import progress_bars
from memoir.types import Progress

EDITS = (0, 1_000, 10_000)
TURNS = {1: 24, 8: 12, 32: 8}
"""Turns of each, by clients at once. Short ones, and many: a machine is faster and slower by minutes.
Who comes first in a turn comes second in the next, and the two count together."""
TOKENS = 32
"""Of an answer."""
PROMPTS = 96
"""Of either kind, of which those are asked whose answer has the full length."""
REAL = 16
"""Fitted edits, of which the others are copies."""


class Asked(NamedTuple):
    """One question over HTTP: seconds to its first token and to its last, and tokens."""

    prompt: str
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
    edits, turns = ((0, 50), {1: 2, 4: 2}) if args.quick else (EDITS, TURNS)
    rows: list[dict[str, Any]] = []
    with progress_bars() as show, TemporaryDirectory(prefix="memoir-serving-") as folder:
        real = fitted(edits_of("zsre", args.data_dir)[:REAL], WORK, show)
        for count in edits:
            store = Path(folder) / str(count)
            kinds = filled(store, real, count, max(edits), show)
            with served(store) as server:
                kept = [lasting(server, some, max(turns), show) for some in kinds if some]
                prompts = list(chain.from_iterable(zip(*kept, strict=False)))
                for clients, number in turns.items():
                    rows.append(measured(server, prompts, count, clients, number, show))
                    result = {**circumstances(), "tokens": TOKENS, "rows": rows}
                    write(args.out / "serving.json", result)


def filled(
    store: Path, real: Sequence[Fitted], count: int, most: int, show: Progress
) -> tuple[list[str], list[str]]:
    """Make a store with so many edits; prompts that fire one, and prompts that fire none."""
    with Editor.open("smollm2", store, progress=show) as editor:
        crowd = Crowd(router_of(editor), real, max(most, PROMPTS), PROMPTS)
        with editor.store.writing():
            rows = []
            for fact in crowd.facts(0, count):
                body = {**fact.like.body, "prompt": fact.edit.prompt, "subject": fact.edit.subject}
                rows.append(editor.store.row("edit", body, fact.tensors))
                show(f"storing {count:,} edits", len(rows), count)
            if rows:
                editor.store.commit(rows)
    return crowd.questions(count, PROMPTS) if count else [], crowd.strangers()


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
        "--port",
        "0",
        "--json",
        "--store",
        str(store),
    ]
    with open(f"{store}.log", "w") as log:
        process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=log, text=True)
    try:
        assert process.stdout is not None
        yield Server(json.loads(process.stdout.readline())["url"], process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def lasting(server: Server, prompts: Sequence[str], clients: int, show: Progress) -> list[str]:
    """Those prompts whose answer has the full length, with the edits and without."""
    kept = list(prompts)
    for number, edited in enumerate((True, False)):
        show("choosing prompts", number, 2)
        answers = asyncio.run(everybody(server.url, kept, clients, edited))
        kept = [each.prompt for each in answers if each.tokens == TOKENS]
    show("choosing prompts", 2, 2)
    return kept


def measured(
    server: Server, prompts: Sequence[str], edits: int, clients: int, turns: int, show: Progress
) -> dict[str, Any]:
    """The edited and the unedited model in turns, by so many clients at once."""
    found: dict[bool, list[Turn]] = {True: [], False: []}
    what = f"{edits:,} edits, {clients} clients"
    turn(server, prompts[:clients], clients, True)  # warm
    for number in range(turns):
        show(what, number, turns)
        some = list(islice(cycle(prompts), number * clients, (number + 1) * clients))
        for edited in (True, False) if number % 2 else (False, True):
            found[edited].append(turn(server, some, clients, edited))
    show(what, turns, turns)
    speed = {each: median(t.tokens / t.wall for t in found[each]) for each in found}
    first = {each: median(a.first for t in found[each] for a in t.asked) for each in found}
    return {
        "edits": edits,
        "clients": clients,
        "tokens_per_second": round(speed[True], 1),
        "tokens_per_second_unedited": round(speed[False], 1),
        "ratio": ratio(found, lambda turn: turn.wall),
        "ratio_of_work": ratio(found, lambda turn: turn.processor),
        "first_token": round(first[True], 3),
        "first_token_unedited": round(first[False], 3),
    }


def ratio(found: dict[bool, list[Turn]], seconds: Callable[[Turn], float]) -> dict[str, float]:
    """Tokens per second of the edited model, against the unedited one's, over all turns.

    ``low`` and ``high`` are the 95 % interval if turns were drawn again, two by two.
    """
    cost = np.array([[seconds(t) / t.tokens for t in found[each]] for each in (False, True)])
    pairs = cost.reshape(2, -1, 2).sum(2)
    drawn = np.random.default_rng(0).integers(pairs.shape[1], size=(2000, pairs.shape[1]))
    unedited, edited = pairs[:, drawn].sum(2)
    low, high = np.quantile(unedited / edited, [0.025, 0.975])
    whole = {"all": pairs[0].sum() / pairs[1].sum(), "low": low, "high": high}
    return {name: round(float(value), 3) for name, value in whole.items()}


def turn(server: Server, prompts: Sequence[str], clients: int, edited: bool) -> Turn:
    """All prompts, by so many clients at once."""
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
    return Asked(prompt, first, time.perf_counter() - start, tokens)


def processor_seconds(process: int) -> float:
    """Seconds that all threads of a process have spent on the processor, as Linux counts them."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
