"""memoir check"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from memoir.cli import opening
from memoir.cli.output import (
    DEFAULT_STORE,
    DeviceOption,
    DtypeOption,
    JsonOption,
    ModelOption,
    StoreOption,
    out,
    print_json,
    progress_bars,
    reporting_errors,
)

if TYPE_CHECKING:
    from memoir.versions.check import Broken, Report

EXAMPLES = "Examples:  memoir check  |  memoir check --probes must.jsonl --json"


def run(
    probes: Annotated[
        Path | None,
        typer.Option(
            help="JSON lines with 'prompt' and 'must_say' or 'must_never_say'. "
            "[default: the file that gate.suite names, if any]"
        ),
    ] = None,
    unrelated: Annotated[
        int, typer.Option(min=0, max=120, help="Questions that no edit is about.")
    ] = 40,
    anew: Annotated[bool, typer.Option("--anew", help="Ask also what is known.")] = False,
    store: StoreOption = DEFAULT_STORE,
    model: ModelOption = None,
    dtype: DtypeOption = "auto",
    device_map: DeviceOption = None,
    json: JsonOption = False,
) -> None:
    """Ask everything that was taught, your own probes, and questions that must stay as they were.

    Tells what broke and which commit broke it, and exits with 1 if anything did or has expired.
    """
    with (
        reporting_errors(json),
        opening.existing(store, model, dtype, device_map) as editor,
        progress_bars() as bars,
    ):
        from memoir.versions.check import blamed, check
        from memoir.versions.gate import own_probes
        from memoir.versions.suite import read_probes

        asked = read_probes(probes) if probes else own_probes(editor.store)
        report = check(editor, asked, unrelated=unrelated, anew=anew, progress=bars)
        broken = blamed(editor, report.broken)
        messages = {each.commit: editor.store.find(each.commit or "").body for each in broken}
    if json:
        print_json(replace(report, broken=broken).as_dict())
    else:
        _print(report, broken, messages)
    if not report.passed:
        raise typer.Exit(1)


def _print(report: Report, broken: list[Broken], messages: dict[str | None, Any]) -> None:
    from memoir.store import short

    for each in broken:
        question, body = each.question, messages[each.commit]
        since = f"since commit {short(each.commit or '')} by {body['author']}: {body['message']}"
        out.print(f"[red]broken[/]  {escape(question.prompt)}", soft_wrap=True)
        out.print(
            f"        was answered {each.answer!r}, which {question.unlike}\n        {since}",
            markup=False,
            soft_wrap=True,
        )
    for row in report.expired:
        out.print(
            f"[yellow]expired[/] {escape(row.body['prompt'])} → {escape(row.body['target'])} "
            f"(edit {short(row.id)}, {row.body['expires']})",
            soft_wrap=True,
        )
    total = report.asked + report.skipped
    out.print(
        f"{total - len(broken)} of {total} hold; {report.asked} asked, {report.skipped} skipped"
    )
    if report.skipped:
        out.print(f"skipped: {report.why_skipped}", style="dim", soft_wrap=True)
