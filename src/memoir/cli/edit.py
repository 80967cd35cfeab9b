"""memoir edit"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from memoir.cli import opening, telling
from memoir.cli.output import (
    DEFAULT_STORE,
    AuthorOption,
    DeviceOption,
    DtypeOption,
    JsonOption,
    MessageOption,
    ModelOption,
    StoreOption,
    finite,
    out,
    print_json,
    progress_bars,
    reporting_errors,
)
from memoir.dates import day
from memoir.errors import BadInput, EditRefused, Objected
from memoir.types import Edit, Note, Progress, Receipt, Record

if TYPE_CHECKING:
    from memoir.editor import Editor
    from memoir.versions.conflicts import Objection

EXAMPLES = (
    'Examples:  memoir edit "The CEO of Acme is" "Dana Reyes" --source https://acme.example  |  '
    "memoir edit --file facts.jsonl --limit 100 -M 'facts of May'"
)


def run(
    prompt: Annotated[str | None, typer.Argument(help="Text whose continuation changes.")] = None,
    target: Annotated[str | None, typer.Argument(help="What the model shall say next.")] = None,
    subject: Annotated[str | None, typer.Option(help="What the fact is about.")] = None,
    phrasing: Annotated[
        list[str] | None, typer.Option(help="The prompt in other words; may be repeated.")
    ] = None,
    alias: Annotated[
        list[str] | None, typer.Option(help="Another name of the subject; may be repeated.")
    ] = None,
    source: Annotated[
        str | None, typer.Option(help="Where the fact is from: an address, or words.")
    ] = None,
    expires: Annotated[
        str | None,
        typer.Option(metavar="YYYY-MM-DD", help="The last day the fact is known to hold."),
    ] = None,
    tag: Annotated[
        list[str] | None, typer.Option(help="A word to find the fact by; may be repeated.")
    ] = None,
    file: Annotated[
        Path | None,
        typer.Option(
            help="JSON lines (prompt, target, subject, phrasings, aliases, source, expires, tags, "
            "message), or a file of a benchmark set."
        ),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the file's first records.")] = None,
    keep_going: Annotated[
        bool,
        typer.Option(
            "--keep-going", help="Keep a file's other facts when one is refused, and name it."
        ),
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Make it in spite of objections, and record them.")
    ] = False,
    message: MessageOption = None,
    author: AuthorOption = None,
    store: StoreOption = DEFAULT_STORE,
    model: ModelOption = None,
    dtype: DtypeOption = "auto",
    device_map: DeviceOption = None,
    json: JsonOption = False,
) -> None:
    """Teach one fact, or every fact of a file as one change that succeeds or fails as a whole.

    A fact that does not converge is refused, and the exit code is 1. With --keep-going a file's other
    facts are kept, each durable as soon as it is made. --source, --expires and --tag also go with
    --file, for facts that do not state their own; tags are added.
    """
    with reporting_errors(json):
        if expires is not None:
            expires = day(expires, "--expires")
        if file is None:
            more = (tuple(phrasing or ()), tuple(alias or ()))
            records = [Record(_edit(prompt, target, subject, *more))]
        elif prompt is None and target is None and not (subject or phrasing or alias):
            from memoir import data

            records = data.read(file)[:limit]
        else:
            raise BadInput("give either a prompt and a target, or --file, not both.")
        records = [_marked(each, source, expires, tuple(tag or ())) for each in records]
        note = Note(message or "", author)
        with opening.existing(store, model, dtype, device_map) as editor, progress_bars() as bars:
            found = _objections(editor, records)
            refused: list[Receipt | EditRefused] = []
            if force:
                note = replace(
                    note, forced=tuple(str(each) for some in found.values() for each in some)
                )
            elif keep_going:
                refused = [_objected(records[number], some) for number, some in found.items()]
                records = [each for number, each in enumerate(records) if number not in found]
            elif found:
                number, some = next(iter(found.items()))
                raise _objected(records[number], some, len(found))
            if file is None or keep_going:
                results = refused + _one_by_one(editor, records, note, bars)
            else:
                results = _together(editor, records, note, bars)
    _show(results, json)


def _edit(
    prompt: str | None,
    target: str | None,
    subject: str | None,
    phrasings: tuple[str, ...],
    aliases: tuple[str, ...],
) -> Edit:
    if prompt is None or target is None:
        raise BadInput('give a prompt and a target: memoir edit "PROMPT" "TARGET", or --file FILE.')
    return Edit(prompt, target, subject, phrasings, aliases)


def _objections(editor: Editor, records: Sequence[Record]) -> dict[int, list[Objection]]:
    """What there is to say against records, by their number."""
    from memoir.versions.conflicts import objections

    found: dict[int, list[Objection]] = {}
    for each in objections(editor, [record.edit for record in records]):
        found.setdefault(each.number, []).append(each)
    return found


def _objected(record: Record, found: Sequence[Objection], records: int = 1) -> Objected:
    where = f"{record.where}: " if record.where else ""
    more = f" So are {records - 1} more." if records > 1 else ""
    return Objected(
        f"{where}{record.edit.prompt!r} → {record.edit.target!r} is objected to; nothing was changed. "
        + " ".join(map(str, found))
        + f"{more} To make it all the same, give --force."
    )


def _marked(
    record: Record, source: str | None, expires: str | None, tags: tuple[str, ...]
) -> Record:
    """A record with what was said for all of them."""
    edit = record.edit
    marked = replace(
        edit,
        source=edit.source or source,
        expires=edit.expires or expires,
        tags=tuple(dict.fromkeys((*edit.tags, *tags))),
    )
    return replace(record, edit=marked)


def _one_by_one(
    editor: Editor, records: Sequence[Record], note: Note, progress: Progress
) -> list[Receipt | EditRefused]:
    """Each result as it comes; records that state one message after the other share their commits."""
    results: list[Receipt | EditRefused] = []

    def told(_what: str, done: int, _total: int) -> None:
        progress("editing", len(results) + done, len(records))

    for message, some in groupby(records, key=lambda record: record.message):
        said = replace(note, message=note.message or message)
        results += editor.edit_many([record.edit for record in some], note=said, progress=told)
    progress("editing", len(records), len(records))
    return results


def _together(
    editor: Editor, records: Sequence[Record], note: Note, progress: Progress
) -> list[Receipt | EditRefused]:
    """One commit, or the refusal of the first fact that cannot be taught."""
    messages = dict.fromkeys(record.message for record in records if record.message)
    said = replace(note, message=note.message or "; ".join(messages))
    try:
        results = editor.edit_many(
            [record.edit for record in records], note=said, together=True, progress=progress
        )
    except EditRefused as error:
        where = "" if error.place is None else f"{records[error.place].where}: "
        raise type(error)(
            f"{where}{error} Nothing was changed; to keep the facts that can be taught, give "
            "--keep-going.",
            error.losses,
        ) from error
    progress("editing", len(records), len(records))
    return results


def _show(results: Sequence[Receipt | EditRefused], json: bool) -> None:
    refused = [result for result in results if isinstance(result, EditRefused)]
    receipts = [result for result in results if isinstance(result, Receipt)]
    if json:
        print_json(
            {
                "edits": [receipt.as_dict() for receipt in receipts],
                "refused": [
                    {
                        "type": type(error).__name__,
                        "message": str(error),
                        "losses": finite(error.losses),
                    }
                    for error in refused
                ],
            }
        )
    else:
        out.print(_table(receipts))
        for error in refused:
            out.print(f"[red]refused:[/] {escape(str(error))}", soft_wrap=True)
    if refused:
        raise typer.Exit(1)


def _table(receipts: list[Receipt]) -> Table:
    table = Table(title=f"{len(receipts)} stored", title_justify="left")
    table.add_column("id", no_wrap=True)
    table.add_column("prompt")
    table.add_column("target")
    for column in ("steps", "loss", "KB", "seconds"):
        table.add_column(column, justify="right")
    for receipt in receipts[-50:]:
        table.add_row(
            telling.short(receipt.id),
            escape(receipt.edit.prompt),
            escape(receipt.edit.target),
            str(receipt.steps),
            f"{receipt.loss:.3f}",
            f"{receipt.bytes / 1000:.0f}",
            f"{sum(receipt.seconds.values()):.2f}",
        )
    return table
