"""The records of a run: which, in what order, and with which of their probes."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from memoir.bench.plan import Cell, DataPlan, MethodPlan, Plan
from memoir.bench.stream import Stream, stream
from memoir.errors import BadInput, BadRecord
from memoir.types import Edit, Record

SUBJECTS = ["Oslo", "Rome", "Oslo", "Bern", None, "Rome", "Kyiv", None]
ZSRE = [
    {
        "subject": subject,
        "src": f"Who built {i}?",
        "alt": f"Ada {i}",
        "rephrase": f"{i} was built by",
        "loc": f"nq question: how far is {i}",
        "loc_ans": "nine miles",
    }
    for i, subject in enumerate(SUBJECTS)
]
ROME = {
    "requested_rewrite": {
        "prompt": "{} is in",
        "subject": "The tower",
        "target_new": {"str": "Rome"},
        "target_true": {"str": "Oslo"},
    },
    "paraphrase_prompts": ["r0", "r1", "r2"],
    "neighborhood_prompts": ["n0", "n1", "n2"],
    "attribute_prompts": ["a0"],
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "zsre/zsre_mend_edit.json", ZSRE)
    write(tmp_path / "counterfact/counterfact_portability_gpt4.json", [ROME])
    return tmp_path


def write(path: Path, records: Any) -> Path:
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(records), "utf-8")
    return path


def cell(n: int = 8, seed: int = 0, *, data: str = "zsre", trim: Any = None, **plan: Any) -> Cell:
    data_plan = DataPlan(name=data, **(trim or {}))
    method = MethodPlan(name="none")
    made = Plan(checkpoints=(n,), data=(data_plan,), method=(method,), metrics={"cost": {}}, **plan)
    return Cell(plan=made, data=data_plan, method=method, seed=seed)


def numbers(taught: Stream) -> list[int]:
    return [int(record.edit.target.removeprefix("Ada ")) for record in taught.records]


def prompts(record: Record) -> list[str]:
    return [probe.prompt for probe in record.probes]


def test_the_order_of_the_file_is_kept_whatever_the_seed(folder: Path) -> None:
    assert numbers(stream(cell(), folder)) == list(range(8))
    assert numbers(stream(cell(3, seed=5), folder)) == [0, 1, 2]


def test_a_shuffled_order_is_fixed_by_the_seed(folder: Path) -> None:
    orders = [numbers(stream(cell(seed=seed, order="shuffled"), folder)) for seed in (0, 0, 1)]
    assert orders[0] == orders[1]
    assert orders[0] != orders[2]
    for order in orders:
        assert order != list(range(8))
        assert sorted(order) == list(range(8))


def test_a_shorter_run_begins_a_longer_one_of_its_seed(folder: Path) -> None:
    longer = numbers(stream(cell(seed=4, order="shuffled"), folder))
    assert numbers(stream(cell(3, seed=4, order="shuffled"), folder)) == longer[:3]


def test_where_the_records_come_from_is_stated(folder: Path) -> None:
    empty = [{**ZSRE[0], "src": f"{i}?", "alt": ""} for i in range(2)]
    path = write(folder / "zsre/zsre_mend_edit.json", [*ZSRE, *empty, ZSRE[0]])
    assert stream(cell(), folder).origin == {
        "file": "zsre/zsre_mend_edit.json",
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "records": 11,
        "dropped": {
            "record: empty target": 2,
            "record: prompt repeats an earlier record's": 1,
        },
    }


def test_a_file_of_ones_own_is_read_where_the_plan_says(folder: Path) -> None:
    path = write(folder / "facts.json", [{"prompt": "p is", "target": "t"}])
    taught = stream(cell(1, data="plain", trim={"file": path}), folder)
    assert [record.edit.prompt for record in taught.records] == ["p is"]


def test_too_few_records_are_refused(folder: Path) -> None:
    with pytest.raises(BadInput) as refused:
        stream(cell(9), folder)
    assert str(refused.value) == (
        f"{folder / 'zsre/zsre_mend_edit.json'} holds 8 usable records, but the plan asks for 9 "
        "edits; lower its last checkpoint."
    )


def test_a_malformed_record_is_named_or_counted_if_the_plan_says_so(folder: Path) -> None:
    path = write(folder / "zsre/zsre_mend_edit.json", [ZSRE[0], {**ZSRE[1], "alt": 7}, ZSRE[2]])
    with pytest.raises(BadRecord) as refused:
        stream(cell(2), folder)
    wrong = "field 'alt' must be a non-empty text, not 7"
    assert str(refused.value) == f"{path}, record 1: {wrong}."
    taught = stream(cell(2, skip_bad=True), folder)
    assert numbers(taught) == [0, 2]
    assert taught.origin["dropped"] == {f"record: malformed: {wrong}": 1}
    assert taught.origin["records"] == 3


@pytest.mark.parametrize(
    ("trim", "expected"),
    [
        ({}, ["r0", "r1", "r2", "n0", "n1", "n2", "a0"]),
        ({"probes_per_kind": 2}, ["r0", "r1", "n0", "n1", "a0"]),
        ({"kinds": ("neighbour", "attribute")}, ["n0", "n1", "n2", "a0"]),
        ({"kinds": ("neighbour",), "probes_per_kind": 1}, ["n0"]),
        ({"kinds": ()}, []),
    ],
)
def test_probes_may_be_few_and_of_some_kinds_only(
    folder: Path, trim: dict[str, Any], expected: list[str]
) -> None:
    (record,) = stream(cell(1, data="counterfact_rome", trim=trim), folder).records
    assert prompts(record) == expected
    assert record.edit.prompt == "The tower is in"


def test_what_is_told_of_a_record_may_leave_out_what_it_is_about(folder: Path) -> None:
    one = {"prompt": "p is", "target": "t", "subject": "p", "aliases": ["q"], "phrasings": ["r is"]}
    path = write(folder / "facts.json", [one])
    given = stream(cell(1, data="plain", trim={"file": path}), folder)
    assert given.edits == [Edit("p is", "t", "p", phrasings=("r is",), aliases=("q",))]
    dropped = stream(cell(1, data="plain", trim={"file": path, "subjects": "dropped"}), folder)
    assert dropped.edits == [Edit("p is", "t", phrasings=("r is",))]
    assert dropped.records == given.records


def test_subjects_are_counted_whether_they_are_told_or_not(folder: Path) -> None:
    taught = stream(cell(trim={"subjects": "dropped"}), folder)
    assert [edit.subject for edit in taught.edits] == [None] * 8
    assert taught.subject_once(8) == stream(cell(), folder).subject_once(8)


def test_a_subject_occurs_once_among_those_taught_so_far(folder: Path) -> None:
    taught = stream(cell(), folder)
    assert taught.subject_once(2) == [True, True]
    assert taught.subject_once(3) == [False, True, False]
    # A record without a subject may contradict any other, so it never counts.
    assert taught.subject_once(5) == [False, True, False, True, False]
    assert taught.subject_once(8) == [False, False, False, True, False, False, True, False]
