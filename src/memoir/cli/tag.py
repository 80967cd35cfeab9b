"""memoir tag"""

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
    "Examples:  memoir tag  |  memoir tag v1  |  memoir tag v0 HEAD~3  |  memoir tag v0 --delete"
)


def run(
    name: Annotated[str | None, typer.Argument(help="A new tag. [default: list them]")] = None,
    ref: Annotated[
        str | None, typer.Argument(help="The commit it names. [default: the last one]")
    ] = None,
    delete: Annotated[bool, typer.Option("--delete", "-d", help="Take the tag away.")] = False,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> None:
    """List the tags, name a commit, or take a tag away. Needs no model."""
    with reporting_errors(json):
        if delete and (name is None or ref is not None):
            raise BadInput("name the tag to delete, alone: memoir tag NAME --delete")
        with opening.folder(store) as opened:
            from memoir.versions import tag

            if name is None:
                tags = opened.history.tags
            elif delete:
                commit = tag.delete(opened, name)
            else:
                commit = tag.create(opened, name, ref or "HEAD")
    if name is None:
        if json:
            print_json([{"tag": each, "commit": commit} for each, commit in tags.items()])
            return
        for each, commit in tags.items():
            typer.echo(f"{each} {telling.short(commit)}")
    elif json:
        print_json({"tag": name, "commit": commit, "deleted": delete})
    elif delete:
        typer.echo(f"deleted tag {name} (was {telling.short(commit)})")
    else:
        typer.echo(f"tag {name} names {telling.short(commit)}")
