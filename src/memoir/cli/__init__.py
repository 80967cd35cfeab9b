"""The command ``memoir``: one file per verb. Nothing here imports torch until a verb runs."""

from __future__ import annotations

import typer

from memoir.cli import (
    ask,
    bench,
    calibrate,
    data,
    demo,
    edit,
    fsck,
    gc,
    init,
    log,
    methods,
    pull,
    revert,
    show,
    stats,
)

app = typer.Typer(
    name="memoir",
    help="Teach a language model facts, ask it, take them back.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
for verb in (
    pull,
    init,
    calibrate,
    edit,
    ask,
    log,
    show,
    revert,
    methods,
    fsck,
    gc,
    stats,
    data,
    demo,
):
    name = verb.__name__.rsplit(".", 1)[-1]
    app.command(name, epilog=verb.EXAMPLES)(verb.run)

app.add_typer(bench.app, name="bench")


def main() -> None:
    """Entry point of the console script."""
    app()
