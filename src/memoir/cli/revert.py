"""memoir revert"""

from __future__ import annotations

from typing import Annotated

import typer

from memoir.cli import opening, telling
from memoir.cli.output import (
    DEFAULT_STORE,
    AuthorOption,
    JsonOption,
    MessageOption,
    StoreOption,
    print_json,
    reporting_errors,
)
from memoir.types import Note

EXAMPLES = (
    "Examples:  memoir revert 3fa9c2  |  memoir revert HEAD  |  "
    "memoir revert v1..HEAD -M 'bad source'"
)


def run(
    what: Annotated[
        list[str],
        typer.Argument(
            help="Ids of edits or commits, beginnings of them, names of commits, or A..B: the "
            "commits after A up to B."
        ),
    ],
    message: MessageOption = None,
    author: AuthorOption = None,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> None:
    """Take edits or commits back, exactly, all or none, in one commit; the others stay.

    What a commit brought leaves, and what it took comes back. Needs no model.
    """
    with reporting_errors(json), opening.folder(store) as opened:
        done = opened.revert(what, Note(message or "", author))
    body = done.body
    if json:
        changes = [("reverted", id) for id in body["remove"]]
        changes += [("restored", id) for id in body["add"]]
        print_json([{"id": done.id, word: id, "time": done.time} for word, id in changes])
        return
    entry = f"(log entry {telling.short(done.id)})"
    for id in body["remove"]:
        typer.echo(f"reverted {telling.short(id)} {entry}")
    for id in body["add"]:
        typer.echo(f"restored {telling.short(id)} {entry}")
