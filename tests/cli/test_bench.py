"""``memoir bench``: a plan is run, its results are shown, and a report is drawn."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from typer.testing import CliRunner

import tiny
from memoir.bench.journal import PROTOCOL
from memoir.cli import app

PLAN = """
model = "{model}"
checkpoints = [1, 6]
immediate = ["teacher_forcing"]
[[data]]
name = "zsre"
[[method]]
name = "{method}"
label = "quick"
settings = {settings}
[metrics.teacher_forcing]
[metrics.free_generation]
tokens = 8
[metrics.routing]
[metrics.cost]
tokens = 2
turns = 1
"""
SETTINGS = (
    '{ router = "overlap", contexts = "bare", layer = 2, k = 18, threshold = 0.9, '
    "max_steps = 60, lr = 0.5, accept_unsaid = true }"
)
SCHEMA = {
    *("protocol", "run", "method", "preset", "model", "dtype", "dataset", "split", "n", "seed"),
    *("order", "machine", "versions", "commit", "date", "resumed", "settings", "data"),
    *("probes_per_kind", "metrics", "subsets", "immediate", "histograms", "edits", "padding"),
    *("ratios", "subjects"),
}
RUN = "plan-zsre-quick-seed0"


def memoir(*words: object, code: int = 0) -> Result:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COLUMNS", "200")
        patch.delenv("MEMOIR_DATA", raising=False)
        result = CliRunner().invoke(app, ["bench", *map(str, words)])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == code, result.output
    return result


def write_data(folder: Path, *changes: dict[str, Any]) -> Path:
    """Eight records, the first of them changed so."""
    records = [
        {
            "subject": f"S{i}",
            "src": f"Who leads S{i}?",
            "alt": f"T{i}",
            "rephrase": f"S{i} is led by",
            "loc": f"nq question: what is {i}",
            "loc_ans": "x y",
        }
        for i in range(8)
    ]
    for record, change in zip(records, changes, strict=False):
        record.update(change)
    (folder / "zsre").mkdir(parents=True)
    (folder / "zsre" / "zsre_mend_edit.json").write_text(json.dumps(records), "utf-8")
    return folder


def write_plan(folder: Path, model: Path, method: str = "memoir", settings: str = SETTINGS) -> Path:
    path = folder / "plan.toml"
    path.write_text(PLAN.format(model=model, method=method, settings=settings), "utf-8")
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save(tmp_path_factory.mktemp("model") / "tiny")


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory, model: Path) -> tuple[Path, list[Any]]:
    """A folder in which a plan was run, and what the command printed."""
    folder = tmp_path_factory.mktemp("bench")
    plan, data = write_plan(folder, model), write_data(folder / "data")
    words = ["run", plan, "--out", folder / "runs", "--data-dir", data, "--json"]
    result = memoir(*words, "--results", folder / "results")
    return folder, json.loads(result.stdout)


def again(folder: Path, *words: object, code: int = 0) -> Result:
    """The same plan once more."""
    given = [folder / "plan.toml", "--out", folder / "runs", "--data-dir", folder / "data"]
    return memoir("run", *given, *words, code=code)


# ---------------------------------------------------------------------- run


def test_the_results_are_one_json_document(ran: tuple[Path, list[Any]]) -> None:
    _, results = ran
    assert [(result["run"], result["n"]) for result in results] == [(RUN, 1), (RUN, 6)]
    for result in results:
        assert result["edits"]["made"] == result["n"]
        assert result["metrics"]["reliability_tf"]["n"] == result["n"]
        assert result["metrics"]["fires_edit"]["value"] == 1.0
        assert result["immediate"]["reliability_tf"]["n"] == result["n"]


def test_every_result_is_a_file_with_the_stated_fields(ran: tuple[Path, list[Any]]) -> None:
    folder, results = ran
    files = sorted((folder / "results").iterdir())
    assert [path.name for path in files] == [f"{RUN}-n00001.json", f"{RUN}-n00006.json"]
    assert [json.loads(path.read_text("utf-8")) for path in files] == results
    for result in results:
        assert result.keys() == SCHEMA
        assert result["protocol"] == PROTOCOL
        assert (result["method"], result["preset"], result["dtype"]) == (
            "memoir",
            "quick",
            "float32",
        )
        assert result["data"]["records"] == 8
        assert result["settings"]["max_steps"] == 60
        for metric in result["metrics"].values():
            assert metric.keys() == {"value", "n", "ci95"}


def test_running_again_repeats_nothing_and_shows_the_same_as_a_table(
    ran: tuple[Path, list[Any]],
) -> None:
    folder, results = ran
    path = folder / "runs" / f"{RUN}.jsonl"
    before = path.read_bytes()
    text = again(folder).stdout
    assert path.read_bytes() == before
    for result in results:
        cells = [RUN, str(result["n"])]
        for name in ("reliability", "generalization", "locality"):
            fed, free = (result["metrics"][f"{name}_{form}"]["value"] for form in ("tf", "fg"))
            cells.append(f"{fed:.3f} / {free:.3f}")
        shown = [[cell.strip() for cell in line.split("│")] for line in text.splitlines()]
        assert cells in [line[1:-1] for line in shown]
    assert f"To read them: memoir bench report {path}" in text


@pytest.mark.parametrize(
    ("old", "new", "entry"),
    [
        ("tokens = 8", "tokens = 9", "metrics"),
        (
            "max_steps = 60",
            "max_steps = 50",
            "asked",
        ),  # the store keeps the settings it was made with
    ],
)
def test_another_plan_does_not_go_on_with_the_run(
    ran: tuple[Path, list[Any]], old: str, new: str, entry: str
) -> None:
    folder, _ = ran
    plan = folder / "plan.toml"
    before = plan.read_text("utf-8")
    assert old in before
    plan.write_text(before.replace(old, new), "utf-8")
    printed = again(folder, "--json", code=1).stdout
    plan.write_text(before, "utf-8")
    error = json.loads(printed)["error"]
    assert error["type"] == "OtherRun"
    assert f"was begun with another plan ({entry}: " in error["message"]


# ---------------------------------------------------------------------- report and help


def test_a_report_is_drawn_from_run_files_and_from_result_files(
    ran: tuple[Path, list[Any]], tmp_path: Path
) -> None:
    folder, _ = ran
    pages = []
    for number, files in enumerate([[f"runs/{RUN}.jsonl"], sorted(folder.glob("results/*"))]):
        into = tmp_path / str(number)
        printed = memoir("report", *(folder / file for file in files), "--out", into, "--json")
        found = json.loads(printed.stdout)
        assert found == {
            "html": str(into / "report.html"),
            "markdown": str(into / "report.md"),
        }
        pages.append([(into / name).read_text("utf-8") for name in ("report.html", "report.md")])
    assert pages[0] == pages[1]
    for page in pages[0]:
        assert "quick" in page


def test_a_report_names_its_files(ran: tuple[Path, list[Any]], tmp_path: Path) -> None:
    folder, _ = ran
    text = memoir("report", folder / f"runs/{RUN}.jsonl", "--out", tmp_path / "r").stdout
    assert text == f"{tmp_path / 'r' / 'report.html'}\n{tmp_path / 'r' / 'report.md'}\n"


def test_a_report_of_what_is_no_run_is_refused(ran: tuple[Path, list[Any]], tmp_path: Path) -> None:
    folder, _ = ran
    result = memoir("report", folder / "plan.toml", "--out", tmp_path / "r", code=1)
    assert f"{folder / 'plan.toml'} is no run file; give the .jsonl files" in result.stderr
    assert not (tmp_path / "r").exists()


def test_the_help_names_both_verbs_and_gives_examples() -> None:
    text = memoir("--help").stdout
    assert [verb for verb in ("run", "report") if f" {verb} " in text] == ["run", "report"]
    for verb in ("run", "report"):
        assert f"memoir bench {verb}" in memoir(verb, "--help").stdout.split("Example")[1]


@pytest.mark.parametrize("words", [["run"], ["report"], ["nonsense"], ["run", "p", "--nonsense"]])
def test_wrong_usage_ends_with_exit_code_2(words: list[str]) -> None:
    result = memoir(*words, code=2)
    assert "Usage:" in result.stderr
    assert result.stdout == ""
