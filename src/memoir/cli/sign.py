"""memoir sign"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from memoir.cli import opening
from memoir.cli.output import (
    DEFAULT_STORE,
    JsonOption,
    StoreOption,
    out,
    print_json,
    reporting_errors,
)

EXAMPLES = "Examples:  memoir sign  |  memoir sign v1 3fa9c2 --key ~/.ssh/id_ed25519"


def run(
    refs: Annotated[
        list[str] | None, typer.Argument(help="Commits to sign. [default: the last one]")
    ] = None,
    key: Annotated[
        Path | None, typer.Option(help="An SSH key. [default: the store's user.signing-key]")
    ] = None,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> None:
    """Sign commits with an SSH key. Needs no model.

    A store whose setting user.signing-key names a key signs every new commit by itself.
    """
    with reporting_errors(json):
        from memoir.store import short
        from memoir.versions.signing import sign

        with opening.folder(store) as opened:
            rows = sign(opened, refs or ["HEAD"], key)
    if json:
        print_json([row.id for row in rows])
        return
    for row in rows:
        out.print(f"signed {short(row.id)}: {row.body['message']}", markup=False, soft_wrap=True)
