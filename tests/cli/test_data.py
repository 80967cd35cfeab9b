"""``memoir data``: what there is, where to get it, and what a folder of it holds."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

from memoir import data
from memoir.cli import app

ZSRE = {"src": "Who built it?", "alt": "Bo", "rephrase": "By whom?", "loc": "q", "loc_ans": "a"}

Command = Callable[..., Result]


@pytest.fixture
def memoir(monkeypatch: pytest.MonkeyPatch) -> Command:
    """Run ``memoir data`` in a wide terminal, with no folder in the environment."""
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.delenv("MEMOIR_DATA", raising=False)

    def run(*words: object, code: int = 0) -> Result:
        result = CliRunner().invoke(app, ["data", *map(str, words)])
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        assert result.exit_code == code, result.output
        return result

    return run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with both splits of ZsRE, one of them with four empty targets."""
    write(tmp_path, "edit", ZSRE)
    empty = [{**ZSRE, "src": f"{number}?", "alt": ""} for number in range(4)]
    write(tmp_path, "train", ZSRE, *empty)
    return tmp_path


def write(folder: Path, split: str, *records: Any) -> Path:
    path = folder / data.get("zsre").FILES[split]
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(records))
    return path


def one_line(text: str) -> str:
    return " ".join(text.split())


# ---------------------------------------------------------------------- the list


def test_without_a_folder_every_set_is_described(memoir: Command) -> None:
    text = one_line(memoir().stdout)
    for name in data.available():
        module = data.get(name)
        files = " ".join(f"{file or 'any file'} ({split})" for split, file in module.FILES.items())
        assert (
            f"{name} {module.MEASURES} from {module.SOURCE} licence {module.LICENCE} files {files}"
        ) in text


def test_some_sets_may_be_chosen(memoir: Command) -> None:
    text = memoir("--set", "zsre", "--set", "nq_open").stdout
    assert [name for name in data.available() if f"\n{name} " in f"\n{text}"] == ["nq_open", "zsre"]


def test_the_list_is_one_json_document(memoir: Command) -> None:
    printed = json.loads(memoir("--set", "zsre", "--json").stdout)
    module = data.get("zsre")
    assert printed == {
        "sets": [
            {
                "name": "zsre",
                "measures": module.MEASURES,
                "source": module.SOURCE,
                "licence": module.LICENCE,
                "files": module.FILES,
            }
        ],
        "checks": [],
    }


@pytest.mark.parametrize("columns", ["80", "120"])
def test_no_file_name_or_address_is_broken(
    memoir: Command, monkeypatch: pytest.MonkeyPatch, columns: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    text = memoir().stdout
    assert max(map(len, text.splitlines())) <= int(columns)
    for name in data.available():
        for file in data.get(name).FILES.values():
            assert file in text
        for word in data.get(name).SOURCE.split():
            assert word in text


def test_an_unknown_set_is_refused(memoir: Command) -> None:
    result = memoir("--set", "zrse", code=1)
    assert "no data set 'zrse'. Did you mean 'zsre'?" in result.stderr
    assert result.stdout == ""


# ---------------------------------------------------------------------- the check


def test_a_folder_is_checked(memoir: Command, folder: Path) -> None:
    text = one_line(memoir("--data-dir", folder).stdout)
    assert "zsre edit 1 1 1 rephrase, 1 locality" in text
    assert "zsre train 5 1 1 rephrase, 1 locality" in text
    assert "left out 4 × record: empty target (record 1, 2, 3, …)" in text
    assert "nq_open edit – – missing: natural_questions/NQ-open.dev.jsonl" in text
    assert "plain edit" not in text


def test_the_environment_may_name_the_folder(
    memoir: Command, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MEMOIR_DATA", str(folder))
    assert "zsre train 5 1" in one_line(memoir("--set", "zsre").stdout)


def test_the_check_is_one_json_document(memoir: Command, folder: Path) -> None:
    words = ("--data-dir", folder, "--set", "zsre", "--set", "nq_open", "--json")
    edit, train, missing = json.loads(memoir(*words).stdout)["checks"]
    assert (edit["state"], edit["read"], edit["kept"], edit["dropped"]) == ("usable", 1, 1, [])
    assert train == {
        "set": "zsre",
        "split": "train",
        "file": "zsre/zsre_mend_train-1k.json",
        "state": "usable",
        "sha256": data.load("zsre", folder, split="train").sha256,
        "read": 5,
        "kept": 1,
        "probes": {"rephrase": 1, "locality": 1},
        "dropped": [
            {
                "what": "record",
                "why": "empty target",
                "count": 4,
                "where": ["record 1", "record 2", "record 3", "record 4"],
            }
        ],
    }
    assert missing == {
        "set": "nq_open",
        "split": "edit",
        "file": "natural_questions/NQ-open.dev.jsonl",
        "state": "missing",
    }


def test_a_malformed_file_is_reported_beside_the_others(memoir: Command, folder: Path) -> None:
    path = write(folder, "edit", ZSRE, {**ZSRE, "alt": 7})
    text = one_line(memoir("--data-dir", folder, "--set", "zsre", code=1).stdout)
    message = f"{path}, record 1: field 'alt' must be a non-empty text, not 7."
    assert "zsre edit – – malformed:" in text
    assert "record 1: field 'alt' must be a non-empty text, not 7." in text
    assert "zsre train 5 1" in text
    printed = memoir("--data-dir", folder, "--set", "zsre", "--json", code=1).stdout
    assert json.loads(printed)["checks"][0] == {
        "set": "zsre",
        "split": "edit",
        "file": "zsre/zsre_mend_edit.json",
        "state": "malformed",
        "error": message,
    }


def test_malformed_records_may_be_skipped(memoir: Command, folder: Path) -> None:
    write(folder, "edit", ZSRE, {**ZSRE, "alt": 7})
    text = one_line(memoir("--data-dir", folder, "--skip-bad").stdout)
    assert (
        "left out 1 × record: malformed: field 'alt' must be a non-empty text, not 7 (record 1)"
        in text
    )


def test_a_file_with_nothing_in_it_is_unusable(memoir: Command, folder: Path) -> None:
    write(folder, "edit")
    text = one_line(memoir("--data-dir", folder, "--set", "zsre", code=1).stdout)
    assert "zsre edit – – unusable:" in text
    assert "holds no usable record (0 read); give at least one." in text


def test_a_missing_folder_is_refused(memoir: Command, tmp_path: Path) -> None:
    result = memoir("--data-dir", tmp_path / "gone", code=1)
    assert f"{tmp_path / 'gone'} does not exist; give the folder" in result.stderr


def test_a_plain_file_is_checked_by_its_path(memoir: Command, tmp_path: Path) -> None:
    path = tmp_path / "facts.jsonl"
    path.write_text('{"prompt": "[bold]p", "target": "t"}\n{"prompt": "p", "target": ""}\n')
    text = one_line(memoir("--set", "plain", "--data-dir", path).stdout)
    assert "plain edit 2 1 – left out 1 × record: empty target (line 2)" in text
    result = memoir("--set", "plain", "--data-dir", tmp_path, code=1)
    assert "is a folder; 'plain' is one file" in one_line(result.stdout)


def test_a_file_in_place_of_the_folder_is_refused(memoir: Command, folder: Path) -> None:
    path = folder / "zsre/zsre_mend_edit.json"
    assert "is no folder" in memoir("--data-dir", path, code=1).stderr
    text = one_line(memoir("--data-dir", path, "--set", "nq_open", code=1).stdout)
    assert "nq_open edit – – unusable:" in text
    assert "is no folder" in text
