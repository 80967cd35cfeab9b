"""memoir conflicts"""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from memoir.cli import opening, telling
from memoir.cli.output import (
    DEFAULT_STORE,
    AtOption,
    DeviceOption,
    DtypeOption,
    JsonOption,
    ModelOption,
    StoreOption,
    print_json,
    progress_bars,
    reporting_errors,
)

if TYPE_CHECKING:
    from memoir.versions.conflicting import Contradiction

EXAMPLES = "Examples:  memoir conflicts  |  memoir conflicts --at trial --json"


def run(
    at: AtOption = None,
    store: StoreOption = DEFAULT_STORE,
    model: ModelOption = None,
    dtype: DtypeOption = "auto",
    device_map: DeviceOption = None,
    json: JsonOption = False,
) -> None:
    """List edits in force that contradict one another: one answers what the other was taught for.

    Also those that were made in spite of objections, as long as both sides are in force.
    """
    with (
        reporting_errors(json),
        opening.existing(store, model, dtype, device_map, at) as editor,
        progress_bars() as bars,
    ):
        from memoir.versions.conflicting import contradictions

        found, edits = contradictions(editor, bars), len(editor)
    if json:
        print_json([each.as_dict() for each in found])
        return
    for each in found:
        typer.echo(_told(each))
    typer.echo(f"conflicts among {edits:,} edits in force: {len(found):,}")
    if found:
        typer.echo(f"take one side back: memoir revert {telling.short(found[0].older.id)}")


def _told(found: Contradiction) -> str:
    """Both edits, and why they are taken to be about the same, in a few lines."""
    lines = [f"{telling.short(row.id)}  {telling.fact(row)}" for row in (found.older, found.newer)]
    if found.match is not None:
        other = found.newer if found.fires == found.older.id else found.older
        score, threshold = found.match.score, found.match.threshold
        fires = f"{telling.short(found.fires or '')} fires on what {telling.short(other.id)}"
        lines.append(f"    {fires} was taught for: score {score:.3f} ≥ {threshold:.3f}")
    elif found.fires is not None:
        lines.append("    both were taught for the same prompt")
    if found.forced is not None:
        lines.append(f"    made in spite of: {telling.one_line(found.forced)}")
    return "\n".join([*lines, ""])
