"""The wheel holds all that is installed, and nothing else of the repository."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    words = ("-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", str(ROOT))
    made = subprocess.run(
        [sys.executable, *words, "--wheel-dir", str(folder)], capture_output=True, text=True
    )
    assert made.returncode == 0, made.stderr
    (path,) = folder.iterdir()
    return zipfile.ZipFile(path)


def test_every_file_of_the_package_is_in_it(wheel: zipfile.ZipFile) -> None:
    files = {
        path.relative_to(SOURCE).as_posix()
        for path in (SOURCE / "memoir").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    there = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert there == files
    assert any(name.startswith("memoir/server/page/assets/") for name in there)


def test_what_is_installed_serves_its_page(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    wheel.extractall(tmp_path)
    script = (
        "from fastapi import FastAPI; from fastapi.testclient import TestClient; "
        "from memoir.server.page_files import FOLDER, mount; app = FastAPI(); mount(app); "
        "print(FOLDER); print(TestClient(app).get('/').status_code)"
    )
    said = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        cwd=tmp_path,
    )
    assert said.returncode == 0, said.stderr
    assert said.stdout.split() == [str(tmp_path / "memoir" / "server" / "page"), "200"]


def test_it_says_what_serving_needs(wheel: zipfile.ZipFile) -> None:
    (metadata,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    needs = wheel.read(metadata).decode()
    # Older ones have no AppStatus.disable_automatic_graceful_drain, which a draining server calls.
    assert "Requires-Dist: sse-starlette>=3.2; extra == 'serve'" in needs
