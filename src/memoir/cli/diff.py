"""memoir diff"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from memoir.cli import opening, telling
from memoir.cli.output import (
    DEFAULT_STORE,
    DeviceOption,
    DtypeOption,
    JsonOption,
    ModelOption,
    StoreOption,
    print_json,
    reporting_errors,
)

if TYPE_CHECKING:
    from memoir.versions.answers import Differing
    from memoir.versions.diff import Difference

EXAMPLES = "Examples:  memoir diff v1  |  memoir diff main trial --probes prompts.txt --json"


def run(
    a: Annotated[str, typer.Argument(help="Branch, tag or commit to compare with.")],
    b: Annotated[
        str | None, typer.Argument(help="What is compared. [default: the branch in use]")
    ] = None,
    probes: Annotated[
        Path | None,
        typer.Option(
            help="Ask the model in both states: a prompt a line, or JSON lines with 'prompt'."
        ),
    ] = None,
    max_new_tokens: Annotated[int, typer.Option(min=1, help="Longest answer, in tokens.")] = 32,
    store: StoreOption = DEFAULT_STORE,
    model: ModelOption = None,
    dtype: DtypeOption = "auto",
    device_map: DeviceOption = None,
    json: JsonOption = False,
) -> None:
    """Show which edits two states do not share, and what the model answers differently.

    Needs a model for --probes only.
    """
    with reporting_errors(json):
        with opening.folder(store) as opened:
            from memoir.versions.diff import diff

            found = diff(opened, a, b or "HEAD")
        asked, answers = 0, None
        if probes is not None:
            from memoir.versions.answers import differing, read_probes

            prompts = read_probes(probes)
            asked = len(prompts)
            with opening.existing(store, model, dtype, device_map, found.b) as editor:
                answers = differing(editor, found.a, prompts, max_new_tokens=max_new_tokens)
    if json:
        told = None if answers is None else [answer.as_dict() for answer in answers]
        print_json({**found.as_dict(), "asked": asked, "answers": told})
        return
    _edits(found)
    if answers is not None:
        _answers(answers, asked)


def _edits(found: Difference) -> None:
    typer.echo(
        f"{telling.short(found.a)} → {telling.short(found.b)}: {len(found.added)} added, "
        f"{len(found.removed)} removed, {len(found.changed)} changed"
    )
    for text in (*telling.signed("+", found.added), *telling.signed("-", found.removed)):
        typer.echo(text)
    for old, new in found.changed:
        targets = [telling.one_line(row.body["target"]) for row in (old, new)]
        text = f"{telling.one_line(new.body['prompt'])} → {targets[1]} (was {targets[0]})"
        typer.echo(typer.style(f"    ~ {telling.short(new.id)}  {text}", fg="yellow"))


def _answers(answers: list[Differing], asked: int) -> None:
    typer.echo(f"{len(answers)} of {asked} prompts are answered differently")
    for answer in answers:
        typer.echo(f"    {telling.one_line(answer.prompt)}")
        for sign, text in (("-", answer.before), ("+", answer.after)):
            colour = "red" if sign == "-" else "green"
            typer.echo(typer.style(f"      {sign} {telling.one_line(text) or '∅'}", fg=colour))
