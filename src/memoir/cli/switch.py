"""memoir switch"""

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

EXAMPLES = "Examples:  memoir switch trial  |  memoir switch --create trial"


def run(
    name: Annotated[str, typer.Argument(help="The branch to use from now on.")],
    create: Annotated[bool, typer.Option("--create", "-c", help="Begin it here first.")] = False,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> None:
    """Use another branch: what is in force there is in force, and edits go there. Needs no model."""
    with reporting_errors(json), opening.folder(store) as opened:
        from memoir.versions.switch import switch

        tip = switch(opened, name, create)
        live = len(opened.history.live(tip))
    if json:
        print_json({"branch": name, "commit": tip, "edits": live, "created": create})
        return
    typer.echo(f"on branch {name} at {telling.short(tip)}: {live} in force")
