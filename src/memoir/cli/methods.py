"""memoir methods"""

from __future__ import annotations

from typing import Any

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from memoir.cli.output import JsonOption, out, print_json, reporting_errors

EXAMPLES = "Examples:  memoir methods  |  memoir init --method ft --preset ft-l"

COLUMNS = (
    *("method", "presets", "needs", "many at once", "take-back", "other prompts"),
    *("kept of an edit", "paper"),
)

UNDO = {"exact": "at once", "replay": "adding up the others anew"}


def run(json: JsonOption = False) -> None:
    """List the editing methods: where each is from, what it needs, and what it promises."""
    with reporting_errors(json):
        from memoir import methods

        found = {name: methods.get(name) for name in methods.available()}
    if json:
        print_json({"methods": [_plain(name, method) for name, method in found.items()]})
        return
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in COLUMNS:
        table.add_column(column, overflow="fold")
    for name, method in found.items():
        table.add_row(
            f"[bold]{name}[/]",
            ", ".join(method.presets),
            ", ".join(method.needs),
            method.batch,
            UNDO[method.undo],
            "keep every bit" if method.spares_others else "may change",
            method.storage,
            escape(method.paper),
        )
    out.print(table)


def _plain(name: str, method: Any) -> dict[str, Any]:
    return {
        "name": name,
        "presets": list(method.presets),
        "needs": list(method.needs),
        "batch": method.batch,
        "storage": method.storage,
        "undo": method.undo,
        "spares_others": method.spares_others,
        "paper": method.paper,
    }
