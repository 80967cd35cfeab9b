"""memoir data"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from memoir.cli.output import JsonOption, out, print_json, reporting_errors
from memoir.errors import BadInput, BadRecord

EXAMPLES = "Examples:  memoir data  |  memoir data --data-dir DIR --set zsre --json"


def run(
    data_dir: Annotated[
        Path | None,
        typer.Option(
            envvar="MEMOIR_DATA", help="Folder of the sets: also check it. For plain, its file."
        ),
    ] = None,
    name: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME", help="Only this set; may be repeated."),
    ] = None,
    skip_bad: Annotated[
        bool, typer.Option("--skip-bad", help="Count malformed records instead of stopping.")
    ] = False,
    json: JsonOption = False,
) -> None:
    """List the data sets, what they measure and where to get them; check a folder of them.

    The check says what is usable, what was left out, and why. A missing file
    is only named; one that cannot be used makes the exit code 1.
    """
    with reporting_errors(json):
        from memoir import data

        sets = {one: data.get(one) for one in name or data.available()}
        checks = [] if data_dir is None else _checks(sets, data_dir, skip_bad, bool(name))
    if json:
        print_json({"sets": _plain(sets), "checks": checks})
    else:
        out.print(_list(sets))
        if data_dir is not None:
            out.print(_table(checks, data_dir))
    if any(check["state"] not in ("usable", "missing") for check in checks):
        raise typer.Exit(1)


def _checks(
    sets: dict[str, ModuleType], folder: Path, skip_bad: bool, chosen: bool
) -> list[dict[str, Any]]:
    from memoir.data import registry

    if not (chosen and folder.is_file()):
        registry.check_folder(folder)
    return [
        _check(name, split, folder, skip_bad)
        for name, module in sets.items()
        for split, file in module.FILES.items()
        if chosen or file
    ]


def _check(name: str, split: str, folder: Path, skip_bad: bool) -> dict[str, Any]:
    from memoir import data

    file = data.get(name).FILES[split]
    named: dict[str, Any] = {"set": name, "split": split, "file": file}
    if file and folder.is_dir() and not (folder / file).exists():
        return {**named, "state": "missing"}
    try:
        loaded = data.load(name, folder, split=split, skip_bad=skip_bad)
    except BadInput as error:
        state = "malformed" if isinstance(error, BadRecord) else "unusable"
        return {**named, "state": state, "error": str(error)}
    return {**named, "state": "usable", **data.summary(loaded)}


def _plain(sets: dict[str, ModuleType]) -> list[dict[str, Any]]:
    stated = ("MEASURES", "SOURCE", "LICENCE", "FILES")
    return [
        {"name": name, **{field.lower(): getattr(module, field) for field in stated}}
        for name, module in sets.items()
    ]


def _list(sets: dict[str, ModuleType]) -> Table:
    table = Table.grid(padding=(0, 2), pad_edge=False)
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for name, module in sets.items():
        files = [f"{file or 'any file'} ({split})" for split, file in module.FILES.items()]
        table.add_row(f"[bold]{name}[/]", escape(module.MEASURES))
        table.add_row("  from", escape(module.SOURCE))
        table.add_row("  licence", escape(module.LICENCE))
        table.add_row("  files", escape("\n".join(files)))
        table.add_row()
    return table


def _table(checks: list[dict[str, Any]], folder: Path) -> Table:
    table = Table(title=escape(f"{folder}"), title_justify="left", box=SIMPLE_HEAD, pad_edge=False)
    table.add_column("set", no_wrap=True)
    for column in ("read", "kept"):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("probes, and what was left out", overflow="fold")
    for check in checks:
        counts = [f"{check[one]:,}" if one in check else "–" for one in ("read", "kept")]
        table.add_row(f"{check['set']} {check['split']}", *counts, _findings(check))
    return table


def _findings(check: dict[str, Any]) -> str:
    if check["state"] == "missing":
        return f"[yellow]missing:[/] {escape(check['file'])}"
    if check["state"] != "usable":
        return f"[red]{check['state']}:[/] {escape(check['error'])}"
    probes = ", ".join(f"{count:,} {kind}" for kind, count in check["probes"].items())
    return "\n".join([probes or "–", *map(_left_out, check["dropped"])])


def _left_out(group: dict[str, Any]) -> str:
    unit = group["where"][0].split()[0]
    places = ", ".join(place.split()[1] for place in group["where"][:3])
    more = ", …" if group["count"] > 3 else ""
    text = f"{group['count']:,} × {group['what']}: {group['why']} ({unit} {places}{more})"
    return f"[yellow]left out[/] {escape(text)}"
