"""Cost on the default model, every ratio measured side by side in one run.

    MEMOIR_DATA=… python benchmarks/speed.py [--only PART …]

editing   seconds per edit: the default preset with 32, 16 and one edit side by side; the faithful one
          as memoir runs it; and the same settings in a plain loop, as the authors do it, to which all
          others are compared. They take turns.
decoding  tokens per second with nothing, 1,000 and 10,000 edits stored, on prompts that fire an edit
          and on prompts that fire none, as a ratio to the unedited model in the same turn.
routing   milliseconds per prompt with 1,000 to 100,000 edits, beside forward passes over the same
          prompt; bytes per edit in memory and on disk; seconds to open a store.

A part is written to the result file as soon as it is measured, with its own circumstances. The fitted
edits that thousands are copies of are kept in benchmarks/.work.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from common import WORK, parsed, parser, read, write
from crowd import Fitted, edits_of, fitted
from memoir.bench.header import circumstances
from memoir.cli.output import progress_bars
from memoir.methods.memoir import FAITHFUL
from memoir.types import Progress
from speed_decoding import decoding
from speed_editing import PLAIN, editing
from speed_routing import routing


@dataclass(frozen=True)
class Counts:
    """How much is measured.

    Attributes:
        default, faithful, plain: edits made by the variants of these names.
        faithful_steps: at most, of the latter two.
        edit_turns: in which they are made; it divides all three.
        real: fitted edits that the thousands are copies of.
        stored: numbers of edits while decoding.
        turns, new_tokens: of decoding.
        filed: numbers of edits while routing.
        prompts: routed of each kind and in each setting.
        passes: forward passes beside them.
        opened: edits of the store that is opened.
    """

    default: int = 64
    faithful: int = 8
    plain: int = 4
    faithful_steps: int = FAITHFUL.max_steps
    edit_turns: int = 2
    real: int = 64
    stored: tuple[int, ...] = (0, 1_000, 10_000)
    turns: int = 9
    new_tokens: int = 64
    filed: tuple[int, ...] = (1_000, 10_000, 100_000)
    prompts: int = 100
    passes: int = 10
    opened: int = 1_000


QUICK = Counts(
    default=2,
    faithful=1,
    plain=1,
    faithful_steps=2,
    edit_turns=1,
    real=2,
    stored=(0, 100),
    turns=2,
    new_tokens=8,
    filed=(100, 1_000),
    prompts=4,
    passes=2,
    opened=20,
)

PARTS = ("editing", "decoding", "routing")


def measured(part: str, counts: Counts, folder: Path, progress: Progress) -> dict[str, Any]:
    """The numbers of one part."""
    torch.manual_seed(0)
    start = time.perf_counter()
    edits = edits_of("zsre", folder)
    if part == "editing":
        made = {"default": counts.default, "faithful": counts.faithful, PLAIN: counts.plain}
        numbers = editing(edits, made, counts.faithful_steps, counts.edit_turns, progress)
    else:
        real: list[Fitted] = fitted(edits[: counts.real], WORK, progress)
        if part == "decoding":
            numbers = decoding(real, counts.stored, counts.turns, counts.new_tokens, progress)
        else:
            numbers = routing(
                real, counts.filed, counts.prompts, counts.passes, counts.opened, progress
            )
    return {**circumstances(), "seconds": round(time.perf_counter() - start), **numbers}


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--only", nargs="+", choices=PARTS, default=PARTS, help="parts to measure")
    args = parsed(options)
    path = args.out / "speed.json"
    result = {"method": "memoir", "model": "smollm2", "parts": read(path).get("parts", {})}
    with progress_bars() as progress:
        for part in args.only:
            counts = QUICK if args.quick else Counts()
            result["parts"][part] = measured(part, counts, args.data_dir, progress)
            write(path, result)
    print(f"wrote {path}")


if __name__ == "__main__":
    main()
