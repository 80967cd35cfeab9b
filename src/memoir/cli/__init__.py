"""The command ``memoir``: one file per verb. Nothing here imports torch until a verb runs."""

from __future__ import annotations

import typer

from memoir.cli import (
    ask,
    bench,
    blame,
    branch,
    calibrate,
    check,
    config,
    data,
    demo,
    diff,
    edit,
    fsck,
    gc,
    init,
    log,
    merge,
    methods,
    pull,
    reset,
    revert,
    show,
    stats,
    status,
    switch,
    tag,
    watch,
)

app = typer.Typer(
    name="memoir",
    help="Teach a language model facts, ask it, take them back.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
MODELS = (pull, init, calibrate, edit, ask, check, blame)
HISTORY = (log, show, status, diff, revert, branch, switch, merge, tag, reset)
STORE = (fsck, gc, config, watch)
OTHERS = (methods, stats, data, demo)
for verb in (*MODELS, *HISTORY, *STORE, *OTHERS):
    name = verb.__name__.rsplit(".", 1)[-1]
    app.command(name, epilog=verb.EXAMPLES)(verb.run)

app.add_typer(bench.app, name="bench")


def main() -> None:
    """Entry point of the console script."""
    app()
