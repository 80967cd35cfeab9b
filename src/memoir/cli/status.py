"""memoir status"""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from memoir.cli import opening, telling
from memoir.cli.output import (
    DEFAULT_STORE,
    JsonOption,
    StoreOption,
    print_json,
    reporting_errors,
)

if TYPE_CHECKING:
    from memoir.versions.status import Status

EXAMPLES = "Examples:  memoir status  |  memoir status --store facts --json"


def run(store: StoreOption = DEFAULT_STORE, json: JsonOption = False) -> None:
    """Show where the store stands: branch, edits in force, expired and damaged ones, other names.

    Checks the files of all edits in force. Needs no model.
    """
    with reporting_errors(json), opening.folder(store) as opened:
        from memoir.versions.status import status

        found = status(opened)
    if json:
        print_json({"store": str(store), **found.as_dict()})
        return
    _show(found)


def _show(found: Status) -> None:
    typer.echo(
        f"on branch {found.branch}" + (f" at {telling.short(found.tip)}" if found.tip else "")
    )
    if found.model is None:
        typer.echo("not bound to a model yet: memoir init")
    else:
        typer.echo(f"{found.model} ({found.dtype}), method {found.method} at {found.site}")
    typer.echo(
        f"{found.edits} in force, {len(found.expired)} expired, {len(found.damaged)} damaged"
    )
    for entry in found.expired:
        last = f"expired, last day {entry.edit.expires}"
        typer.echo(f"    {telling.short(entry.row.id)}  {telling.fact(entry.row)} ({last})")
    for entry in found.damaged:
        typer.echo(f"    {telling.short(entry.row.id)}  damaged: {entry.note}")
    others = [name for name in found.branches if name != found.branch]
    for kind, names in (("other branches", others), ("tags", list(found.tags))):
        if names:
            typer.echo(f"{kind}: {', '.join(names)}")
