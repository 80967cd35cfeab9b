"""A run that is killed goes on where it was: nothing is repeated, nothing is lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from plans import METHOD, data_folder, plan_file, without_times

import tiny


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("resume")
    tiny.save(made / "model")
    data_folder(made / "data", n=9)
    head = f'model = "{made / "model"}"\ncheckpoints = [1, 9]\nimmediate = ["teacher_forcing"]'
    plan_file(made / "plan.toml", METHOD, head)
    return made


def start(folder: Path, out: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "memoir", "bench", "run", str(folder / "plan.toml")]
    command += ["--out", str(folder / out), "--data-dir", str(folder / "data")]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, **quiet)


def run_file(folder: Path, out: str) -> Path:
    return folder / out / "plan-zsre-memoir-default-seed0.jsonl"


def finish(folder: Path, out: str) -> list[dict[str, Any]]:
    process = start(folder, out)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors.decode()
    return [json.loads(line) for line in run_file(folder, out).read_text("utf-8").splitlines()]


@pytest.mark.slow
def test_killed_at_any_moment_it_ends_with_the_rows_of_a_run_that_was_not(folder: Path) -> None:
    whole = without_times(finish(folder, "whole"))
    for rows_before_the_kill in (1, 3, 6, 11, 17, 20):
        path = run_file(folder, "killed")
        process = start(folder, "killed")
        while process.poll() is None:
            if path.exists() and path.read_bytes().count(b"\n") >= rows_before_the_kill:
                os.kill(process.pid, signal.SIGKILL)
                break
            time.sleep(0.005)
        process.communicate()
    killed = without_times(finish(folder, "killed"))
    assert killed == whole


@pytest.mark.slow
def test_a_finished_run_is_left_as_it_is(folder: Path) -> None:
    finish(folder, "again")
    before = run_file(folder, "again").read_bytes()
    finish(folder, "again")
    assert run_file(folder, "again").read_bytes() == before


@pytest.mark.slow
def test_an_edit_that_was_stored_but_not_noted_is_noted(folder: Path) -> None:
    """Killed between the store and the run file."""
    whole = finish(folder, "noted")
    path = run_file(folder, "noted")
    lines = path.read_text("utf-8").splitlines(keepends=True)
    first = next(i for i, line in enumerate(lines) if '"kind": "edit", "index": 8' in line)
    path.write_text("".join(lines[:first]) + lines[first][:20], "utf-8")
    again = finish(folder, "noted")
    assert without_times(again) == without_times(whole)
