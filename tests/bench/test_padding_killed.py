"""A run that is killed while it is padded goes on: nothing is made twice, nothing is lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from plans import METHOD, data_folder, plan_file, without_times

import tiny
from memoir.bench.journal import read_rows
from memoir.store import Store, taught

PADDING = """
padding = { name = "zsre", split = "train", count = 8, settings = { max_steps = 2 } }
"""
RUN = "plan-zsre-padded8-memoir-default-seed0"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("killed")
    tiny.save(made / "model")
    data_folder(made / "data", n=4)
    walls = [
        {"src": f"Who built Wall {i}?", "alt": f"Bo {i}", "rephrase": f"{i} by", "loc": f"{i}?"}
        for i in range(12)
    ]
    (made / "data" / "zsre" / "zsre_mend_train-1k.json").write_text(json.dumps(walls), "utf-8")
    head = f'model = "{made / "model"}"\ncheckpoints = [1, 4]'
    path = plan_file(made / "plan.toml", METHOD, head, "[metrics.teacher_forcing]")
    path.write_text(path.read_text("utf-8").replace('"zsre"\n', f'"zsre"{PADDING}', 1), "utf-8")
    return made


def start(folder: Path, out: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "memoir", "bench", "run", str(folder / "plan.toml")]
    command += ["--out", str(folder / out), "--data-dir", str(folder / "data")]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, env={**os.environ, "OMP_NUM_THREADS": "1"}, **quiet)


def finish(folder: Path, out: str) -> None:
    process = start(folder, out)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors.decode()


def made(folder: Path, out: str) -> int:
    """Edits whose tensors are in the store."""
    return len(list((folder / out / f"{RUN}.store" / "tensors").glob("*.safetensors")))


def taught_in(folder: Path, out: str) -> list[str]:
    store = Store(folder / out / f"{RUN}.store")
    found = [taught(row).prompt for row in store.live()]
    store.close()
    return found


@pytest.mark.slow
def test_killed_at_any_moment_it_ends_like_a_run_that_was_not(folder: Path) -> None:
    finish(folder, "whole")
    ended = []
    for files in (2, 4, 7, 9, 10, 12):  # one of them holds the settings
        process = start(folder, "killed")
        while process.poll() is None:
            if made(folder, "killed") >= files:
                os.kill(process.pid, signal.SIGKILL)
                break
            time.sleep(0.002)
        process.communicate()
        ended.append(process.returncode)
    assert ended.count(-signal.SIGKILL) >= 4, "else nothing was tested"
    finish(folder, "killed")
    whole, killed = (read_rows(folder / out / f"{RUN}.jsonl") for out in ("whole", "killed"))
    assert without_times(killed) == without_times(whole)
    expected = [f"Who built Wall {i}?" for i in range(8)]
    expected += [f"Who built Fort {i}?" for i in range(4)]
    assert taught_in(folder, "whole") == taught_in(folder, "killed") == expected
