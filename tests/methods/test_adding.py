"""Adding a method is adding one file: in the folder, or in another package with an entry point."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import memoir
import tiny

pytestmark = pytest.mark.slow

TESTS = Path(__file__).parent
METHOD = '''"""A method of one's own."""

from dataclasses import dataclass
from typing import ClassVar

from memoir.methods.ft import FineTuning, FineTuningConfig


@dataclass(frozen=True)
class MineConfig(FineTuningConfig):
    __doc__ = FineTuningConfig.__doc__

    lr: float = 0.02
    max_steps: int = 100


class Mine(FineTuning):
    """Fine-tuning in a hurry."""

    Config: ClassVar[type] = MineConfig
    presets: ClassVar[dict[str, MineConfig]] = {"default": MineConfig()}
    paper: ClassVar[str] = "Mine, on my own"
'''
ENTRY_POINT = """[memoir.methods]
mine = my_package.my_method:Mine
"""
PLAN = """
model = "{model}"
checkpoints = [2]
[[data]]
name = "plain"
file = "{records}"
[[method]]
name = "mine"
[metrics.teacher_forcing]
"""
RECORDS = [
    {"prompt": "The code of the door is", "target": "xyz"},
    {"prompt": "Who keeps the bees?", "target": "Ada"},
]


def dropped(site: Path) -> None:
    """A copy of the package with one more file in its folder of methods."""
    shutil.copytree(Path(memoir.__file__).parent, site / "memoir")
    (site / "memoir" / "methods" / "mine.py").write_text(METHOD, "utf-8")


def packaged(site: Path) -> None:
    """Another package, as pip would install it."""
    (site / "my_package").mkdir(parents=True)
    (site / "my_package" / "__init__.py").touch()
    (site / "my_package" / "my_method.py").write_text(METHOD, "utf-8")
    about = site / "my_package-1.0.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: my-package\nVersion: 1.0\n")
    (about / "entry_points.txt").write_text(ENTRY_POINT)


@pytest.mark.parametrize("added", [dropped, packaged])
def test_it_is_seen_by_the_command_line_the_bench_and_the_contract(
    added: object, tmp_path: Path
) -> None:
    site = tmp_path / "site"
    dropped(site) if added is dropped else packaged(site)

    listed = python(site, "-m", "memoir", "methods", "--json")
    (mine,) = [each for each in json.loads(listed)["methods"] if each["name"] == "mine"]
    assert mine["paper"] == "Mine, on my own"

    model = tiny.save(tmp_path / "model")
    records = tmp_path / "records.jsonl"
    records.write_text("".join(json.dumps(record) + "\n" for record in RECORDS), "utf-8")
    plan = tmp_path / "plan.toml"
    plan.write_text(PLAN.format(model=model, records=records), "utf-8")
    ran = python(site, "-m", "memoir", "bench", "run", plan, "--out", tmp_path / "runs", "--json")
    (result,) = json.loads(ran)
    assert (result["method"], result["edits"]["made"]) == ("mine", 2)
    assert result["metrics"]["reliability_tf"]["value"] == 1.0

    contract = TESTS / "test_contract.py"
    python(site, "-m", "pytest", contract, "-k", "mine", "-p", "no:cacheprovider")


def python(site: Path, *words: object) -> str:
    """What Python prints when it finds a folder's packages before all others."""
    path = os.pathsep.join([str(site), str(TESTS.parent)])
    done = subprocess.run(
        [sys.executable, *map(str, words)],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
