"""memoir methods"""

from __future__ import annotations

import inspect
import re
import sys
from dataclasses import asdict, fields
from typing import Annotated, Any

import typer
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from memoir.cli.output import JsonOption, out, print_json, reporting_errors

EXAMPLES = (
    "Examples:  memoir methods  |  memoir methods wise  |  memoir init --method ft --preset ft-l"
)

COLUMNS = ("method, paper, presets", "needs", "at once", "undo", "others", "kept of an edit")
LEGEND = (
    "at once: how edits given together are made. undo: exact, or replay, by adding up what the others "
    "changed; either way as if never taught. others: whether prompts that no edit is about keep every "
    "bit. memoir methods NAME tells more."
)


def run(
    name: Annotated[str | None, typer.Argument(help="One method, with its settings.")] = None,
    json: JsonOption = False,
) -> None:
    """List the editing methods: where each is from, what it needs, what it promises, its settings."""
    with reporting_errors(json):
        from memoir import methods

        found = {each: methods.get(each) for each in ([name] if name else methods.available())}
    if json:
        print_json({"methods": [_plain(each, method) for each, method in found.items()]})
    elif name:
        _tell(found[name])
    else:
        _list(found)


def _list(found: dict[str, Any]) -> None:
    table = _table(COLUMNS)
    for column in table.columns[1:-1]:
        column.no_wrap = True
    table.columns[0].max_width, table.columns[-1].max_width = 38, 34
    for name, method in found.items():
        presets = ", ".join(preset for preset in method.presets if preset != "default")
        about = escape(method.paper) + (f"; {presets}" if presets else "")
        table.add_row(
            f"[bold]{name}[/]\n[dim]{about}[/]",
            "\n".join(method.needs),
            method.batch,
            method.undo,
            "keep" if method.spares_others else "change",
            method.storage,
        )
    out.print(table)
    out.print(LEGEND)


def _tell(method: Any) -> None:
    """What its file says of it, and its settings in every preset."""
    out.print(_readable(sys.modules[method.__module__].__doc__), markup=False)
    meanings, presets = _meanings(method), _settings(method)
    table = _table(("setting", *presets, "meaning"))
    for setting, meaning in meanings.items():
        values = [escape(str(each[setting])) for each in presets.values()]
        table.add_row(f"[bold]{setting}[/]", *values, escape(meaning))
    out.print(table)


def _table(columns: tuple[str, ...]) -> Table:
    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table


def _settings(method: Any) -> dict[str, dict[str, Any]]:
    """Every preset's."""
    return {preset: asdict(config) for preset, config in method.presets.items()}


def _meanings(method: Any) -> dict[str, str]:
    """What each setting means, as the config's docstring says."""
    lines = _readable(method.Config.__doc__).splitlines()
    found: dict[str, str] = {}
    current = None
    for line in lines:
        begins = re.match(r" {4}(\w+(?:, \w+)*): (.*)", line)
        if begins:
            current = begins[1].split(", ")
            found |= dict.fromkeys(current, begins[2])
        elif current and line.startswith(" " * 8):
            found |= {each: f"{found[each]} {line.strip()}" for each in current}
        else:
            current = None
    return {field.name: found.get(field.name, "") for field in fields(method.Config)}


def _readable(docstring: str | None) -> str:
    """A docstring without what is there for programs only."""
    return re.sub(r":\w+:`~?([^`]+)`|``", r"\1", inspect.cleandoc(docstring or ""))


def _plain(name: str, method: Any) -> dict[str, Any]:
    return {
        "name": name,
        "presets": _settings(method),
        "settings": _meanings(method),
        "needs": list(method.needs),
        "batch": method.batch,
        "storage": method.storage,
        "undo": method.undo,
        "spares_others": method.spares_others,
        "paper": method.paper,
    }
