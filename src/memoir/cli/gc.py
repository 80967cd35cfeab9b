"""memoir gc"""

from __future__ import annotations

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

EXAMPLES = "Examples:  memoir gc --dry-run  |  memoir gc --older-than 30"


def run(
    older_than: Annotated[
        float,
        typer.Option(min=0, metavar="DAYS", help="Only what nothing has needed for so long."),
    ] = 14.0,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be removed, and remove nothing.")
    ] = False,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> None:
    """Remove tensor files that no branch or tag needs. The history stays. Needs no model."""
    with reporting_errors(json):
        from memoir.store import short
        from memoir.versions import gc

        with opening.folder(store) as opened:
            found = gc.collect(opened, older_than, dry_run)
    total = sum(each.bytes for each in found)
    if json:
        files = [
            {
                "id": each.row.id,
                "since": each.since,
                "sha256": each.row.sha256,
                "bytes": each.bytes,
            }
            for each in found
        ]
        print_json({"removed": not dry_run, "bytes": total, "files": files})
        return
    for each in found:
        what = each.row.body.get("prompt", each.row.kind)
        out.print(f"{short(each.row.id)}  {each.bytes} bytes  {what}", markup=False, soft_wrap=True)
    done = "would be removed" if dry_run else "removed"
    out.print(f"{len(found)} files, {total / 1000:.0f} KB {done}", markup=False)
