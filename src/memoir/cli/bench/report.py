"""memoir bench report"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from memoir.cli.output import JsonOption, err, out, print_json, reporting_errors

EXAMPLES = "Examples:  memoir bench report runs/*.jsonl  |  memoir bench report results/*.json"


def run(
    runs: Annotated[
        list[Path], typer.Argument(help="Run files (.jsonl), or result files (.json).")
    ],
    into: Annotated[Path, typer.Option("--out", help="Folder for the report.")] = Path("report"),
    json: JsonOption = False,
) -> None:
    """Draw runs as one self-contained page (report.html) and as tables (report.md)."""
    with reporting_errors(json), err.status("drawing the report"):
        from memoir.bench.report import write_report
        from memoir.bench.summary import read_results

        written = write_report(read_results(runs), into)
    if json:
        print_json({"html": str(written.html), "markdown": str(written.markdown)})
        return
    out.print(f"{written.html}\n{written.markdown}", soft_wrap=True)
