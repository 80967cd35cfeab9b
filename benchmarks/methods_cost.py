"""What an edit costs with every method, side by side: its time, its bytes, memory of the process, and
the speed of decoding afterwards.

    memoir stats
    MEMOIR_DATA=… python benchmarks/methods_cost.py

Methods and settings are those of methods.toml, each on the first records of ZsRE and in a process of
its own, so that its peak of memory is its own. To be run on a machine that does nothing else. Writes
benchmarks/results/methods_cost.json.
"""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

from common import HERE, parsed, parser, write
from memoir.bench.header import circumstances
from memoir.bench.plan import Cell, Plan, cells, read_plan
from memoir.bench.run import run_cell
from memoir.bench.summary import summarise
from memoir.cli.output import progress_bars

EDITS = 10


def main() -> None:
    args = parsed(parser(__doc__ or ""))
    todo = cells(_plan(1 if args.quick else EDITS))
    found = {}
    with progress_bars() as show:
        for number, cell in enumerate(todo):
            show(_label(cell), number, len(todo))
            found[_label(cell)] = measured(cell, args.data_dir)
    plan = todo[0].plan
    about = {"model": plan.model, **circumstances(), "edits": plan.checkpoints[-1]}
    write(args.out / "methods_cost.json", {**about, "methods": found})


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
    """What the cost metric says, the speed of decoding as a share of that without the edits."""
    with TemporaryDirectory(prefix="memoir-cost-") as folder:
        (result,) = summarise(run_cell(cell, Path(folder), data_dir))
    costs = {name: measure["value"] for name, measure in result["metrics"].items()}
    return {
        "seconds_per_edit": round(costs["seconds_per_edit"], 3),
        "bytes_per_edit": round(costs["bytes_per_edit"]),
        "peak_memory_mb": round(costs["peak_memory_mb"]),
        "decoding": round(costs["tokens_per_second"] / costs["tokens_per_second_unedited"], 3),
    }


if __name__ == "__main__":
    main()
