"""memoir show"""

from __future__ import annotations

from typing import Annotated

import typer

from memoir.cli.log import plain
from memoir.cli.output import (
    DEFAULT_STORE,
    JsonOption,
    StoreOption,
    out,
    print_json,
    reporting_errors,
)

EXAMPLES = "Example:  memoir show 3fa9c2"


def run(
    id: Annotated[str, typer.Argument(help="The edit's id, or the beginning of it.")],
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> None:
    """Show one edit: what it teaches, how it was fitted, its file. Needs no model."""
    with reporting_errors(json):
        from memoir.store import Store

        opened = Store(store)
        entry = opened.entry(id)
        size = opened.size(entry.row)
        file = opened.file(entry.row.sha256) if entry.row.sha256 else None
    if json:
        print_json({**plain(entry), "file": str(file) if file else None, "bytes": size})
        return
    body = entry.row.body
    lines = {
        "id": entry.row.id,
        "status": entry.status + (f" ({entry.note})" if entry.note else ""),
        "made": f"{entry.row.time[:19].replace('T', ' ')} UTC",
        "prompt": body["prompt"],
        "target": body["target"],
        "subject": body["subject"] or "not given",
        "loss": " → ".join(f"{loss:.3g}" for loss in body["losses"]),
        "said": "yes" if body["said"] else "no: some target token does not have rank one",
        "seconds": ", ".join(f"{stage} {took:.2f}" for stage, took in body["seconds"].items()),
        "file": f"{file} ({size / 1000:.1f} KB)",
    }
    for name, value in lines.items():
        out.print(f"[bold]{name:>8}[/]  ", end="")
        out.print(value, markup=False, soft_wrap=True)
