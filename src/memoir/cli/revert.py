"""memoir revert"""

from __future__ import annotations

from typing import Annotated

import typer

from memoir.cli.output import (
    DEFAULT_STORE,
    JsonOption,
    StoreOption,
    out,
    print_json,
    reporting_errors,
)

EXAMPLES = "Example:  memoir revert 3fa9c2"


def run(
    ids: Annotated[list[str], typer.Argument(help="Ids of edits, or beginnings of them.")],
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> None:
    """Take edits back, exactly; the others stay. Needs no model."""
    with reporting_errors(json):
        from memoir.store import Store

        opened = Store(store)
        with opened.writing():
            for id in ids:
                opened.in_force(id)  # all or none
            done = [opened.revert(id) for id in ids]
    if json:
        print_json([{"id": row.id, "reverted": row.body["edit"], "time": row.time} for row in done])
        return
    for row in done:
        out.print(f"reverted {row.body['edit']} (log entry {row.id})")
