"""Write docs/benchmarks.md and docs/comparison.md, each with its page of pictures, from the result
files; ``--check`` only compares the tables (CI).

python benchmarks/tables.py [--check]
"""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from common import read
from conflicts_table import conflicts
from cost_tables import draw_size, size, speed
from history_table import history
from memoir.bench.report import markdown, write_report
from memoir.bench.summary import read_results
from methods_cost_table import methods_cost
from routing_table import routing
from serving_table import serving
from soak_table import soak

HERE = Path(__file__).parent
RESULTS = HERE / "results"
DOCS = HERE.parent / "docs"
ROUTING = RESULTS / "routing.json"
SERVING = RESULTS / "serving.json"
SOAK = RESULTS / "soak.json"
SPEED = RESULTS / "speed.json"
SIZE = RESULTS / "size.json"
CONFLICTS = RESULTS / "conflicts.json"
HISTORY = RESULTS / "history.json"
METHODS_COST = RESULTS / "methods_cost.json"
SIZE_PICTURE = DOCS / "images" / "size.svg"
METHODS = "methods"
"""How the plans begin in which every method meets the same edits."""

WRITTEN = """Written by `python benchmarks/tables.py` from the files in `benchmarks/results/`; do not
edit by hand. The protocol is explained in [benchmarking.md](benchmarking.md). To measure again, with
`MEMOIR_DATA` naming a folder with the public benchmark files (`memoir data` tells where to get them):

```sh
{commands}
python benchmarks/tables.py
```

Unless a section says otherwise, times were taken while other work ran on the same machine: compare them
within a row, not across.
"""

BENCHMARKS = """# Benchmarks

What memoir holds: in free text, inside conversations, among thousands of edits, and at what cost. The
same with curves and pictures: [benchmarks.html](benchmarks.html), one page that loads nothing.

"""

COMPARISON = """# Every method on the same edits

The same with curves and pictures: [comparison.html](comparison.html), one page that loads nothing.

"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    of_methods = results(lambda run: run.startswith(f"{METHODS}-"))
    others = results(lambda run: not run.startswith(f"{METHODS}-"))
    pages = {"benchmarks": (benchmarks(others), others)}
    if of_methods:
        pages["comparison"] = (comparison(of_methods), of_methods)
    for name, (page, shown) in pages.items():
        path = DOCS / f"{name}.md"
        if check and path.read_text("utf-8") != page:
            sys.exit(f"{path} does not match benchmarks/results; run benchmarks/tables.py")
        if not check:
            path.write_text(page, "utf-8")
            with TemporaryDirectory() as folder:
                shutil.move(write_report(shown, Path(folder)).html, path.with_suffix(".html"))
    if not check:
        draw_size(read(SIZE), SIZE_PICTURE)


def benchmarks(shown: Sequence[dict[str, Any]]) -> str:
    """The page on memoir itself."""
    plans = [plan for plan in measured_plans() if not plan.stem.startswith(METHODS)]
    commands = ["python benchmarks/pairs.py"]
    commands += [_run(plan) for plan in plans]
    commands += [
        f"python benchmarks/{name}.py"
        for name in ("routing", "conflicts", "history", "speed", "size", "serving", "soak")
    ]
    picture = str(SIZE_PICTURE.relative_to(DOCS))
    costs = [*speed(read(SPEED)), *size(read(SIZE), picture)]
    served = [*serving(read(SERVING)), *soak(read(SOAK))]
    head = BENCHMARKS + WRITTEN.format(commands="\n".join(commands))
    found = [*conflicts(read(CONFLICTS)), *history(read(HISTORY))]
    return "\n".join([head, markdown(shown), *routing(read(ROUTING)), *found, *costs, *served])


def comparison(shown: Sequence[dict[str, Any]]) -> str:
    """The page on all methods."""
    notes = (HERE / "methods_notes.md").read_text("utf-8")
    plans = [plan for plan in measured_plans() if plan.stem.startswith(METHODS)]
    commands = ["memoir stats", *map(_run, plans), "python benchmarks/methods_cost.py"]
    head = WRITTEN.format(commands="\n".join(commands))
    return "\n".join([COMPARISON + head, notes, *methods_cost(read(METHODS_COST)), markdown(shown)])


def measured_plans() -> list[Path]:
    """Plans that have result files."""
    return [plan for plan in sorted(HERE.glob("*.toml")) if any(RESULTS.glob(f"{plan.stem}-*"))]


def _run(plan: Path) -> str:
    return f"memoir bench run benchmarks/{plan.name} --results benchmarks/results"


def results(wanted: Callable[[str], bool]) -> list[dict[str, Any]]:
    """Result files of the runs with these names."""
    others = (ROUTING, CONFLICTS, HISTORY, SPEED, SIZE, SERVING, SOAK, METHODS_COST)
    files = [path for path in RESULTS.glob("*.json") if path not in others]
    return read_results(sorted(path for path in files if wanted(path.name)))


if __name__ == "__main__":
    main()
