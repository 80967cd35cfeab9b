"""What the repository says it measured: plans that can be run, results that follow the schema, and
tables made from nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from memoir.bench.journal import SAME_SCORES
from memoir.bench.plan import cells, read_plan

ROOT = Path(__file__).parent.parent
PLANS = sorted((ROOT / "benchmarks").glob("*.toml"))
RESULTS = sorted(path for path in (ROOT / "benchmarks" / "results").glob("*-n*.json"))


def test_the_page_matches_the_result_files() -> None:
    command = [sys.executable, str(ROOT / "benchmarks" / "tables.py"), "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", PLANS, ids=lambda path: path.stem)
def test_every_plan_can_be_run(path: Path) -> None:
    assert cells(read_plan(path))


@pytest.mark.parametrize("path", RESULTS, ids=lambda path: path.stem)
def test_every_result_follows_the_schema(path: Path) -> None:
    result: dict[str, Any] = json.loads(path.read_text("utf-8"))
    assert result["protocol"] in SAME_SCORES
    assert path.stem == f"{result['run']}-n{result['n']:05d}"
    for name in ("method", "preset", "model", "dataset", "seed", "machine", "versions", "commit"):
        assert result[name] not in (None, "", {}), name
    assert result["settings"]
    assert result["metrics"]
    for name, metric in result["metrics"].items():
        low, high = metric["ci95"]
        assert low <= metric["value"] <= high, name
        assert metric["n"] >= 1, name
