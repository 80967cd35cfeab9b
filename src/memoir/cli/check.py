"""memoir check"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from memoir.cli import opening, telling
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
from memoir.errors import BadInput

if TYPE_CHECKING:
    from memoir.store.checks import PastCheck
    from memoir.versions.check import Report

EXAMPLES = (
    "Examples:  memoir check  |  memoir check --probes must.jsonl --json  |  memoir check --past"
)


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
    past: Annotated[
        bool, typer.Option("--past", help="List the last 50 checks instead; needs no model.")
    ] = False,
    store: StoreOption = DEFAULT_STORE,
    model: ModelOption = None,
    dtype: DtypeOption = "auto",
    device_map: DeviceOption = None,
    json: JsonOption = False,
) -> None:
    """Ask everything that was taught, your own probes, and questions that must stay as they were.

    Tells what broke and which commit broke it, and exits with 1 if anything did or has expired.
    The store remembers the numbers: --past lists them, the newest first.
    """
    if past:
        with reporting_errors(json):
            if probes or anew:
                raise BadInput("--past asks nothing; give --probes and --anew without it.")
            _past(store, json)
        return
    with (
        reporting_errors(json),
        opening.existing(store, model, dtype, device_map) as editor,
        progress_bars() as bars,
    ):
        from memoir.versions.gate import own_probes
        from memoir.versions.past_checks import checked
        from memoir.versions.suite import read_probes

        asked = read_probes(probes) if probes else own_probes(editor.store)
        report = checked(editor, asked, unrelated=unrelated, anew=anew, progress=bars)
        commits = {each.commit: editor.store.find(each.commit or "").body for each in report.broken}
    if json:
        print_json(report.as_dict())
    else:
        _print(report, commits)
    if not report.passed:
        raise typer.Exit(1)


def _past(store: str, json: bool) -> None:
    with opening.folder(store) as opened:
        found, place = opened.log.checks(), str(opened.folder)
    if json:
        print_json([each.as_dict() for each in found])
    else:
        out.print(_table(found, place))


def _table(found: list[PastCheck], place: str) -> Table:
    table = Table(title=escape(f"{place}: checks, the newest first"), title_justify="left")
    for column in ("time (UTC)", "branch", "commit"):
        table.add_column(column, no_wrap=True)
    for column in ("edits", "held", "questions", "broken", "expired"):
        table.add_column(column, justify="right")
    for each in found:
        table.add_row(
            each.time[:19].replace("T", " "),
            escape(each.branch or ""),
            telling.short(each.commit),
            *map(str, (each.edits, each.held, each.questions, each.broken, each.expired)),
        )
    return table


def _print(report: Report, messages: dict[str | None, Any]) -> None:
    from memoir.store import short

    for each in report.broken:
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
        f"{total - len(report.broken)} of {total} hold; {report.asked} asked, {report.skipped} skipped"
    )
    if report.skipped:
        out.print(f"skipped: {report.why_skipped}", style="dim", soft_wrap=True)
