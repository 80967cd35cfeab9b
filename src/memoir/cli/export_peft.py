"""memoir export-peft"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from memoir.cli import opening
from memoir.cli.output import (
    DEFAULT_STORE,
    JsonOption,
    ModelOption,
    StoreOption,
    err,
    out,
    print_json,
    reporting_errors,
)

EXAMPLES = "Examples:  memoir export-peft adapter  |  memoir export-peft v1-adapter --ref v1"


def run(
    folder: Annotated[Path, typer.Argument(help="Folder of the adapter; a new or empty one.")],
    ref: Annotated[str, typer.Option(help="The branch, tag or commit to export.")] = "HEAD",
    store: StoreOption = DEFAULT_STORE,
    model: ModelOption = None,
    json: JsonOption = False,
) -> None:
    """Write the edits as an adapter for the library PEFT. Needs the model's tokenizer only.

    After import memoir.peft, PeftModel.from_pretrained(model, FOLDER) has them in force.
    """
    with reporting_errors(json), opening.folder(store) as opened:
        with err.status("writing the adapter"):
            from memoir.host.loading import load_tokenizer
            from memoir.store import short
            from memoir.versions.peft_adapter import write

            tokenizer = None if model is None else load_tokenizer(model)
            done = write(opened, folder, ref, tokenizer)
        if json:
            print_json({**asdict(done), "folder": str(done.folder)})
            return
        out.print(
            f"{done.folder} is a PEFT adapter with {done.edits} edits of {short(done.commit)} in it, "
            f"for {done.identity['model']} ({done.identity['dtype']})",
            markup=False,
            soft_wrap=True,
        )
