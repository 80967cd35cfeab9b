"""The house stays in order: imports point downwards, and importing memoir is cheap."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import memoir

ROOT = Path(memoir.__file__).parent
FLOORS = {
    "errors": 0,
    "types": 0,
    "cache": 0,
    "dates": 1,
    "core": 1,
    "host": 1,
    "surroundings": 1,
    "routing": 2,
    "lesson": 2,
    "calibration": 2,
    "moments": 2,
    "values": 2,
    "spread": 2,
    "side_memories": 3,
    "adapting": 2,
    "methods": 3,
    "residual": 3,
    "store": 3,
    "data": 2,
    "metrics": 3,
    "fold": 4,
    "committing": 4,
    "editor": 4,
    "peft": 5,
    "versions": 5,
    "demo": 5,
    "bench": 5,
    "server": 6,
    "cli": 7,
    "__init__": 6,
    "__main__": 8,
}
NEVER_TOGETHER = {
    **{"core": "host", "host": "core"},
    **{"store": "methods", "methods": "store"},
    **{"routing": "lesson", "lesson": "routing"},
}


def room(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imported_rooms(path: Path) -> set[str]:
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        for name in names:
            package, _, rest = name.partition(".")
            if package == "memoir" and rest:
                rooms.add(rest.split(".")[0])
    return rooms & FLOORS.keys()


def test_files_import_only_from_their_own_room_or_a_lower_floor() -> None:
    for path in ROOT.rglob("*.py"):
        mine = room(path)
        assert mine in FLOORS, f"{path} is in no room; give it a floor here"
        for other in imported_rooms(path) - {mine}:
            assert FLOORS[other] <= FLOORS[mine], f"{path} imports upwards from {other}"
            assert NEVER_TOGETHER.get(mine) != other, f"{path} must not know of {other}"


def test_the_paper_is_readable_alone() -> None:
    """core knows tensors only: no Hugging Face, no files, no clocks."""
    for path in (ROOT / "core").glob("*.py"):
        source = path.read_text("utf-8")
        for word in ("import transformers", "from transformers", "import time", "pathlib", "open("):
            assert word not in source, f"{path} has '{word}'"


def test_importing_memoir_and_its_command_loads_no_torch() -> None:
    code = "import memoir, memoir.cli, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
