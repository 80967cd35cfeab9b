"""memoir log"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from memoir.cli import opening, telling
from memoir.cli.output import (
    DEFAULT_STORE,
    JsonOption,
    StoreOption,
    out,
    print_json,
    reporting_errors,
)
from memoir.dates import day
from memoir.errors import BadInput

if TYPE_CHECKING:
    from memoir.store import Entry, Store
    from memoir.versions.log import Filter

EXAMPLES = (
    "Examples:  memoir log  |  memoir log --oneline -n 20  |  "
    "memoir log --subject acme --since 2026-01-01  |  memoir log --live --json"
)
STYLES = {"live": "", "damaged": "red"}


def run(
    ref: Annotated[
        str | None,
        typer.Argument(help="Branch, tag or commit to begin at. [default: the branch in use]"),
    ] = None,
    oneline: Annotated[bool, typer.Option("--oneline", help="One line for each commit.")] = False,
    subject: Annotated[
        str | None, typer.Option(help="Only with this text in an edit's subject or prompt.")
    ] = None,
    author: Annotated[str | None, typer.Option(help="Only commits of this author.")] = None,
    tag: Annotated[str | None, typer.Option(help="Only with edits that have this tag.")] = None,
    since: Annotated[str | None, typer.Option(help="Not before this day, UTC.")] = None,
    until: Annotated[str | None, typer.Option(help="Not after this day, UTC.")] = None,
    number: Annotated[
        int | None, typer.Option("--number", "-n", min=1, help="At most so many.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Of all branches and tags.")] = False,
    live: Annotated[
        bool, typer.Option("--live", help="List the edits in force instead, and check their files.")
    ] = False,
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> None:
    """Show what happened, the newest first: commits with the edits they brought and took.

    Needs no model.
    """
    with reporting_errors(json):
        if everything and (ref is not None or live):
            raise BadInput("give either --all, or a commit or --live, not both.")
        days = [
            None if text is None else day(text, f"--{name}")
            for name, text in (("since", since), ("until", until))
        ]
        with opening.folder(store) as opened:
            from memoir.versions.log import Filter, log

            which = Filter(subject, author, tag, *days)
            if live:
                _live(_in_force(opened, ref, which)[:number], str(opened.folder), json)
                return
            commits = islice(log(opened, ref or "HEAD", which, everything), number)
            if json:
                print_json([commit.as_dict() for commit in commits])
                return
            for at, commit in enumerate(commits):
                if oneline:
                    typer.echo(telling.line(commit))
                else:
                    typer.echo("\n".join([*([""] if at else []), *telling.block(commit)]))


def _in_force(store: Store, ref: str | None, which: Filter) -> list[Entry]:
    commit = None if ref is None else store.history.resolve(ref)
    entries = [entry for entry in store.entries(commit) if entry.status != "reverted"]
    commits = store.log.get({entry.commit for entry in entries})
    return [
        entry for entry in entries if which.edit(entry.row) and which.commit(commits[entry.commit])
    ]


def _live(entries: list[Entry], place: str, json: bool) -> None:
    if json:
        print_json([entry.as_dict() for entry in entries])
        return
    table = Table(title=escape(f"{place}: {len(entries)} edits in force"), title_justify="left")
    table.add_column("id", no_wrap=True)
    table.add_column("time (UTC)", no_wrap=True)
    table.add_column("status")
    table.add_column("prompt")
    table.add_column("target")
    for entry in entries:
        table.add_row(
            telling.short(entry.row.id),
            entry.row.time[:19].replace("T", " "),
            entry.status,
            escape(entry.edit.prompt),
            escape(entry.edit.target),
            style=STYLES[entry.status],
        )
    out.print(table)
    for note in _damage(entries):
        out.print(f"[red]damaged:[/] {escape(note)}", soft_wrap=True)


def _damage(entries: list[Entry]) -> Iterator[str]:
    yield from (entry.note for entry in entries if entry.note)
