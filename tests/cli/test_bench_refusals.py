"""``memoir bench run`` refuses what cannot be run, with the reason, and leaves things as they are."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from test_bench import RUN, again, memoir, write_data, write_plan

import tiny
from memoir.methods import available


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory, model: Path) -> Path:
    """A folder in which a plan was run, without editing anything."""
    folder = tmp_path_factory.mktemp("finished")
    write_plan(folder, model, "none", "{}")
    write_data(folder / "data")
    again(folder)
    return folder


@pytest.fixture
def folder(finished: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(finished, tmp_path / "copy"))


def test_an_unknown_method_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    plan = write_plan(tmp_path, tmp_path / "model", method="memior")
    result = memoir("run", plan, "--out", tmp_path / "runs", code=1)
    assert (
        f"error: no method 'memior'. Did you mean 'memoir'? Available: {', '.join(available())}."
        in (result.stderr)
    )
    assert result.stdout == ""
    assert not (tmp_path / "runs").exists()


def test_without_a_data_folder_it_says_how_to_name_one(tmp_path: Path) -> None:
    plan = write_plan(tmp_path, tmp_path / "model")
    result = memoir("run", plan, "--out", tmp_path / "runs", code=1)
    assert "no folder of data sets was named; give one (--data-dir FOLDER)" in result.stderr
    gone = memoir("run", plan, "--data-dir", tmp_path / "gone", code=1)
    assert f"{tmp_path / 'gone'} does not exist; give the folder" in gone.stderr


def test_an_unknown_executor_is_refused(tmp_path: Path) -> None:
    plan = write_plan(tmp_path, tmp_path / "model")
    result = memoir("run", plan, "--executor", "rai", code=1)
    assert "no executor 'rai'. Did you mean 'ray'? Available: local, ray." in result.stderr


def test_a_malformed_record_is_named_or_skipped_and_counted(model: Path, tmp_path: Path) -> None:
    plan = write_plan(tmp_path, model, "none", "{}")
    write_data(tmp_path / "data", {}, {"alt": 7})
    error = json.loads(again(tmp_path, "--json", code=1).stdout)["error"]
    path = tmp_path / "data/zsre/zsre_mend_edit.json"
    wrong = "field 'alt' must be a non-empty text, not 7"
    assert error == {"type": "BadRecord", "message": f"{path}, record 1: {wrong}."}
    assert not list(tmp_path.glob("runs/*"))

    results = json.loads(again(tmp_path, "--skip-bad", "--json").stdout)
    assert plan.is_file()
    for result in results:
        assert result["data"]["records"] == 8
        assert result["data"]["dropped"] == {f"record: malformed: {wrong}": 1}
        assert "fires_edit" not in result["metrics"]  # nothing routes


def test_a_run_whose_store_was_lost_is_refused(folder: Path) -> None:
    path, store = folder / "runs" / f"{RUN}.jsonl", folder / "runs" / f"{RUN}.store"
    before = path.read_bytes()
    shutil.rmtree(store)
    error = json.loads(again(folder, "--json", code=1).stdout)["error"]
    assert error == {
        "type": "RunDamaged",
        "message": f"the store {store} lacks edits that {path} says were made. Restore both from "
        "one copy, or remove both to begin again.",
    }
    assert path.read_bytes() == before


def test_a_store_of_other_records_is_refused(folder: Path) -> None:
    path, store = folder / "runs" / f"{RUN}.jsonl", folder / "runs" / f"{RUN}.store"
    path.unlink()
    shutil.rmtree(folder / "data")
    write_data(folder / "data", {"alt": "Another"})
    error = json.loads(again(folder, "--json", code=1).stdout)["error"]
    assert error == {
        "type": "RunDamaged",
        "message": f"the store {store} holds an edit that is not among the coming records of "
        f"{path}: 'Who leads S0?' → 'T0'. Restore both from one copy, or remove both to begin "
        "again.",
    }
    assert path.read_bytes().count(b"\n") == 1


def test_a_run_whose_file_was_lost_is_made_again_from_its_store(folder: Path) -> None:
    path = folder / "runs" / f"{RUN}.jsonl"
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    path.unlink()
    again(folder)
    after = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    for wanted in ("edit", "record"):
        kept = [{**row, "seconds": None} for row in rows if row["kind"] == wanted]
        found = [{**row, "seconds": None} for row in after if row["kind"] == wanted]
        assert sorted(found, key=str) == sorted(kept, key=str)


def test_a_machine_without_git_will_do(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    results = json.loads(again(folder, "--json").stdout)
    assert [result["resumed"] for result in results] == [[""], [""]]


@pytest.mark.parametrize("option", ["--out", "--results"])
def test_a_folder_that_cannot_be_made_is_refused(folder: Path, tmp_path: Path, option: str) -> None:
    file = tmp_path / "file"
    file.write_text("")
    message = again(folder, option, file, code=1).stderr
    assert f"error: {file} cannot be written: " in message
    assert "Name a folder that can be written." in message
