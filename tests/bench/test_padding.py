"""Padding: in the store before a run's own edits, and nowhere else."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import pytest
from own_methods import Oracle
from plans import METHOD, data_folder, plan_file, without_times

import tiny
from memoir import data
from memoir.bench.grid import run_plan
from memoir.bench.plan import Plan, read_plan
from memoir.bench.summary import summarise
from memoir.errors import BadInput, EditRefused, MemoirError, NotConverged, RunDamaged
from memoir.methods.base import Change
from memoir.store import Store, taught
from memoir.types import Edit, Progress, Record, no_progress

METRICS = "[metrics.free_generation]\ntokens = 8\n"
OWN = 'name = "test_padding:Watched"\nlabel = "own"'
TRAIN = "zsre/zsre_mend_train-1k.json"
TAUGHT = [f"Who built Fort {i}?" for i in range(6)]


class Watched(Oracle):
    """Notes what it is given to fit, and with which settings; it can be made to refuse or to die."""

    seen: ClassVar[list[tuple[int, list[str]]]] = []
    refuses: ClassVar[set[str]] = set()
    dies_before: ClassVar[str] = ""

    def fit(self, edits: Sequence[Edit], progress: Progress = no_progress) -> list[Any]:
        prompts = [edit.prompt for edit in edits]
        if self.dies_before in prompts:
            raise Killed
        Watched.seen.append((self.config.batch_size, prompts))
        refused: list[Change | EditRefused] = [
            NotConverged("on purpose") if change.edit.prompt in self.refuses else change
            for change in super().fit(edits, progress)
        ]
        return refused


class Killed(MemoirError):
    """The process ends here."""


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save(tmp_path_factory.mktemp("padding") / "model")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Six records to teach, and twenty to pad with."""
    data_folder(tmp_path / "data", n=6)
    write(tmp_path, [wall(i) for i in range(20)])
    Watched.seen.clear()
    Watched.refuses = set()
    Watched.dies_before = ""
    return tmp_path


def wall(i: int, **change: str) -> dict[str, str]:
    return {
        **{"subject": f"Wall {i}", "src": f"Who built Wall {i}?", "alt": f"Bo {i}"},
        **{"rephrase": f"Wall {i} is by", "loc": f"nq question: {i}?", "loc_ans": "nine"},
        **change,
    }


def write(folder: Path, records: list[dict[str, str]]) -> None:
    (folder / "data" / TRAIN).write_text(json.dumps(records), "utf-8")


def plan_of(folder: Path, model: Path, padding: str, method: str = OWN) -> Plan:
    records = (
        data.load("zsre", folder / "data").items
        + data.load("zsre", folder / "data", split="train").items
    )
    Oracle.records = [item for item in records if isinstance(item, Record)]
    head = f'model = "{model}"\ncheckpoints = [2, 6]'
    path = plan_file(folder / "plan.toml", method, head, METRICS)
    if padding:
        text = path.read_text("utf-8").replace(
            '"zsre"\n', f'"zsre"\npadding = {{ {padding} }}\n', 1
        )
        path.write_text(text, "utf-8")
    return read_plan(path)


@pytest.fixture
def run(folder: Path, model: Path) -> Callable[..., Path]:
    def once(padding: str = 'name = "zsre", split = "train", count = 5', **given: str) -> Path:
        plan = plan_of(folder, model, padding, **given)
        (path,) = run_plan(plan, folder / "runs", folder / "data")
        return path

    return once


def rows(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in run.read_text("utf-8").splitlines()]


def stored(run: Path) -> list[str]:
    """Prompts in the order in which the store holds their edits."""
    store = Store(run.with_suffix(".store"))
    found = [taught(row).prompt for row in store.live()]
    store.close()
    return found


def walls(*numbers: int) -> list[str]:
    return [f"Who built Wall {i}?" for i in numbers]


Run = Callable[..., Path]

# ---------------------------------------------------------------------- what it is


def test_padding_is_stored_first_and_never_asked(run: Run) -> None:
    path = run()
    assert path.name == "plan-zsre-padded5-own-seed0.jsonl"
    assert stored(path) == walls(0, 1, 2, 3, 4) + TAUGHT
    found = rows(path)
    assert [row["index"] for row in found if row["kind"] == "edit"] == list(range(6))
    assert "Wall" not in json.dumps([row for row in found if row["kind"] != "run"])


def test_results_of_an_oracle_are_those_of_a_run_without(run: Run) -> None:
    plain, padded = rows(run(padding="")), rows(run())
    assert plain[0]["padding"] is None
    assert without_times(plain[1:]) == without_times(padded[1:])
    for result in summarise(run()):
        assert result["metrics"]["reliability_fg"]["value"] == 1.0
        assert result["metrics"]["reliability_fg"]["n"] == result["n"]
        assert result["edits"]["made"] == result["n"]


def test_the_run_file_and_its_results_say_what_was_padded_with(run: Run, folder: Path) -> None:
    path = run('name = "zsre", split = "train", count = 5, settings = { batch_size = 3 }')
    expected = {
        "name": "zsre",
        "split": "train",
        "count": 5,
        "settings": {"batch_size": 3},
        "file": TRAIN,
        "sha256": hashlib.sha256((folder / "data" / TRAIN).read_bytes()).hexdigest(),
    }
    assert rows(path)[0]["padding"] == expected
    assert rows(path)[0]["settings"] == {"batch_size": 2}
    assert [result["padding"] for result in summarise(path)] == [expected] * 2


def test_its_settings_hold_while_it_is_taught(run: Run) -> None:
    run('name = "zsre", split = "train", count = 5, settings = { batch_size = 3 }')
    assert Watched.seen == [
        (3, walls(0, 1, 2)),
        (3, walls(3, 4)),
        *((2, TAUGHT[i : i + 2]) for i in (0, 2, 4)),
    ]


def test_a_prompt_that_the_run_teaches_or_asks_is_left_out_and_none_is_taught_twice(
    run: Run, folder: Path
) -> None:
    spaced = wall(1, src="who  built WALL 0?")
    asked = [wall(2, src="Fort 3 was built by"), wall(3, src="nq question: how far is 5")]
    same = wall(4, src="Who built Fort 5?")
    write(folder, [wall(0), spaced, *asked, same, *(wall(i) for i in range(5, 9))])
    assert stored(run())[:5] == walls(0, 5, 6, 7, 8)


def test_the_same_is_left_out_whichever_probes_are_asked(
    run: Run, folder: Path, model: Path
) -> None:
    write(folder, [wall(0, src="Fort 3 was built by"), *(wall(i) for i in range(1, 9))])
    plan = plan_of(folder, model, 'name = "zsre", split = "train", count = 5')
    fewer = plan.data[0].model_copy(update={"kinds": ("locality",)})
    (path,) = run_plan(plan.model_copy(update={"data": (fewer,)}), folder / "few", folder / "data")
    assert stored(path)[:5] == walls(1, 2, 3, 4, 5)


def test_a_padding_edit_that_fires_is_another_edit(run: Run, few_background: object) -> None:
    """Its id is known, and is that of no record."""
    path = run(
        'name = "zsre", split = "train", count = 5, settings = { max_steps = 0 }', method=METHOD
    )
    answers = [a for row in rows(path) if row["kind"] == "record" for a in row["answers"]]
    assert any(answer["edit"] is None for answer in answers)
    assert any(answer["edit"] is not None for answer in answers)


# ---------------------------------------------------------------------- refusals of edits


def test_a_refused_edit_is_replaced_by_the_next(run: Run) -> None:
    Watched.refuses = {*walls(0, 3, 4), TAUGHT[1]}
    path = run()
    assert stored(path) == walls(1, 2, 5, 6, 7) + [t for t in TAUGHT if t != TAUGHT[1]]
    refused = [row["refused"] for row in rows(path) if row["kind"] == "edit"]
    assert refused == [None, "NotConverged: on purpose", None, None, None, None]


def test_an_edit_that_does_not_fit_the_model_is_replaced_too(run: Run, folder: Path) -> None:
    write(folder, [wall(0), wall(1, src="long " * 60), *(wall(i) for i in range(2, 8))])
    assert stored(run())[:5] == walls(0, 2, 3, 4, 5)


def test_too_many_refusals_are_told(run: Run) -> None:
    Watched.refuses = set(walls(*range(16)))
    with pytest.raises(BadInput) as refused:
        run()
    assert str(refused.value) == (
        f"all 20 edits of padding in {TRAIN} were tried and 4 were made, but the plan asks for 5; "
        "lower their count, or give settings under which fewer are refused."
    )


def test_too_few_records_are_told_before_anything_is_made(run: Run, folder: Path) -> None:
    write(folder, [wall(0), wall(1), wall(2, src="Who built Fort 5?")])
    with pytest.raises(BadInput) as refused:
        run()
    assert str(refused.value) == (
        f"{folder / 'data' / TRAIN} holds 2 edits for padding, beside 1 whose prompt the run itself "
        "teaches or asks, but the plan asks for 5; lower their count."
    )
    assert not list((folder / "runs").iterdir())


# ---------------------------------------------------------------------- going on


@pytest.mark.parametrize("before", [*walls(0, 2, 6), TAUGHT[0], TAUGHT[3]])
def test_a_run_that_ended_early_goes_on_where_it_was(run: Run, folder: Path, before: str) -> None:
    Watched.refuses = set(walls(1, 4))
    padding = 'name = "zsre", split = "train", count = 5, settings = { batch_size = 1 }'
    whole = run(padding)
    expected, order = without_times(rows(whole)), stored(whole)
    (folder / "runs").rename(folder / "whole")
    Watched.seen.clear()
    Watched.dies_before = before
    with pytest.raises(Killed):
        run(padding)
    assert len(stored(whole)) < len(order)
    Watched.dies_before = ""
    run(padding)
    assert stored(whole) == order
    assert without_times(rows(whole)) == expected
    made = [prompt for _, prompts in Watched.seen for prompt in prompts if prompt in order]
    assert made == order  # none twice


def test_a_store_that_lost_its_padding_is_told(run: Run, folder: Path) -> None:
    Watched.dies_before = TAUGHT[3]
    with pytest.raises(Killed):
        run()
    (store,) = (folder / "runs").glob("*.store")
    store.rename(folder / "elsewhere")
    Watched.dies_before = ""
    with pytest.raises(RunDamaged) as refused:
        run()
    path = store.with_suffix(".jsonl")
    assert str(refused.value) == (
        f"the store {store} holds 0 edits of padding, but {path} was begun with 5. Restore both "
        "from one copy, or remove both to begin again."
    )


def test_a_store_with_other_edits_is_told(run: Run, folder: Path) -> None:
    Watched.dies_before = walls(3)[0]
    with pytest.raises(Killed):
        run()
    (path,) = (folder / "runs").glob("*.jsonl")
    path.unlink()
    write(folder, [wall(i) for i in range(1, 20)])
    with pytest.raises(RunDamaged) as refused:
        run()
    assert str(refused.value) == (
        f"the store {path.with_suffix('.store')} holds an edit that is not among the coming padding "
        f"of {path}: 'Who built Wall 0?' → 'Bo 0'. Restore both from one copy, or remove both to "
        "begin again."
    )
