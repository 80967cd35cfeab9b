"""memoir stats"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from memoir.cli.output import (
    DeviceOption,
    DtypeOption,
    JsonOption,
    ModelOption,
    out,
    print_json,
    progress_bars,
    reporting_errors,
)
from memoir.errors import BadInput

EXAMPLES = "Examples:  memoir stats --corpus texts.txt  |  memoir stats -m ./my-llama --layer 4,5,6"


def run(
    model: ModelOption = None,
    layer: Annotated[
        str | None,
        typer.Option(
            help="Layers, e.g. 5 or 4,5,6. [default: those that rome, memit and alphaedit edit]"
        ),
    ] = None,
    corpus: Annotated[
        Path | None,
        typer.Option(
            help="File of texts, one a line or between blank lines. [default: WikiText in MEMOIR_DATA]"
        ),
    ] = None,
    texts: Annotated[int, typer.Option(min=1, help="Texts that are read, at most.")] = 1000,
    dtype: DtypeOption = "auto",
    device_map: DeviceOption = None,
    json: JsonOption = False,
) -> None:
    """Measure what a model's layers are usually given, once: rome, memit and alphaedit need it.

    Kept in the cache folder. An interrupted measurement goes on where it was.
    """
    with reporting_errors(json):
        given = None if layer is None else _layers(layer)
        with progress_bars() as progress:
            progress("loading the model", 0, 1)
            from memoir import moments
            from memoir.host.loading import load_host
            from memoir.spread import default_layers

            host = load_host(model or "smollm2", None, dtype, device_map)
            progress("loading the model", 1, 1)
            layers = default_layers(host) if given is None else given
            name = None if corpus is None else str(corpus)
            found = moments.measured(host, layers, name, texts, progress)
        if json:
            print_json({"model": host.name, "layers": layers, **found})
            return
        out.print(
            f"layers {', '.join(map(str, layers))} of {host.name}: {found['tokens']:,} tokens of "
            f"{found['texts']} texts ({found['corpus']})",
            markup=False,
            soft_wrap=True,
        )


def _layers(text: str) -> list[int]:
    """``"4,5"`` → [4, 5]."""
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdigit() for part in parts):
        raise BadInput(f"--layer takes layer numbers such as 5 or 4,5,6, not '{text}'.")
    return sorted({int(part) for part in parts})
