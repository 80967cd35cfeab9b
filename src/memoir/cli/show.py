"""memoir show"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from memoir.cli import opening, telling
from memoir.cli.output import (
    DEFAULT_STORE,
    JsonOption,
    StoreOption,
    out,
    print_json,
    reporting_errors,
)

if TYPE_CHECKING:
    from memoir.store import Row, Store

EXAMPLES = "Examples:  memoir show 3fa9c2  |  memoir show HEAD~1  |  memoir show v1 --json"


def run(
    id: Annotated[
        str, typer.Argument(help="Id of an edit or a commit, a beginning of one, or a name.")
    ],
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> None:
    """Show one edit (what it teaches, how it was fitted, its file) or one commit. Needs no model."""
    with reporting_errors(json), opening.folder(store) as opened:
        from memoir.versions.show import named

        row = named(opened, id)
        _KINDS[row.kind](opened, row, json)


def _commit(store: Store, row: Row, json: bool) -> None:
    from memoir.versions.log import described

    (commit,) = described(store, [row])
    if json:
        print_json({"kind": "commit", **commit.as_dict()})
        return
    typer.echo("\n".join(telling.block(commit, most=None)))


def _settings(_store: Store, row: Row, json: bool) -> None:
    body = {"kind": "settings", "id": row.id, "time": row.time, **row.body}
    if json:
        print_json(body)
        return
    _lines({**body, "evidence": "see --json"})


def _edit(store: Store, row: Row, json: bool) -> None:
    from memoir.versions.show import standing

    entry = standing(store, row)
    size = store.size(row)
    file = store.file(row.sha256) if row.sha256 else None
    if json:
        more = {"file": str(file) if file else None, "bytes": size}
        print_json({"kind": "edit", **entry.as_dict(), **more})
        return
    body = row.body
    lists = {name: ", ".join(body.get(name, ())) for name in ("phrasings", "aliases", "tags")}
    given = {**lists, "source": body.get("source"), "expires": body.get("expires")}
    lines = {
        "id": row.id,
        "status": entry.status + (f" ({entry.note})" if entry.note else ""),
        "made": telling.when(row),
        "commit": entry.commit,
        "prompt": body["prompt"],
        "target": body["target"],
        "subject": body["subject"] or "not given",
        **{name: value for name, value in given.items() if value},
        "loss": " → ".join(f"{loss:.3g}" for loss in body["losses"]),
        "said": "yes" if body["said"] else "no: some target token does not have rank one",
        "seconds": ", ".join(f"{stage} {took:.2f}" for stage, took in body["seconds"].items()),
        "file": f"{file} ({size / 1000:.1f} KB)" if file else "none",
    }
    _lines(lines)


_KINDS = {"edit": _edit, "commit": _commit, "settings": _settings}


def _lines(lines: dict[str, Any]) -> None:
    for name, value in lines.items():
        out.print(f"[bold]{name:>9}[/]  ", end="")
        out.print(str(value), markup=False, soft_wrap=True)
