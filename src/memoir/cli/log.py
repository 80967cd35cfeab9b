"""memoir log"""

from __future__ import annotations

from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from memoir.cli.output import (
    DEFAULT_STORE,
    JsonOption,
    StoreOption,
    out,
    print_json,
    reporting_errors,
)

EXAMPLES = "Examples:  memoir log  |  memoir log --live --json"
STYLES = {"live": "", "reverted": "dim strike", "damaged": "red"}


def run(
    store: StoreOption = DEFAULT_STORE,
    live: Annotated[bool, typer.Option("--live", help="Only edits in force.")] = False,
    json: JsonOption = False,
) -> None:
    """List every edit ever made in the store, and what became of it. Needs no model."""
    with reporting_errors(json):
        from memoir.store import Store

        opened = Store(store)
        entries = opened.entries()
        opened.close()
    shown = [entry for entry in entries if entry.status == "live" or not live]
    if json:
        print_json([plain(entry) for entry in shown])
        return
    table = Table(title=escape(f"{opened.folder}: {len(shown)} edits"), title_justify="left")
    table.add_column("id", no_wrap=True)
    table.add_column("time (UTC)", no_wrap=True)
    table.add_column("status")
    table.add_column("prompt")
    table.add_column("target")
    for entry in shown:
        table.add_row(
            entry.row.id,
            entry.row.time[:19].replace("T", " "),
            entry.status,
            escape(entry.edit.prompt),
            escape(entry.edit.target),
            style=STYLES[entry.status],
        )
    out.print(table)
    for entry in shown:
        if entry.note:
            out.print(f"[red]damaged:[/] {escape(entry.note)}", soft_wrap=True)


def plain(entry: Any) -> dict[str, Any]:
    """An entry as plain values."""
    return {
        "id": entry.row.id,
        "time": entry.row.time,
        "status": entry.status,
        "note": entry.note,
        **entry.row.body,
    }
