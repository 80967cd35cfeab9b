"""The group ``memoir bench``: one file per verb."""

from __future__ import annotations

import typer

from memoir.cli.bench import report, run

app = typer.Typer(
    help="Measure methods on data sets, and read what came out.", no_args_is_help=True
)
for verb in (run, report):
    app.command(verb.__name__.rsplit(".", 1)[-1], epilog=verb.EXAMPLES)(verb.run)
