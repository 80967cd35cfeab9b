"""A real local Ray cluster of two workers gives the rows of a local run, also when one is killed."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from plans import METHOD, data_folder, plan_file, without_times

import tiny
from memoir.bench.grid import run_plan
from memoir.bench.journal import read_rows
from memoir.bench.plan import Plan, read_plan
from memoir.errors import BadInput

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("default")]


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    ray = pytest.importorskip("ray", reason="Ray is an extra: pip install 'memoir-edit[ray]'")
    ray.init(num_cpus=2, num_gpus=0, include_dashboard=False, log_to_driver=False)
    yield ray
    ray.shutdown()


@pytest.fixture(scope="module")
def plan(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    folder = tmp_path_factory.mktemp("ray")
    tiny.save(folder / "model")
    data_folder(folder / "data", n=9)
    head = f'model = "{folder / "model"}"\ncheckpoints = [2, 9]\nseeds = [0, 1]'
    method = METHOD + '[[method]]\nname = "none"\n'
    return read_plan(plan_file(folder / "plan.toml", method, head))


@pytest.fixture(scope="module")
def data_dir(plan: Plan) -> Path:
    return Path(plan.model).parent / "data"


@pytest.fixture(scope="module")
def local(plan: Plan, data_dir: Path) -> list[list[dict[str, Any]]]:
    return rows(run_plan(plan, data_dir.parent / "local", data_dir))


def rows(runs: list[Path]) -> list[list[dict[str, Any]]]:
    kept = [[row for row in read_rows(path) if row["kind"] != "resumed"] for path in runs]
    for run in kept:
        run[0].pop("machine")  # a worker has its own share of the threads
    return [without_times(run) for run in kept]


def test_two_workers_give_the_rows_of_a_local_run(
    cluster: Any, plan: Plan, data_dir: Path, local: list[Any]
) -> None:
    done: list[tuple[str, int, int]] = []
    runs = run_plan(
        plan, data_dir.parent / "ray", data_dir, "ray", lambda *given: done.append(given)
    )
    assert rows(runs) == local
    assert done[-1] == ("runs", 4, 4)


def test_a_killed_worker_is_retried_and_nothing_is_counted_twice(
    cluster: Any, plan: Plan, data_dir: Path, local: list[Any]
) -> None:
    out = data_dir.parent / "killed"
    killed: list[int] = []
    stop = threading.Event()

    def kill_one() -> None:
        """The worker of the first run, once it has made some edits."""
        while not stop.is_set() and not killed:
            begun = list(out.glob("*.jsonl"))
            if any(path.read_bytes().count(b'"kind": "edit"') >= 4 for path in begun):
                victim = workers_at_work()[0]
                os.kill(victim, signal.SIGKILL)
                killed.append(victim)
            time.sleep(0.01)

    killer = threading.Thread(target=kill_one)
    killer.start()
    runs = run_plan(plan, out, data_dir, "ray")
    stop.set()
    killer.join()
    assert killed, "no worker was killed, so nothing was tested"
    assert rows(runs) == local


def test_a_failing_cell_says_why(cluster: Any, plan: Plan, data_dir: Path, tmp_path: Path) -> None:
    greedy = plan.model_copy(update={"checkpoints": (50,)})
    with pytest.raises(BadInput, match="holds 9 usable records, but the plan asks for 50 edits"):
        run_plan(greedy, tmp_path, data_dir, "ray")


def workers_at_work() -> list[int]:
    """Process ids of this cluster's workers that are running a cell."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            name = (entry / "cmdline").read_bytes()
            parent = int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1])
            grandparent = int(Path(f"/proc/{parent}/stat").read_text().rsplit(")", 1)[1].split()[1])
        except (OSError, IndexError, ValueError):
            continue
        if name.startswith(b"ray::Worker.run") and grandparent == os.getpid():
            found.append(int(entry.name))
    return found
