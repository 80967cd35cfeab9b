"""memoir bench run"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from memoir.cli.output import JsonOption, err, out, print_json, progress_bars, reporting_errors

EXAMPLES = (
    "Examples:  memoir bench run benchmarks/zsre.toml --data-dir data  |  "
    "memoir bench run grid.toml --executor ray"
)

HEADLINE = {
    "reliability": ("reliability",),
    "generalization": ("generalization",),
    "locality": ("locality", "neighbour"),  # the harder question, where a set has only that
}


def run(
    plan: Annotated[Path, typer.Argument(help="A plan: method, model, data set, n, seeds (TOML).")],
    into: Annotated[
        Path, typer.Option("--out", help="Folder for run files and stores; runs there go on.")
    ] = Path("runs"),
    data_dir: Annotated[
        Path | None,
        typer.Option(envvar="MEMOIR_DATA", help="Folder of the data sets; see: memoir data"),
    ] = None,
    results: Annotated[
        Path | None, typer.Option(help="Also write one small result file per checkpoint here.")
    ] = None,
    executor: Annotated[str, typer.Option(help="local, or ray for a cluster.")] = "local",
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Leave malformed records out, and count them.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """Teach every stream of edits and ask about all of it, at every checkpoint.

    A run can be killed at any moment; the same command goes on where it was. What was finished is
    never repeated and never lost.
    """
    with reporting_errors(json):
        with err.status("reading the plan"):
            from memoir.bench.grid import run_plan, write_results
            from memoir.bench.plan import read_plan
            from memoir.bench.summary import summarise

            read = read_plan(plan)
            if skip_bad:
                read = read.model_copy(update={"skip_bad": True})
        with progress_bars() as bars:
            runs = run_plan(read, into, data_dir, executor, bars)
        found = [result for path in runs for result in summarise(path)]
        if results is not None:
            write_results(runs, results)
    if json:
        print_json(found)
        return
    out.print(_table(found))
    listed = " ".join(str(path) for path in runs)
    out.print(f"To read them: memoir bench report {listed}", soft_wrap=True)


def _table(results: list[dict[str, object]]) -> Table:
    table = Table(title="fed the answer / in free text", title_justify="left")
    for column in ("run", "edits", *HEADLINE):
        table.add_column(column, justify="left" if column == "run" else "right")
    for result in results:
        metrics = result["metrics"]
        assert isinstance(metrics, dict)
        cells = [_cell(metrics, names) for names in HEADLINE.values()]
        table.add_row(str(result["run"]), str(result["n"]), *cells)
    return table


def _cell(metrics: dict[str, dict[str, float]], names: tuple[str, ...]) -> str:
    """Fed the answer, and in free text, of the first of these that was measured."""
    name = next((name for name in names if f"{name}_tf" in metrics), names[0])
    return " / ".join(
        f"{metrics[key]['value']:.3f}" if key in metrics else "–"
        for key in (f"{name}_tf", f"{name}_fg")
    )
