"""Write docs/benchmarks.md and docs/benchmarks.html from the result files; ``--check`` only compares
the tables (CI).

python benchmarks/tables.py [--check]
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from memoir.bench.report import markdown, write_report
from memoir.bench.summary import read_results

HERE = Path(__file__).parent
RESULTS = HERE / "results"
PAGE = HERE.parent / "docs" / "benchmarks.md"
SPEED = RESULTS / "speed.json"

HEAD = """# Benchmarks

The same with curves and pictures: [benchmarks.html](benchmarks.html), one page that loads nothing.

Written by `python benchmarks/tables.py` from the files in `benchmarks/results/`; do not edit by hand.
The protocol is explained in [benchmarking.md](benchmarking.md). To measure again, with `MEMOIR_DATA`
naming a folder with the public benchmark files (`memoir data` tells where to get them):

```sh
{commands}
python benchmarks/tables.py
```

Rows of the preset `default` were measured at commits before d793e2f, when it routed by overlap and its
memory acted on every token; each result file names its commit. They are being measured anew.

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
    elif PAGE.read_text("utf-8") != page:
        sys.exit("docs/benchmarks.md does not match benchmarks/results; run benchmarks/tables.py")


def whole_page() -> str:
    plans = [plan for plan in sorted(HERE.glob("*.toml")) if any(RESULTS.glob(f"{plan.stem}-*"))]
    commands = [
        f"memoir bench run benchmarks/{plan.name} --results benchmarks/results" for plan in plans
    ]
    commands.append("python benchmarks/speed.py")
    head = HEAD.format(commands="\n".join(commands))
    return "\n".join([head, markdown(results()), *speed(json.loads(SPEED.read_text("utf-8")))])


def results() -> list[dict[str, Any]]:
    return read_results(sorted(path for path in RESULTS.glob("*.json") if path != SPEED))


def speed(result: dict[str, Any]) -> list[str]:
    lines = [
        "## Cost, SmolLM2-135M-Instruct",
        "",
        "`python benchmarks/speed.py`",
        "",
        f"Decoding with {result['edits_in_force']} edits in force, as a ratio to the unedited "
        "model in the same turn (median, least and most of the turns):",
        "",
        "| batch | unedited, tokens/s | no edit fires | an edit fires |",
        "|---|---|---|---|",
    ]
    for name, row in result["decoding"].items():
        ratios = [
            f"{row[kind]['median']:.3f} ({row[kind]['min']:.2f}–{row[kind]['max']:.2f})"
            for kind in ("ratio_no_edit_fires", "ratio_edit_fires")
        ]
        lines.append(
            f"| {name.removeprefix('batch_')} | {row['tokens_per_second_unedited']} "
            f"| {' | '.join(ratios)} |"
        )
    if asked := result.get("asking"):
        lines += [
            "",
            f"Asking {asked['questions']} questions about {asked['records']} ZsRE records, fed and in "
            f"free text: {asked['seconds']:.1f} s batched from shared prefills, "
            f"{asked['seconds_one_by_one']:.1f} s one by one (ratio {asked['ratio']:.2f}).",
        ]
    lines += [
        "",
        "Editing, on the first ZsRE records, in one run. Reading is the lower layers and, for the",
        "default preset, the unedited model's own continuation that anchors the edit.",
        "",
        "| | n | seconds per edit | reading | fitting | writing | steps | bytes per edit |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name, row in result["editing"].items():
        stages = row["stages"]
        lines.append(
            f"| {name} | {row['n']} | {row['seconds_per_edit']:.2f} | {stages['read']:.3f} "
            f"| {stages['fit']:.3f} | {stages['write']:.3f} | {row['steps']} "
            f"| {row['bytes_per_edit']:,} |"
        )
    lines += ["", provenance(result)]
    return lines


def provenance(result: dict[str, Any]) -> str:
    """Where the numbers come from, one line."""
    versions = result["versions"]
    return (
        f"Measured: {result['date']}, commit {result['commit']}, {result['machine']}, "
        f"torch {versions['torch']}, transformers {versions['transformers']}.\n"
    )


if __name__ == "__main__":
    main()
