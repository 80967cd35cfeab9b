"""memoir export"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from memoir.cli import opening
from memoir.cli.output import (
    DEFAULT_STORE,
    JsonOption,
    StoreOption,
    out,
    print_json,
    reporting_errors,
)

EXAMPLES = "Examples:  memoir export facts.memoir  |  memoir export v1.memoir --ref v1"


def run(
    file: Annotated[Path, typer.Argument(help="The file to write; a new one.")],
    ref: Annotated[str, typer.Option(help="The branch, tag or commit to export.")] = "HEAD",
    store: StoreOption = DEFAULT_STORE,
    json: JsonOption = False,
) -> None:
    """Write everything a branch, tag or commit leads to into one file. Needs no model.

    memoir import takes it in elsewhere: the same edits by the same ids, bit for bit.
    """
    with reporting_errors(json):
        from memoir.store import short
        from memoir.versions.bundle import export

        with opening.folder(store) as opened:
            done = export(opened, file, ref)
    size = file.stat().st_size
    if json:
        print_json({"file": str(file), "bytes": size, **asdict(done)})
        return
    out.print(
        f"{file} holds '{done.branch}' at {short(done.tip)}: {done.rows} rows, {done.files} tensor "
        f"files ({size / 1000:.1f} KB), for {done.identity['model']} ({done.identity['dtype']})",
        markup=False,
        soft_wrap=True,
    )
