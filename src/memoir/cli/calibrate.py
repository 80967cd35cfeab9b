"""memoir calibrate"""

from __future__ import annotations

from typing import Annotated

import typer
from rich.table import Table

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
    progress_bars,
    reporting_errors,
)
from memoir.errors import BadInput

EXAMPLES = (
    "Examples:  memoir calibrate --layers 20-28 --ks 219,439  |  memoir calibrate --rate 0.005"
)


def run(
    store: StoreOption = DEFAULT_STORE,
    layers: Annotated[
        str | None,
        typer.Option(help="Candidate layers, e.g. 20-28 or 21,24,27. [default: upper half]"),
    ] = None,
    ks: Annotated[
        str | None,
        typer.Option(help="Candidate numbers of active columns. [default: 1/16 to 1/2 of them]"),
    ] = None,
    rate: Annotated[
        float, typer.Option(help="Share of unrelated prompts that may fire, 0 to 1.")
    ] = 0.01,
    model: ModelOption = None,
    dtype: DtypeOption = "auto",
    device_map: DeviceOption = None,
    json: JsonOption = False,
) -> None:
    """Choose layer, k and threshold by measurement on background prompts.

    Once edits are in force, layer and k are fixed and only the threshold is chosen again.
    """
    with reporting_errors(json):
        candidates = _numbers("layers", layers), _numbers("ks", ks)
        if not 0 <= rate < 1:
            raise BadInput(f"the false-fire rate must lie between 0 and 1, not {rate}.")
        with opening.existing(store, model, dtype, device_map) as editor:
            depth, d_in = len(editor.host.site.blocks), editor.host.site.d_in
            default: tuple[list[int] | None, list[int] | None] = (None, None)
            if not len(editor):
                widths = [d_in // 16, d_in // 8, round(d_in * 4096 / 14336), d_in // 2]
                default = (list(range(depth // 2, depth)), widths)
            with progress_bars() as progress:
                evidence = editor.calibrate(
                    candidates[0] or default[0], candidates[1] or default[1], rate, progress
                )
        if json:
            print_json(evidence)
            return
        out.print(_table(evidence))
        chosen = evidence["chosen"]
        out.print(
            f"chosen: layer {chosen['layer']}, k = {chosen['k']}, "
            f"threshold {chosen['threshold']:.3f} (written to {editor.store.folder})",
            markup=False,
        )


def _numbers(option: str, text: str | None) -> list[int] | None:
    """``"20-22,25"`` → [20, 21, 22, 25]."""
    if text is None:
        return None
    numbers: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdigit() or (dash and not last.isdigit()):
            raise BadInput(
                f"--{option} takes numbers and ranges such as 20-28 or 21,24, not '{text}'."
            )
        span = range(int(first), int(last if dash else first) + 1)
        if not span:
            raise BadInput(f"--{option} takes ranges from low to high, not '{part.strip()}'.")
        numbers += span
    return numbers


def _table(evidence: dict[str, object]) -> Table:
    table = Table(title=f"{evidence['records']} background records, best ten of the candidates")
    for column in (
        "layer",
        "k",
        "threshold",
        "rephrase fires right",
        "unrelated fires",
        "neighbour fires",
    ):
        table.add_column(column, justify="right")
    settings = sorted(evidence["settings"], key=lambda row: -row["recall"])[:10]  # type: ignore[call-overload]
    for row in settings:
        table.add_row(
            str(row["layer"]),
            str(row["k"]),
            f"{row['threshold']:.3f}",
            f"{row['recall']:.1%}",
            f"{row['false_fire']:.1%}",
            f"{row['neighbour_fire']:.1%}",
            style="bold" if row == evidence["chosen"] else None,
        )
    return table
