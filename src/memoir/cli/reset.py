"""memoir reset"""

from __future__ import annotations

from typing import Annotated

import typer

from memoir.cli import opening, telling
from memoir.cli.output import (
    DEFAULT_STORE,
    JsonOption,
    StoreOption,
    print_json,
    reporting_errors,
)

EXAMPLES = "Examples:  memoir reset HEAD~1  |  memoir reset v1"


def run(
    ref: Annotated[str, typer.Argument(help="Branch, tag or commit that the branch shall be at.")],
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> None:
    """Move the branch in use to another commit. Where it was is tagged first. Needs no model."""
    with reporting_errors(json), opening.folder(store) as opened:
        from memoir.versions.reset import reset

        moved = reset(opened, ref)
    if json:
        print_json(moved._asdict())
        return
    if moved.before == moved.after:
        typer.echo(f"branch {moved.branch} is at {telling.short(moved.after)} already")
        return
    typer.echo(f"branch {moved.branch} is at {telling.short(moved.after)}")
    if moved.before is not None:
        was = f"it was at {telling.short(moved.before)}, now tagged {moved.backup}"
        typer.echo(f"{was}; to go back: memoir reset {moved.backup}")
