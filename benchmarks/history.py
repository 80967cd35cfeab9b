"""What a store's history costs as it grows: opening, committing, listing, blaming, looking at an older
state, checking; and bytes on disk.

    python benchmarks/history.py

One edit to a commit. Their tensors are synthetic, of the size that an edit of SmolLM2 has; no model
runs, so the columns are the store's own share of each verb. Writes benchmarks/results/history.json.
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import torch

from common import parsed, parser, write
from memoir.bench.header import circumstances
from memoir.cli.output import progress_bars
from memoir.store import Row, Store
from memoir.types import Progress
from memoir.versions import fsck
from memoir.versions.log import log

SIZES = (1_000, 10_000, 100_000)
TRIES = 5
KEYS = 690
"""Numbers of four bytes that a router keeps in memory of an edit."""
VALUES = 10_000
"""Numbers of four bytes that are read when the edit fires."""


def main() -> None:
    args = parsed(parser(__doc__ or "", data=False))
    sizes = (100, 1_000) if args.quick else SIZES
    with TemporaryDirectory(prefix="memoir-history-") as folder, progress_bars() as show:
        store = Store.create(Path(folder) / "facts")
        with store.writing():
            store.commit(settings=store.row("settings", {"method": "memoir"}), why="init")
        rows = []
        for size in sizes:
            grown(store, size, show)
            rows.append(measured(store, size))
            write(args.out / "history.json", {**circumstances(), "sizes": rows})


def grown(store: Store, size: int, show: Progress) -> None:
    """Add edits until so many are in force."""
    for number in range(len(store.live()), size):
        with store.writing():
            store.commit([edit(store, number)])
        show(f"{size:,} edits", number + 1, size)


def edit(store: Store, number: int) -> Row:
    """A row such as an editor makes."""
    body = {
        "prompt": f"The head of office number {number} is",
        "target": f"Person {number}",
        "subject": f"office number {number}",
        "losses": [4.0, 0.01],
        "said": True,
        "seconds": {"fit": 2.0},
    }
    number_ = float(number)
    return store.row(
        "edit",
        body,
        {"keys": torch.full((KEYS,), number_), "values": torch.full((VALUES,), number_)},
    )


def measured(store: Store, size: int) -> dict[str, Any]:
    """Seconds of each verb, and bytes."""
    line = store.history.line(store.history.tip())
    middle, some = line[len(line) // 2], store.live()[size // 2].id
    on_disk = sum(path.stat().st_size for path in Path(str(store.folder)).rglob("*"))

    def commit() -> None:
        with store.writing():
            store.commit([edit(store, -1)])

    def back() -> None:
        store.revert(["HEAD"])

    commits, backs = [], []
    for _ in range(TRIES):
        commits.append(timed(commit))
        backs.append(timed(back))
    opening, memory = zip(*[opened(str(store.folder)) for _ in range(3)], strict=True)
    return {
        "edits": size,
        "open": round(median(opening), 4),
        "open_bytes": int(median(memory)),
        "older": opened(str(store.folder), middle)[0],
        "commit": round(median(commits), 4),
        "revert": round(median(backs), 4),
        "log_20": seconds(lambda: list(islice(log(store), 20))),
        "log": seconds(lambda: list(log(store)), 1),
        "blame": seconds(lambda: store.entry(some)),
        "fsck": seconds(lambda: fsck.check(store), 1),
        "bytes_per_edit": round(on_disk / size),
    }


def opened(folder: str, commit: str | None = None) -> tuple[float, int]:
    """:func:`_open` in a process of its own."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(_open, folder, commit).result()


def _open(folder: str, commit: str | None) -> tuple[float, int]:
    """Seconds until the keys of all edits in force are in memory, and the memory that takes."""
    Store(folder).close()  # what is imported at the first opening does not count
    before, start = resident(), time.perf_counter()
    store = Store(folder)
    kept = [(row, store.tensors(row)) for row in store.live(commit)]
    keys = [tensors["keys"] for _, tensors in kept]
    took = time.perf_counter() - start
    assert len(keys) == len(kept)
    return round(took, 4), resident() - before


def resident() -> int:
    """Bytes of this process in memory, as Linux counts them."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize()


def timed(do: Callable[[], object]) -> float:
    start = time.perf_counter()
    do()
    return time.perf_counter() - start


def seconds(do: Callable[[], object], tries: int = TRIES) -> float:
    """Median time of a few tries."""
    return round(median(timed(do) for _ in range(tries)), 4)


if __name__ == "__main__":
    main()
