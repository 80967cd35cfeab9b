"""memoir fsck"""

from __future__ import annotations

from dataclasses import asdict

import typer
from rich.markup import escape

from memoir.cli import opening
from memoir.cli.output import (
    DEFAULT_STORE,
    JsonOption,
    StoreOption,
    out,
    print_json,
    progress_bars,
    reporting_errors,
)

EXAMPLES = "Example:  memoir fsck --json"
STYLES = {"error": "red", "notice": "yellow"}


def run(
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> None:
    """Check that the store is what was written: its log, its names, and every tensor file.

    Changes nothing and needs no model. Ends with exit code 1 if something that is needed is damaged.
    """
    with reporting_errors(json), progress_bars() as progress:
        from memoir.versions import fsck

        with opening.folder(store) as opened:
            found = fsck.check(opened, progress)
    errors = sum(finding.severity == "error" for finding in found)
    if json:
        print_json({"errors": errors, "findings": [asdict(finding) for finding in found]})
    else:
        for finding in found:
            style = STYLES[finding.severity]
            text = escape(f"{finding.what} {finding.remedy}")
            out.print(f"[{style}]{finding.severity}:[/] {text}", soft_wrap=True)
        out.print(f"{opened.folder}: {errors} errors, {len(found) - errors} notices", markup=False)
    if errors:
        raise typer.Exit(1)
