"""What all verbs share: where output goes, how errors end, how progress is shown.

Results go to standard output (a table, or one JSON document with ``--json``); progress, warnings and
errors go to standard error, so that output can be piped.

Exit codes: 0 done; 1 refused or failed, with the reason; 2 wrong usage; 130 interrupted.
"""

from __future__ import annotations

import json
import math
import os
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.console import Console, ConsoleDimensions
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from memoir.cli import means
from memoir.errors import MemoirError
from memoir.types import Progress as ProgressCallback


class Lines(Console):
    """A console that breaks no line where there is no screen: programs count on lines."""

    @property  # type: ignore[misc]  # nobody sets it
    def size(self) -> ConsoleDimensions:
        """Columns and lines."""
        size = super().size
        if self.is_terminal:
            return size
        told = os.environ.get("COLUMNS", "")
        return ConsoleDimensions(int(told) if told.isdigit() else UNBROKEN, size.height)


UNBROKEN = 100_000
"""Columns, where there is no screen."""

out = Lines(highlight=False)
err = Lines(stderr=True, highlight=False)

StoreOption = Annotated[
    str,
    typer.Option(
        "--store",
        "-s",
        envvar="MEMOIR_STORE",
        help="Folder of the store, or postgresql://USER@HOST/DATABASE?schema=NAME.",
    ),
]
ModelOption = Annotated[
    str | None,
    typer.Option(
        "--model",
        "-m",
        help="smollm2, a local folder, or a Hugging Face id. [default: the store's, or smollm2]",
    ),
]
DtypeOption = Annotated[
    str, typer.Option("--dtype", help="float32, bfloat16, float16, or auto for the checkpoint's.")
]
DeviceOption = Annotated[
    str | None, typer.Option("--device-map", help="As in transformers, e.g. cuda or auto.")
]
AtOption = Annotated[
    str | None,
    typer.Option("--at", help="Another branch, a tag or a commit. [default: the branch in use]"),
]
MessageOption = Annotated[
    str | None, typer.Option("--message", "-M", help="Why this is changed, in a line.")
]
AuthorOption = Annotated[
    str | None,
    typer.Option(
        help="Who changes this. [default: MEMOIR_AUTHOR, the store's user.name, or this user]"
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document.")]

DEFAULT_STORE = "memoir-store"


def print_json(value: Any) -> None:
    """One JSON document on standard output."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))


def finite(values: Iterable[float]) -> list[float | None]:
    """Numbers as JSON can say them: what is not finite becomes null."""
    return [value if math.isfinite(value) else None for value in values]


@contextmanager
def reporting_errors(as_json: bool = False) -> Iterator[None]:
    """Turn memoir's errors into a message and exit code 1, and show warnings as one line each."""
    with warnings.catch_warnings():
        warnings.showwarning = lambda message, *_rest, **_named: err.print(
            f"[yellow]warning:[/] {escape(str(message))}", soft_wrap=True
        )
        try:
            yield
        except MemoirError as error:
            if as_json:
                print_json({"error": {"type": type(error).__name__, "message": means.told(error)}})
            err.print("[red]error:[/] ", end="")
            err.print(means.told(error), markup=False, soft_wrap=True)
            raise typer.Exit(1) from None


@contextmanager
def progress_bars() -> Iterator[ProgressCallback]:
    """A callback that draws one bar for each kind of work under way."""
    bars = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=err,
        transient=True,
    )
    tasks: dict[str, Any] = {}

    def show(what: str, done: int, total: int) -> None:
        if what not in tasks:
            tasks[what] = bars.add_task(what, total=total)
        bars.update(tasks[what], completed=done, total=total, visible=done < total)

    with bars:
        yield show
