"""A plan may ask about a sample of the records; it still teaches all of them."""

from __future__ import annotations

import json
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from plans import data_folder, plan_file

import tiny
from memoir.bench.grid import run_plan
from memoir.bench.plan import read_plan
from memoir.bench.run import evenly
from memoir.bench.summary import summarise


@given(st.integers(0, 300), st.one_of(st.none(), st.integers(1, 300)))
def test_a_sample_is_spread_evenly_and_holds_no_record_twice(count: int, most: int | None) -> None:
    sample = evenly(count, most)
    assert len(sample) == (count if most is None else min(count, most))
    assert set(sample) <= set(range(count))
    gaps = {b - a for a, b in zip(sample, [*sample[1:], count], strict=False)}
    assert not sample or (sample[0] == 0 and max(gaps) - min(gaps) <= 1 and min(gaps) >= 1)


def test_all_are_taught_and_a_sample_is_asked(tmp_path: Path) -> None:
    folder = data_folder(tmp_path / "data", n=7)
    head = f'model = "{tiny.save(tmp_path / "model")}"\ncheckpoints = [2, 7]\nasked = 3'
    plan = plan_file(tmp_path / "plan.toml", 'name = "none"', head, "[metrics.perplexity]\n")
    (run,) = run_plan(read_plan(plan), tmp_path / "runs", folder)
    rows = [json.loads(line) for line in run.read_text("utf-8").splitlines()]
    assert rows[0]["records_asked"] == 3
    assert sum(row["kind"] == "edit" for row in rows) == 7
    asked = [(row["at"], row["index"]) for row in rows if row["kind"] == "record"]
    assert asked == [(2, 0), (2, 1), (7, 0), (7, 2), (7, 4)]
    last = summarise(run)[-1]
    assert last["n"] == last["edits"]["made"] == 7
    assert last["metrics"]["reliability_perplexity"]["n"] == 3
