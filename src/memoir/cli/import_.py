"""memoir import"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from memoir.cli import sharing
from memoir.cli.output import DEFAULT_STORE, JsonOption, StoreOption, reporting_errors

EXAMPLES = "Examples:  memoir import facts.memoir  |  memoir import facts.memoir --store new-store"


def run(
    file: Annotated[Path, typer.Argument(help="A file that memoir export wrote.")],
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> None:
    """Take in what memoir export wrote, all of it verified first. Needs no model.

    Moves the branch of that name on if it can; otherwise it comes in as imported/NAME, to be merged.
    """
    with reporting_errors(json):
        from memoir.versions.bundle import import_

        landed = import_(file, store)
    from memoir.store.address import located

    sharing.tell(landed, str(located(store)), json)
