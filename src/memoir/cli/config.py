"""memoir config"""

from __future__ import annotations

from typing import Annotated

import typer

from memoir.cli import opening
from memoir.cli.output import (
    DEFAULT_STORE,
    JsonOption,
    StoreOption,
    print_json,
    reporting_errors,
)
from memoir.errors import BadInput

EXAMPLES = (
    "Examples:  memoir config  |  memoir config user.name 'Ann Lund'  |  "
    "memoir config user.name --unset"
)


def run(
    key: Annotated[str | None, typer.Argument(help="A setting. [default: list them]")] = None,
    value: Annotated[
        str | None, typer.Argument(help="Its new value. [default: show the present one]")
    ] = None,
    unset: Annotated[bool, typer.Option("--unset", help="Give it its default again.")] = False,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> None:
    """Show or change settings of the store itself. Needs no model."""
    with reporting_errors(json):
        if unset and (key is None or value is not None):
            raise BadInput("name the setting to unset, alone: memoir config KEY --unset")
        with opening.folder(store) as opened:
            from memoir.versions import config

            if key is None:
                found = {each: config.get(opened, each) for each in config.KEYS}
            elif unset:
                found = {key: config.forget(opened, key)}
            elif value is not None:
                found = {key: config.put(opened, key, value)}
            else:
                found = {key: config.get(opened, key)}
    if json:
        print_json(found)
        return
    for name, each in found.items():
        meaning = "" if key else f"  ({config.KEYS[name].meaning})"
        typer.echo(f"{name} = {_shown(each)}{meaning}")


def _shown(value: bool | str | None) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "not set" if value is None else value
