"""memoir branch"""

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
from memoir.errors import BadInput

EXAMPLES = (
    "Examples:  memoir branch  |  memoir branch trial  |  memoir branch old v1  |  "
    "memoir branch --delete trial"
)


def run(
    name: Annotated[str | None, typer.Argument(help="A new branch. [default: list them]")] = None,
    start: Annotated[
        str | None, typer.Argument(help="Where it begins. [default: the branch in use]")
    ] = None,
    delete: Annotated[bool, typer.Option("--delete", "-d", help="Take the name away.")] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Delete it even if no other name leads to its commits.")
    ] = False,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> None:
    """List the branches, begin one, or delete one. Needs no model."""
    with reporting_errors(json):
        if name is None and (delete or force):
            raise BadInput("name the branch to delete: memoir branch --delete NAME")
        if start is not None and delete:
            raise BadInput("a branch to delete is named alone: memoir branch --delete NAME")
        if force and not delete:
            raise BadInput("--force goes with --delete only.")
        with opening.folder(store) as opened:
            from memoir.versions import branch

            if name is None:
                used, branches = opened.history.branch, opened.history.branches
            elif delete:
                commit = branch.delete(opened, name, force)
            else:
                commit = branch.create(opened, name, start or "HEAD")
    if name is None:
        _list(branches, used, json)
    elif json:
        print_json({"branch": name, "commit": commit, "deleted": delete})
    elif delete:
        typer.echo(f"deleted branch {name} (was {telling.short(commit)})")
    else:
        typer.echo(f"branch {name} begins at {telling.short(commit)}; use it: memoir switch {name}")


def _list(branches: dict[str, str], used: str, json: bool) -> None:
    if json:
        print_json(
            [
                {"branch": name, "commit": commit, "in_use": name == used}
                for name, commit in branches.items()
            ]
        )
        return
    for name, commit in branches.items():
        typer.echo(f"{'*' if name == used else ' '} {name} {telling.short(commit)}")
