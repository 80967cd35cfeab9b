"""What the measuring scripts share: their options, numbers in short, and result files."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from memoir.data.registry import named_folder

HERE = Path(__file__).parent
WORK = HERE / ".work"


def parser(about: str, data: bool = True) -> argparse.ArgumentParser:
    """A parser that knows the options of every measuring script.

    Args:
        about: what it measures.
        data: whether it needs public data sets.
    """
    made = argparse.ArgumentParser(
        description=about, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    if data:
        made.add_argument(
            "--data-dir", type=Path, help="folder of public data sets [default: $MEMOIR_DATA]"
        )
    made.add_argument(
        "--out", type=Path, help="folder of the result file [default: benchmarks/results]"
    )
    made.add_argument(
        "--quick", action="store_true", help="a few of everything, to see that it runs; needs --out"
    )
    return made


def parsed(made: argparse.ArgumentParser) -> argparse.Namespace:
    """The command line, with its folders filled in."""
    args = made.parse_args()
    if args.quick and args.out is None:
        made.error("--quick measures nothing of use: name another folder for it with --out")
    if hasattr(args, "data_dir"):
        args.data_dir = named_folder(args.data_dir)
    args.out = args.out or HERE / "results"
    return args


def read(path: Path) -> dict[str, Any]:
    """A result file; nothing if it was not measured yet."""
    found: dict[str, Any] = json.loads(path.read_text("utf-8")) if path.exists() else {}
    return found


def write(path: Path, result: dict[str, Any]) -> None:
    """A result file, replaced as a whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}")
    unfinished.write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    unfinished.replace(path)


def spread(values: Sequence[float]) -> dict[str, float]:
    """Median, least and most."""
    return {
        "median": round(median(values), 3),
        "min": round(min(values), 3),
        "max": round(max(values), 3),
    }
