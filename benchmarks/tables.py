"""Write docs/benchmarks.md and docs/benchmarks.html from the result files; ``--check`` only compares
the tables (CI).

python benchmarks/tables.py [--check]
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from common import read
from cost_tables import draw_size, size, speed
from memoir.bench.report import markdown, write_report
from memoir.bench.summary import read_results
from routing_table import routing

HERE = Path(__file__).parent
RESULTS = HERE / "results"
PAGE = HERE.parent / "docs" / "benchmarks.md"
ROUTING = RESULTS / "routing.json"
SPEED = RESULTS / "speed.json"
SIZE = RESULTS / "size.json"
SIZE_PICTURE = PAGE.parent / "images" / "size.svg"

HEAD = """# Benchmarks

The same with curves and pictures: [benchmarks.html](benchmarks.html), one page that loads nothing.

Written by `python benchmarks/tables.py` from the files in `benchmarks/results/`; do not edit by hand.
The protocol is explained in [benchmarking.md](benchmarking.md). To measure again, with `MEMOIR_DATA`
naming a folder with the public benchmark files (`memoir data` tells where to get them):

```sh
{commands}
python benchmarks/tables.py
```

SelfCheckGPT and Temporal were measured before d793e2f, when the preset `default` routed by overlap and
its memory acted on every token.

Times were taken while other work ran on the same machine: compare them within a row, not across.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    page = whole_page()
    if not check:
        PAGE.write_text(page, "utf-8")
        with TemporaryDirectory() as folder:
            shutil.move(write_report(results(), Path(folder)).html, PAGE.with_suffix(".html"))
        draw_size(read(SIZE), SIZE_PICTURE)
    elif PAGE.read_text("utf-8") != page:
        sys.exit("docs/benchmarks.md does not match benchmarks/results; run benchmarks/tables.py")


def whole_page() -> str:
    plans = [plan for plan in sorted(HERE.glob("*.toml")) if any(RESULTS.glob(f"{plan.stem}-*"))]
    commands = [
        f"memoir bench run benchmarks/{plan.name} --results benchmarks/results" for plan in plans
    ]
    commands.insert(0, "python benchmarks/pairs.py")
    commands += [f"python benchmarks/{name}.py" for name in ("routing", "speed", "size")]
    head = HEAD.format(commands="\n".join(commands))
    picture = str(SIZE_PICTURE.relative_to(PAGE.parent))
    alone = routing(read(ROUTING))
    costs = [*speed(read(SPEED)), *size(read(SIZE), picture)]
    return "\n".join([head, markdown(results()), *alone, *costs])


def results() -> list[dict[str, Any]]:
    return read_results(
        sorted(path for path in RESULTS.glob("*.json") if path not in (ROUTING, SPEED, SIZE))
    )


if __name__ == "__main__":
    main()
