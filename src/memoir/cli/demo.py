"""memoir demo"""

from __future__ import annotations

import json as jsonlib
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from memoir.cli.output import (
    DeviceOption,
    DtypeOption,
    ModelOption,
    err,
    out,
    progress_bars,
    reporting_errors,
)

if TYPE_CHECKING:
    from memoir.demo import Asked, Outcome

EXAMPLES = "Examples:  memoir demo  |  memoir demo --json demo.json  |  memoir demo --store facts"

ROWS = {
    "reliability": ("the prompt itself", "prompt", "the target, at its start"),
    "generalization": ("two rephrases", "rephrase", "the target, at its start"),
    "chat": ("asked in a chat", "chat", "the target, anywhere"),
    "neighbours_unchanged": ("near neighbour", "neighbour", "the same text as before"),
    "unrelated_unchanged": ("unrelated prompt", "unrelated", "the same text as before"),
}


def run(
    json: Annotated[Path | None, typer.Option("--json", help="Write every answer here.")] = None,
    store: Annotated[
        str | None, typer.Option("--store", "-s", help="Keep the store here. [default: removed]")
    ] = None,
    preset: Annotated[
        str, typer.Option(help="default, or faithful (the authors' settings).")
    ] = "default",
    model: ModelOption = None,
    dtype: DtypeOption = "auto",
    device_map: DeviceOption = None,
) -> None:
    """Teach a small real model thirty facts, ask it about them, and take one back."""
    start = time.perf_counter()
    with reporting_errors(), tempfile.TemporaryDirectory(prefix="memoir-demo-") as scratch:
        with progress_bars() as progress:
            progress("loading the model", 0, 1)
            from memoir.demo import run_demo
            from memoir.editor import Editor

            folder = store or Path(scratch) / "store"
            editor = Editor.open(
                model, folder, preset=preset, dtype=dtype, device_map=device_map, progress=progress
            )
            with editor:
                progress("loading the model", 1, 1)
                outcome = run_demo(editor, progress)
        _show(outcome)
        out.print(f"[dim]{time.perf_counter() - start:.0f} seconds in all[/]")
        if json is not None:
            json.write_text(jsonlib.dumps(outcome.as_dict(), ensure_ascii=False, indent=1), "utf-8")
            err.print(f"every answer is in {json}", soft_wrap=True)


def _show(outcome: Outcome) -> None:
    for i, fact in enumerate(outcome.facts):
        asked = [asked for asked in outcome.asked if asked.question.fact == i]
        table = Table(
            title=f"[bold]{escape(fact['prompt'])}[/] → [green]{escape(fact['target'])}[/]",
            title_justify="left",
            show_header=i == 0,
            width=min(out.width, 120),
        )
        table.add_column("", width=1)
        table.add_column("asked", ratio=4)
        table.add_column("before", ratio=3, style="dim")
        table.add_column("after", ratio=3)
        for one in asked:
            table.add_row(*_cells(one))
        out.print(table)
    for message in outcome.refused:
        out.print(f"[red]refused:[/] {escape(message)}", soft_wrap=True)
    out.print(_counts(outcome))
    back = outcome.taken_back
    out.print(f"\n[bold]Taken back:[/] {escape(back['prompt'])}")
    for name in ("unedited", "in_force", "reverted"):
        text = escape(" ".join(back[name].split())) or "∅"
        out.print(f"[dim]{name.replace('_', ' '):>10}[/]  {text}")


def _cells(asked: Asked) -> tuple[str, str, str, str]:
    mark = "[green]✓[/]" if asked.held else "[red]✗[/]"
    match = asked.after.match
    fired = f" [dim]({match.score:.2f})[/]" if match is not None and match.fired else ""
    kind = asked.question.kind
    label = "" if kind == "prompt" else f"[dim]{kind}:[/] "
    texts = [escape(" ".join(text.split())) or "∅" for text in (asked.before, asked.after.text)]
    return mark, label + escape(asked.question.text), texts[0], texts[1] + fired


def _counts(outcome: Outcome) -> Table:
    summary = outcome.summary()
    table = Table(
        title=f"What held, of {summary['n']} facts, after the last edit", title_justify="left"
    )
    table.add_column("asked")
    table.add_column("holds if the answer is")
    table.add_column("held", justify="right")
    for name, (label, kind, rule) in ROWS.items():
        total = sum(asked.question.kind == kind for asked in outcome.asked)
        share = summary[name]
        table.add_row(label, rule, f"{share * total:.0f} of {total} ({share:.0%})")
    for name, label, rule in (
        ("reverted_restored", "one edit taken back", "as if never taught; all others stay"),
        ("reloaded_identical", "store opened in a new process", "the same texts"),
    ):
        table.add_row(label, rule, "[green]yes[/]" if summary[name] else "[red]no[/]")
    table.caption = (
        f"✓ held  ✗ failed  ∅ the model ends at once  (0.87) an edit fired, with its score\n"
        f"{outcome.seconds_per_edit:.2f} seconds per edit"
    )
    table.caption_justify = "left"
    return table
