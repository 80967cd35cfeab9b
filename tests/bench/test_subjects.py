"""Edits taught without what they are about: the editor is not told, the harness still knows."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
from own_methods import Oracle
from plans import data_folder, plan_file, without_times

import tiny
from memoir import data
from memoir.bench.grid import run_plan
from memoir.bench.plan import read_plan
from memoir.bench.summary import summarise
from memoir.errors import RunDamaged
from memoir.methods.base import Change
from memoir.store import Store, taught
from memoir.types import Edit, Progress, Record, no_progress

METHOD = 'name = "test_subjects:Told"\nlabel = "own"'
PADDING = 'padding = { name = "zsre", split = "train", count = 3 }'


class Told(Oracle):
    """Notes the subjects it is given; it knows its records with or without them."""

    seen: ClassVar[list[str | None]] = []

    def fit(self, edits: Sequence[Edit], progress: Progress = no_progress) -> list[Change]:
        Told.seen += [edit.subject for edit in edits]
        known = {record.edit.prompt: record.edit for record in self.records}
        changes = super().fit([known[edit.prompt] for edit in edits], progress)
        return [replace(change, edit=edit) for change, edit in zip(changes, edits, strict=True)]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save(tmp_path_factory.mktemp("subjects") / "model")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Four records to teach, the first two about one subject, and five to pad with."""
    train = data_folder(tmp_path / "data", n=4) / "zsre" / "zsre_mend_train-1k.json"
    walls = [
        {
            **{"subject": f"Wall {i}", "src": f"Who built Wall {i}?", "alt": f"Bo {i}"},
            **{"rephrase": f"Wall {i} is by", "loc": f"nq question: {i}?", "loc_ans": "nine"},
        }
        for i in range(5)
    ]
    train.write_text(json.dumps(walls), "utf-8")
    Told.seen.clear()
    return tmp_path


@pytest.fixture
def run(folder: Path, model: Path) -> Callable[[str], Path]:
    def once(subjects: str) -> Path:
        Oracle.records = [
            item
            for split in ("edit", "train")
            for item in data.load("zsre", folder / "data", split=split).items
            if isinstance(item, Record)
        ]
        head = f'model = "{model}"\ncheckpoints = [2, 4]'
        path = plan_file(
            folder / "plan.toml", METHOD, head, "[metrics.free_generation]\ntokens = 8\n"
        )
        more = f'"zsre"\n{PADDING}\n{subjects}\n'
        path.write_text(path.read_text("utf-8").replace('"zsre"\n', more, 1), "utf-8")
        (done,) = run_plan(read_plan(path), folder / "runs", folder / "data")
        return done

    return once


def rows(run: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in run.read_text("utf-8").splitlines()]


def stored(run: Path) -> list[Edit]:
    store = Store(run.with_suffix(".store"))
    found = [taught(row) for row in store.live()]
    store.close()
    return found


Run = Callable[[str], Path]
DROPPED = 'subjects = "dropped"'
FORTS = ["Fort 1", "Fort 1", "Fort 2", "Fort 3"]
WALLS = ["Wall 0", "Wall 1", "Wall 2"]


def test_subjects_are_told_unless_the_plan_drops_them(run: Run) -> None:
    path = run("")
    assert path.stem == "plan-zsre-padded3-own-seed0"
    assert Told.seen == [edit.subject for edit in stored(path)] == WALLS + FORTS
    assert rows(path)[0]["subjects"] == "given"


def test_dropped_they_are_told_of_no_edit_and_of_no_padding(run: Run) -> None:
    path = run(DROPPED)
    assert path.stem == "plan-zsre-padded3-nosubjects-own-seed0"
    assert Told.seen == [edit.subject for edit in stored(path)] == [None] * 7
    assert rows(path)[0]["subjects"] == "dropped"
    assert [result["subjects"] for result in summarise(path)] == ["dropped"] * 2


def test_the_harness_still_knows_them(run: Run) -> None:
    given, dropped = rows(run("")), rows(run(DROPPED))
    assert without_times(dropped[1:]) == without_times(given[1:])
    once = [row["subject_once"] for row in dropped if row["kind"] == "record" and row["at"] == 4]
    assert once == [False, False, True, True]


def test_an_edit_that_was_stored_but_not_noted_is_known_again(run: Run) -> None:
    path = run(DROPPED)
    whole, lines = rows(path), path.read_text("utf-8").splitlines(keepends=True)
    last = next(i for i, row in enumerate(whole) if (row["kind"], row.get("index")) == ("edit", 3))
    path.write_text("".join(lines[:last]), "utf-8")
    assert without_times(rows(run(DROPPED))) == without_times(whole)


def test_a_store_that_was_told_them_is_that_of_another_run(run: Run) -> None:
    given = run("").with_suffix(".store")
    given.rename(given.with_name("plan-zsre-padded3-nosubjects-own-seed0.store"))
    with pytest.raises(RunDamaged, match="holds an edit that is not among the coming padding"):
        run(DROPPED)


def test_a_run_file_from_before_the_option_goes_on_and_its_results_say_given(run: Run) -> None:
    path = run("")
    first, *rest = path.read_text("utf-8").splitlines(keepends=True)
    old = {key: value for key, value in json.loads(first).items() if key != "subjects"}
    path.write_text(json.dumps(old, ensure_ascii=False) + "\n" + "".join(rest), "utf-8")
    before = path.read_bytes()
    assert [result["subjects"] for result in summarise(run(""))] == ["given"] * 2
    assert path.read_bytes() == before
