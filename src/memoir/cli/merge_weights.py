"""memoir merge-weights"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

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
    reporting_errors,
)

EXAMPLES = "Example:  memoir merge-weights edited-model --store facts"


def run(
    folder: Annotated[Path, typer.Argument(help="Folder of the checkpoint; a new or empty one.")],
    check: Annotated[
        bool,
        typer.Option(help="Load the checkpoint and compare it; takes memory for a second model."),
    ] = True,
    store: StoreOption = DEFAULT_STORE,
    model: ModelOption = None,
    dtype: DtypeOption = "auto",
    device_map: DeviceOption = None,
    json: JsonOption = False,
) -> None:
    """Write the edited model as an ordinary checkpoint that needs no memoir.

    For methods whose edits are a change of weights; the others decide for each prompt anew.
    """
    with (
        reporting_errors(json),
        opening.existing(store, model, dtype, device_map) as editor,
    ):
        from memoir.versions.merge_weights import merge_weights

        done = merge_weights(editor, folder, check)
    if json:
        print_json({**asdict(done), "folder": str(done.folder)})
        return
    out.print(f"{done.folder} is a checkpoint with {done.edits} edits in it", markup=False)
    if not done.asked:
        return
    told = (
        "bit for bit as the edited model"
        if not done.difference
        else f"as the edited model up to rounding: logits differ by {done.difference:.2g} at most"
    )
    out.print(f"on the prompts of {done.asked} edits it answers {told}")
