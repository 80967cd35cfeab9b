"""A plan is read, and spans a grid of runs, each with a name of its own."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from memoir.bench.plan import Plan, cells, read_plan
from memoir.errors import BadInput

GOOD = """
model = "m"
checkpoints = [1, 10]
seeds = [3, 1]
order = "shuffled"
immediate = ["perplexity"]

[[data]]
name = "zsre"
kinds = ["locality"]
probes_per_kind = 2

[[data]]
name = "temporal"

[[method]]
name = "memoir"
preset = "faithful"
settings = { max_steps = 7 }

[[method]]
name = "none"
label = "as-is"

[metrics.perplexity]
[metrics.cost]
turns = 2
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "grid.toml"


def read(path: Path, text: str) -> Plan:
    path.write_text(text, "utf-8")
    return read_plan(path)


def test_a_plan_is_read(path: Path) -> None:
    plan = read(path, GOOD)
    assert (plan.name, plan.model, plan.checkpoints, plan.seeds) == ("grid", "m", (1, 10), (3, 1))
    assert (plan.order, plan.immediate, plan.skip_bad) == ("shuffled", ("perplexity",), False)
    assert (plan.data[0].kinds, plan.data[0].probes_per_kind) == (("locality",), 2)
    assert (plan.data[1].kinds, plan.data[1].probes_per_kind) == (None, None)
    assert [each.subjects for each in plan.data] == ["given", "given"]
    assert plan.method[0].settings == {"max_steps": 7}
    assert plan.metrics == {"perplexity": {}, "cost": {"turns": 2}}


def test_a_plan_may_say_its_name(path: Path) -> None:
    assert read(path, f'name = "other"\n{GOOD}').name == "other"


def test_runs_are_named_by_plan_data_method_and_seed_and_come_in_this_order(path: Path) -> None:
    assert [cell.name for cell in cells(read(path, GOOD))] == [
        "grid-zsre-memoir-faithful-seed3",
        "grid-zsre-memoir-faithful-seed1",
        "grid-zsre-as-is-seed3",
        "grid-zsre-as-is-seed1",
        "grid-temporal-memoir-faithful-seed3",
        "grid-temporal-memoir-faithful-seed1",
        "grid-temporal-as-is-seed3",
        "grid-temporal-as-is-seed1",
    ]


def test_a_split_other_than_edit_is_in_the_name(path: Path) -> None:
    text = GOOD.replace('"temporal"', '"zsre"\nsplit = "train"')
    assert cells(read(path, text))[-1].name == "grid-zsre-train-as-is-seed1"


def test_padding_is_read_and_is_in_the_name(path: Path) -> None:
    padding = 'padding = { name = "counterfact", count = 90, settings = { batch_size = 4 } }'
    plan = read(path, GOOD.replace('"temporal"', f'"temporal"\n{padding}'))
    given = plan.data[1].padding
    assert given is not None
    assert (given.name, given.split, given.file, given.count) == ("counterfact", "edit", None, 90)
    assert given.settings == {"batch_size": 4}
    assert plan.data[0].padding is None
    assert cells(plan)[-1].name == "grid-temporal-padded90-as-is-seed1"


def test_the_same_set_with_and_without_padding_are_two_runs(path: Path) -> None:
    more = '[[data]]\nname = "temporal"\npadding = { name = "zsre", count = 9 }\n'
    plan = read(path, GOOD.replace("[[method]]", f"{more}[[method]]", 1))
    assert len(cells(plan)) == 12


def test_a_set_without_subjects_is_another_run_than_with_them(path: Path) -> None:
    more = 'subjects = "dropped"\npadding = { name = "zsre", count = 9 }\n'
    dropped = f'[[data]]\nname = "temporal"\n{more}'
    plan = read(path, GOOD.replace("[[method]]", f"{dropped}[[method]]", 1))
    names = [cell.name for cell in cells(plan)]
    assert names[-1] == "grid-temporal-padded9-nosubjects-as-is-seed1"
    assert sum("nosubjects" in name for name in names) == 4
    alone = read(path, GOOD.replace('"temporal"', '"temporal"\nsubjects = "dropped"'))
    assert cells(alone)[-1].name == "grid-temporal-nosubjects-as-is-seed1"


def test_ones_own_method_is_named_by_its_path_without_a_colon(path: Path) -> None:
    plan = read(path, GOOD.replace('"none"\nlabel = "as-is"', '"memoir.methods.none:Unedited"'))
    assert cells(plan)[-1].name == "grid-temporal-memoir.methods.none.Unedited-default-seed1"


@pytest.mark.parametrize(
    "twice",
    [GOOD.replace("[3, 1]", "[3, 3]"), GOOD + '[[method]]\nname = "none"\nlabel = "as-is"\n'],
)
def test_two_runs_of_one_name_are_refused(path: Path, twice: str) -> None:
    plan = read(path, twice)
    with pytest.raises(BadInput) as refused:
        cells(plan)
    assert re.match(
        r"two runs of the plan are called grid-temporal-as-is-seed[13]; tell", str(refused.value)
    )
    assert str(refused.value).endswith(
        "tell their methods apart with a label, and name no split and no seed twice."
    )
