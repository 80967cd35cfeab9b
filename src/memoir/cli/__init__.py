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
    conflicts,
    data,
    demo,
    diff,
    edit,
    export,
    export_peft,
    fetch_model,
    fsck,
    gc,
    import_,
    init,
    keys,
    log,
    merge,
    merge_weights,
    methods,
    pull,
    push,
    reset,
    revert,
    serve,
    show,
    sign,
    stats,
    status,
    switch,
    tag,
    verify,
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
MODELS = (fetch_model, init, calibrate, edit, ask, check, conflicts, blame, merge_weights, serve)
HISTORY = (log, show, status, diff, revert, branch, switch, merge, tag, reset)
SHARING = (export, export_peft, import_, push, pull, sign, verify)
STORE = (fsck, gc, config, watch)
OTHERS = (methods, stats, data, demo)
for verb in (*MODELS, *HISTORY, *SHARING, *STORE, *OTHERS):
    name = verb.__name__.rsplit(".", 1)[-1].strip("_").replace("_", "-")
    app.command(name, epilog=verb.EXAMPLES)(verb.run)

app.add_typer(bench.app, name="bench")
app.add_typer(keys.app, name="keys")


def main() -> None:
    """Entry point of the console script."""
    app()
