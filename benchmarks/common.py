"""What the benchmark scripts share: where data is, what machine this is, how results are written."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import torch

PROTOCOL = 1
RESULTS = Path(__file__).parent / "results"


def data_folder() -> Path:
    """The folder with the official files, from the environment variable MEMOIR_DATA."""
    given = os.environ.get("MEMOIR_DATA")
    if not given or not Path(given).is_dir():
        sys.exit(
            "Set MEMOIR_DATA to a folder that holds zsre/zsre_mend_edit.json "
            "(the ZsRE file of the EasyEdit data collection)."
        )
    return Path(given)


def circumstances() -> dict[str, Any]:
    """Machine, versions and commit that a result belongs to."""
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    return {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, {torch.get_num_threads()} threads",
        "versions": {name: version(name) for name in ("torch", "transformers", "memoir-edit")},
        "commit": commit,
        "date": date.today().isoformat(),
    }


def summarised(values: list[float], seed: int = 0) -> dict[str, Any]:
    """Mean with n and a bootstrap 95 % interval over records."""
    array = np.asarray(values, dtype=float)
    draws = np.random.default_rng(seed).integers(0, len(array), (2000, len(array)))
    low, high = np.percentile(array[draws].mean(axis=1), [2.5, 97.5])
    return {
        "value": round(float(array.mean()), 4),
        "n": len(array),
        "ci95": [round(float(low), 4), round(float(high), 4)],
    }


def write(name: str, result: dict[str, Any]) -> None:
    """One result file."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", "utf-8")
    print(f"wrote {path}")
