"""memoir edit"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from memoir.cli import opening
from memoir.cli.output import (
    DEFAULT_STORE,
    DeviceOption,
    DtypeOption,
    JsonOption,
    ModelOption,
    StoreOption,
    finite,
    out,
    print_json,
    progress_bars,
    reporting_errors,
)
from memoir.errors import BadInput, EditRefused
from memoir.types import Edit, Progress, Receipt

EXAMPLES = (
    'Examples:  memoir edit "The CEO of Acme is" "Dana Reyes"  |  '
    "memoir edit --file facts.jsonl --limit 100"
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
    file: Annotated[
        Path | None,
        typer.Option(
            help="JSON lines (prompt, target, subject, phrasings, aliases), or a file of a "
            "benchmark set."
        ),
    ] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Only the file's first records.")] = None,
    store: StoreOption = DEFAULT_STORE,
    model: ModelOption = None,
    dtype: DtypeOption = "auto",
    device_map: DeviceOption = None,
    json: JsonOption = False,
) -> None:
    """Teach one fact, or every fact of a file. Each is durable as soon as it is reported.

    A fact that does not converge is refused and named; the others are kept, and the command ends
    with exit code 1.
    """
    with reporting_errors(json):
        more = {
            "subject": subject,
            "phrasings": tuple(phrasing or ()),
            "aliases": tuple(alias or ()),
        }
        edits = _edits(prompt, target, file, more)[:limit]
        with opening.existing(store, model, dtype, device_map) as editor, progress_bars() as bars:
            results = editor.edit_many(edits, on_done=_counter(bars, len(edits)))
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


def _edits(
    prompt: str | None, target: str | None, file: Path | None, more: dict[str, Any]
) -> list[Edit]:
    if file is not None:
        if prompt is not None or target is not None or any(more.values()):
            raise BadInput("give either a prompt and a target, or --file, not both.")
        from memoir import data

        return [record.edit for record in data.read(file)]
    if prompt is None or target is None:
        raise BadInput('give a prompt and a target: memoir edit "PROMPT" "TARGET", or --file FILE.')
    return [Edit(prompt, target, **more)]


def _counter(bars: Progress, total: int) -> Callable[[Receipt | EditRefused], None]:
    done = 0
    bars("editing", 0, total)

    def count(_result: Receipt | EditRefused) -> None:
        nonlocal done
        done += 1
        bars("editing", done, total)

    return count


def _table(receipts: list[Receipt]) -> Table:
    table = Table(title=f"{len(receipts)} stored", title_justify="left")
    table.add_column("id", no_wrap=True)
    table.add_column("prompt")
    table.add_column("target")
    for column in ("steps", "loss", "KB", "seconds"):
        table.add_column(column, justify="right")
    for receipt in receipts[-50:]:
        table.add_row(
            receipt.id,
            escape(receipt.edit.prompt),
            escape(receipt.edit.target),
            str(receipt.steps),
            f"{receipt.loss:.3f}",
            f"{receipt.bytes / 1000:.0f}",
            f"{sum(receipt.seconds.values()):.2f}",
        )
    return table
