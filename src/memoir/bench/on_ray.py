"""The grid on a Ray cluster: one actor per worker, one cell at a time, the same rows as a local run.

A worker that dies is started again and its cell is retried; the cell goes on from its run file, so
nothing is lost and nothing is counted twice. ``out`` and the data folder must be visible to every
worker (a shared file system, if they are on several machines).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from memoir.bench.plan import Cell
from memoir.bench.run import run_cell
from memoir.errors import MemoirError, MissingExtra
from memoir.types import Progress

RETRIES = 3
"""How often a cell whose worker died is tried again."""


class Worker:
    """Runs cells, in a process of its own."""

    def run(self, cell: Cell, out: Path, data_dir: Path | None) -> Path:
        """Run one cell to its end."""
        return run_cell(cell, out, data_dir)


def run_on_ray(
    todo: Sequence[Cell], out: Path, data_dir: Path | None, progress: Progress
) -> list[Path]:
    """Run cells on the Ray cluster this process is connected to, or on one of its own.

    Raises:
        MissingExtra: Ray is not installed.
        MemoirError: a cell failed; the others were finished first.
    """
    try:
        import ray
    except ImportError as error:
        raise MissingExtra(
            "the executor ray needs Ray; install it with: pip install 'memoir-edit[ray]'"
        ) from error
    if not ray.is_initialized():
        ray.init(include_dashboard=False, log_to_driver=False)
    out, data_dir = out.absolute(), data_dir and data_dir.absolute()
    workers = _workers(ray, len(todo))
    free = list(workers)
    waiting = list(enumerate(todo))
    running: dict[Any, tuple[int, Any]] = {}
    finished: dict[int, Path] = {}
    failures: list[Exception] = []
    progress("runs", 0, len(todo))
    while waiting or running:
        while waiting and free:
            number, cell = waiting.pop(0)
            worker = free.pop()
            running[worker.run.remote(cell, out, data_dir)] = (number, worker)
        (done,), _ = ray.wait(list(running))
        number, worker = running.pop(done)
        try:
            finished[number] = ray.get(done)
        except (MemoirError, ray.exceptions.RayError) as error:
            failures.append(getattr(error, "cause", None) or error)
        free.append(worker)
        progress("runs", len(finished) + len(failures), len(todo))
    for worker in workers:
        ray.kill(worker)
    if failures:
        raise failures[0]
    return [finished[number] for number in range(len(todo))]


def _workers(ray: Any, cells: int) -> list[Any]:
    """As many workers as the cluster has room for; a GPU each where it has any."""
    resources = ray.cluster_resources()
    gpus = int(resources.get("GPU", 0))
    count = max(1, min(cells, gpus or int(resources.get("CPU", 1))))
    share = max(1, int(resources.get("CPU", 1)) // count)
    remote = ray.remote(
        num_cpus=share, num_gpus=1 if gpus else 0, max_restarts=-1, max_task_retries=RETRIES
    )(Worker)
    return [remote.remote() for _ in range(count)]
