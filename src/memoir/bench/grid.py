"""Running all cells of a plan through an executor, and writing their results.

An executor is a function ``(cells, out, data_dir, progress) → run files``, in the order of the cells.
A cell that fails does not keep the others from being run; then the first failure is raised.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from memoir.bench.plan import Cell, Plan, cells
from memoir.bench.run import run_cell
from memoir.bench.summary import Result, summarise
from memoir.errors import BadInput, MemoirError, UnknownName
from memoir.types import Progress, no_progress

Executor = Callable[[Sequence[Cell], Path, Path | None, Progress], list[Path]]


def run_plan(
    plan: Plan,
    out: Path,
    data_dir: Path | None = None,
    executor: str = "local",
    progress: Progress = no_progress,
) -> list[Path]:
    """Run every cell of a plan; returns the run files.

    Args:
        plan: what to run.
        out: folder for run files and stores; runs that stand there go on.
        data_dir: folder of the official data files; None for MEMOIR_DATA.
        executor: ``local``, one cell after the other in this process, or ``ray``.
        progress: called as work is done.

    Raises:
        UnknownName: no such executor.
        BadInput: two runs have the same name, or ``out`` cannot be made.
        MissingExtra: Ray is not installed.
    """
    if executor not in EXECUTORS:
        raise UnknownName.among("executor", executor, EXECUTORS)
    todo = cells(plan)
    return EXECUTORS[executor](todo, _made(out), data_dir, progress)


def write_results(runs: Sequence[Path], folder: Path) -> list[Path]:
    """One result file per run and checkpoint, ``RUN-nNNNNN.json``; returns them.

    Raises:
        BadInput: the folder cannot be written.
    """
    results = [result for run in runs for result in summarise(run)]
    _made(folder)
    try:
        return [_write(result, folder) for result in results]
    except OSError as error:
        raise _unwritable(folder, error) from error


def _made(folder: Path) -> Path:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(folder, error) from error
    return folder


def _unwritable(folder: Path, error: OSError) -> BadInput:
    return BadInput(f"{folder} cannot be written: {error}. Name a folder that can be written.")


def _write(result: Result, folder: Path) -> Path:
    path = folder / f"{result['run']}-n{result['n']:05d}.json"
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", "utf-8")
    os.replace(unfinished, path)
    return path


def _local(
    todo: Sequence[Cell], out: Path, data_dir: Path | None, progress: Progress
) -> list[Path]:
    def of(cell: Cell) -> Progress:
        if len(todo) == 1:
            return progress
        return lambda what, done, total: progress(f"{cell.name}: {what}", done, total)

    def attempt(cell: Cell) -> Path | MemoirError:
        try:
            return run_cell(cell, out, data_dir, of(cell))
        except MemoirError as error:
            return error

    done = [attempt(cell) for cell in todo]
    for each in done:
        if isinstance(each, MemoirError):
            raise each
    return [each for each in done if isinstance(each, Path)]


def _ray(*given: Any) -> list[Path]:
    from memoir.bench.on_ray import run_on_ray

    return run_on_ray(*given)


EXECUTORS: dict[str, Executor] = {"local": _local, "ray": _ray}
