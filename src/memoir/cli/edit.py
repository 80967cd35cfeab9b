"""memoir edit"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from memoir.cli import means, opening, telling
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
            together = file is not None and not keep_going
            results = _taught(editor, records, note, together, keep_going, force, bars)
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


def _taught(
    editor: Editor,
    records: Sequence[Record],
    note: Note,
    together: bool,
    keep_going: bool,
    force: bool,
    progress: Progress,
) -> list[Receipt | EditRefused]:
    from memoir.versions.teaching import teach

    try:
        return teach(
            editor,
            records,
            note,
            together=together,
            keep_going=keep_going,
            force=force,
            progress=progress,
        )
    except Objected:
        raise  # it has remedies of its own
    except EditRefused as error:
        where = "" if error.place is None else f"{records[error.place].where}: "
        raise type(error)(
            f"{where}{error} Nothing was changed; to keep the facts that can be taught, give "
            "--keep-going.",
            error.losses,
        ) from error


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
                        "message": means.told(error),
                        "losses": finite(error.losses),
                    }
                    for error in refused
                ],
            }
        )
    else:
        out.print(_table(receipts))
        for error in refused:
            out.print(f"[red]refused:[/] {escape(means.told(error))}", soft_wrap=True)
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
