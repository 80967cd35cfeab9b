"""What an edit costs with every method, side by side: its time, its bytes, memory of the process, and
the speed of decoding afterwards.

    memoir stats
    MEMOIR_DATA=… python benchmarks/methods_cost.py

Methods and settings are those of methods.toml, each on the first records of ZsRE and in a process of
its own, so that its peak of memory is its own. All take turns; within a turn a method's time is divided
by that of memoir. To be run on a machine that does nothing else. Writes
benchmarks/results/methods_cost.json after every turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from common import HERE, parsed, parser, spread, write
from memoir.bench.header import circumstances
from memoir.bench.plan import Cell, Plan, cells, read_plan
from memoir.bench.run import run_cell
from memoir.bench.summary import summarise
from memoir.cli.output import progress_bars

EDITS = 10
TURNS = 2
MEASURE = "memoir default"
"""What the others are divided by."""


def main() -> None:
    args = parsed(parser(__doc__ or ""))
    edits, turns = (1, 1) if args.quick else (EDITS, TURNS)
    todo = cells(_plan(edits))
    found: dict[str, list[dict[str, float]]] = {_label(cell): [] for cell in todo}
    about = {"model": todo[0].plan.model, **circumstances(), "edits": edits}
    with progress_bars() as show:
        for turn in range(turns):
            for number, cell in enumerate(todo):
                show(_label(cell), turn * len(todo) + number, turns * len(todo))
                found[_label(cell)].append(measured(cell, args.data_dir))
            times = [each["seconds_per_edit"] for each in found[MEASURE]]
            methods = {label: _row(costs, times) for label, costs in found.items()}
            result = {**about, "turns": turn + 1, "methods": methods}
            write(args.out / "methods_cost.json", result)


def _plan(edits: int) -> Plan:
    """methods.toml, with few edits and nothing measured but cost."""
    whole = read_plan(HERE / "methods.toml")
    zsre = tuple(each for each in whole.data if each.name == "zsre")
    return whole.model_copy(update={"checkpoints": (edits,), "data": zsre, "metrics": {"cost": {}}})


def _label(cell: Cell) -> str:
    return f"{cell.method.name} {cell.method.label or cell.method.preset}"


def measured(cell: Cell, data_dir: Path | None) -> dict[str, float]:
    """:func:`_measure` in a process of its own."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(_measure, cell, data_dir).result()


def _measure(cell: Cell, data_dir: Path | None) -> dict[str, float]:
    """The cost metric's numbers, by name; an edit's are those of the mean over all."""
    with TemporaryDirectory(prefix="memoir-cost-") as folder:
        (result,) = summarise(run_cell(cell, Path(folder), data_dir))
    return {name: measure["value"] for name, measure in result["metrics"].items()}


def _row(costs: Sequence[dict[str, float]], times: Sequence[float]) -> dict[str, Any]:
    """A method's numbers over all turns."""
    seconds = [each["seconds_per_edit"] for each in costs]
    return {
        "seconds_per_edit": spread(seconds),
        "times_memoir": spread([one / other for one, other in zip(seconds, times, strict=True)]),
        "bytes_per_edit": round(median(each["bytes_per_edit"] for each in costs)),
        "peak_memory_mb": round(median(each["peak_memory_mb"] for each in costs)),
        "decoding": spread(
            [each["tokens_per_second"] / each["tokens_per_second_unedited"] for each in costs]
        ),
    }


if __name__ == "__main__":
    main()
