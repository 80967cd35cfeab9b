"""Fixtures: the command on a store of a tiny model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import Result
from commands import PRESET, Command, facts_file
from typer.testing import CliRunner

import tiny
from memoir.calibration import Background
from memoir.cli import app
from memoir.methods.memoir import Memoir


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save(tmp_path_factory.mktemp("checkpoint") / "tiny")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "facts"


@pytest.fixture
def memoir(folder: Path, few_background: Background, monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run the command on this test's store, in a wide terminal."""
    monkeypatch.setenv("MEMOIR_STORE", str(folder))
    monkeypatch.setenv("COLUMNS", "400")
    monkeypatch.setitem(Memoir.presets, "default", PRESET)  # type: ignore[arg-type]

    def run(*words: object, code: int = 0) -> Result:
        result = CliRunner().invoke(app, [str(word) for word in words])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == code, result.output
        return result

    return run


@pytest.fixture
def store(memoir: Command, checkpoint: Path) -> Command:
    """The command, with a store made."""
    memoir("init", "--model", checkpoint)
    return memoir


@pytest.fixture
def edited(store: Command, tmp_path: Path) -> tuple[Command, list[str]]:
    """The command, with a store of three facts, and their ids."""
    result = store("edit", "--file", facts_file(tmp_path), "--json")
    return store, [edit["id"] for edit in json.loads(result.stdout)["edits"]]
