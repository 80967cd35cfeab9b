"""A plan is refused by the entry that is wrong, before anything is run."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_plan import GOOD, read

from memoir.bench.plan import read_plan
from memoir.errors import BadInput, UnknownName
from memoir.methods import available

PLAN_ENTRIES = (
    "Available: asked, checkpoints, data, device_map, dtype, immediate, method, metrics, model, name, "
    "order, seeds, skip_bad."
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "grid.toml"


def refusal(path: Path, text: str, kind: type[Exception] = BadInput) -> str:
    with pytest.raises(kind) as refused:
        read(path, text)
    return str(refused.value)


@pytest.mark.parametrize(
    ("old", "new", "wrong"),
    [
        ("model =", "modle =", f"no entry 'modle'. Did you mean 'model'? {PLAN_ENTRIES}"),
        (
            "kinds =",
            "kind =",
            "no entry of data.0 'kind'. Did you mean 'kinds'? "
            "Available: file, kinds, name, padding, probes_per_kind, split, subjects.",
        ),
        (
            "kinds =",
            'subjects = "none"\nkinds =',
            "data.0.subjects: Input should be 'given' or 'dropped', not 'none'.",
        ),
        (
            "kinds =",
            'padding = { name = "zsre", counts = 5, count = 9 }\nkinds =',
            "no entry of data.0.padding 'counts'. Did you mean 'count'? "
            "Available: count, file, name, settings, split.",
        ),
        (
            "kinds =",
            'padding = { name = "zsre" }\nkinds =',
            "data.0.padding.count is missing.",
        ),
        (
            "kinds =",
            'padding = { name = "zsre", count = 0 }\nkinds =',
            "data.0.padding.count: Input should be greater than or equal to 1, not 0.",
        ),
        (
            "preset =",
            "presets =",
            "no entry of method.0 'presets'. Did you mean 'preset'? "
            "Available: label, name, preset, settings.",
        ),
        ("checkpoints = [1, 10]", "", "checkpoints is missing."),
        (
            "checkpoints = [1, 10]",
            "checkpoints = []",
            "checkpoints: Tuple should have at least 1 item after validation, not 0, not [].",
        ),
        *(
            (
                "[1, 10]",
                wrong,
                f"checkpoints: must be rising numbers of edits, from 1 on, not {wrong}.",
            )
            for wrong in ("[10, 1]", "[1, 1]", "[0, 1]", "[-1]")
        ),
        ("[1, 10]", '["many"]', "checkpoints.0: Input should be a valid integer"),
        (
            '"shuffled"',
            '"random"',
            "order: Input should be 'file' or 'shuffled', not 'random'.",
        ),
        ("[3, 1]", "[-3]", "seeds.0: Input should be greater than or equal to 0, not -3."),
        ("probes_per_kind = 2", "probes_per_kind = 0", "data.0.probes_per_kind: Input should be"),
        ('"as-is"', '"as is"', "method.1.label: String should match pattern"),
        ("model =", 'name = "a/b"\nmodel =', "name: String should match pattern"),
    ],
)
def test_a_wrong_entry_is_named_with_what_is_allowed(
    path: Path, old: str, new: str, wrong: str
) -> None:
    assert old in GOOD
    message = refusal(path, GOOD.replace(old, new, 1))
    assert message.startswith(f"the plan {path} is wrong: {wrong}")
    assert ";" not in message


def test_every_wrong_entry_is_named(path: Path) -> None:
    message = refusal(path, "checkpoints = [1]\nsedes = [1]")
    assert (
        "; ".join(
            ["data is missing", "method is missing", "metrics is missing", "no entry 'sedes'"]
        )
        in message
    )


@pytest.mark.parametrize(
    ("padding", "wrong"),
    [
        ('name = "zrse"', "no data set 'zrse'. Did you mean 'zsre'? Available: arc_easy,"),
        ('name = "wikitext"', "no data set of edits 'wikitext'. Available: counterfact,"),
        ('name = "temporal", split = "tests"', "no split of temporal 'tests'. Available: edit,"),
        (
            'name = "temporal", settings = { max_step = 0 }',
            "no setting of memoir 'max_step'. Did you mean 'max_steps'? Available: ",
        ),
        # Every method of the plan is padded, so every one must know the settings.
        (
            'name = "temporal", settings = { max_steps = 0 }',
            "no setting of none 'max_steps'. Available: batch_size.",
        ),
    ],
)
def test_an_unknown_name_in_a_padding_is_refused_like_any_other(
    path: Path, padding: str, wrong: str
) -> None:
    text = GOOD.replace('"zsre"', f'"zsre"\npadding = {{ count = 3, {padding} }}', 1)
    assert refusal(path, text, UnknownName).startswith(wrong)


def test_a_setting_of_a_padding_with_a_wrong_value_is_refused(path: Path) -> None:
    padding = 'padding = { name = "zsre", count = 3, settings = { batch_size = "many" } }'
    assert refusal(path, GOOD.replace('"zsre"', f'"zsre"\n{padding}', 1)).startswith(
        "a setting of memoir is wrong: batch_size: Input should be a valid integer"
    )


@pytest.mark.parametrize(
    ("old", "new", "wrong"),
    [
        ('"zsre"', '"zrse"', "no data set 'zrse'. Did you mean 'zsre'?"),
        ('"zsre"', '"wikitext"', "no data set of edits 'wikitext'. Available: counterfact,"),
        (
            '"zsre"',
            '"zsre"\nsplit = "test"',
            "no split of zsre 'test'. Did you mean 'edit'? Available: edit, train.",
        ),
        (
            '["locality"]',
            '["localty"]',
            "no kind of probe 'localty'. Did you mean 'locality'? Available: alias, attribute,",
        ),
        (
            '"memoir"',
            '"memior"',
            f"no method 'memior'. Did you mean 'memoir'? Available: {', '.join(available())}. "
            "A method of your own is named package.module:Class.",
        ),
        (
            '"faithful"',
            '"fathful"',
            "no preset 'fathful'. Did you mean 'faithful'? Available: default, faithful.",
        ),
        ("max_steps", "max_step", "no setting of memoir 'max_step'. Did you mean 'max_steps'?"),
        ("metrics.cost", "metrics.costs", "no metric 'costs'. Did you mean 'cost'?"),
        (
            "turns",
            "turn",
            "no option of metric cost 'turn'. Did you mean 'turns'? "
            "Available: batch, tokens, turns.",
        ),
        *(
            (
                '["perplexity"]',
                f'["{name}"]',
                f"no metric of records in this plan '{name}'. Available: perplexity.",
            )
            for name in ("routing", "cost")
        ),
        (
            '"none"',
            '"nowhere.module:Method"',
            "no method 'nowhere.module:Method' (No module named 'nowhere'). Give "
            "package.module:Class of an importable class that keeps the contract of "
            f"memoir.methods.base, or one of: {', '.join(available())}.",
        ),
        (
            '"none"',
            '"memoir.methods.none:Nothing"',
            "no method 'memoir.methods.none:Nothing' (module 'memoir.methods.none' has no "
            "attribute 'Nothing'). Give",
        ),
    ],
)
def test_an_unknown_name_is_refused_with_those_there_are(
    path: Path, old: str, new: str, wrong: str
) -> None:
    assert old in GOOD
    assert refusal(path, GOOD.replace(old, new, 1), UnknownName).startswith(wrong)


def test_a_value_no_option_can_have_is_refused(path: Path) -> None:
    assert refusal(path, GOOD.replace("turns = 2", "turns = 0")) == (
        "option 'turns' of metric cost must be a whole number from 1 on, not 0."
    )


def test_a_table_of_shares_is_read_and_held_to_the_settings_asked(path: Path) -> None:
    options = (
        'settings = ["chat", "turns"]\nshare = { chat = 0.3, turns = 0.1 }\nsetting_probes = 1'
    )
    plan = read(path, GOOD.replace("turns = 2", f"[metrics.routing]\n{options}"))
    assert plan.metrics["routing"]["share"] == {"chat": 0.3, "turns": 0.1}
    text = GOOD.replace("turns = 2", f"[metrics.routing]\n{options.replace('chat =', 'caht =')}")
    assert refusal(path, text) == (
        "option 'share' gives a number for 'caht', but the settings asked are chat, turns."
    )


def test_a_missing_file_is_named(path: Path) -> None:
    with pytest.raises(BadInput, match=r"the plan .*grid\.toml cannot be read: .*No such file"):
        read_plan(path)


def test_a_file_that_is_no_toml_is_named_with_the_place(path: Path) -> None:
    message = refusal(path, "checkpoints = [1\n[[data]]")
    assert message.startswith(f"the plan {path} is no TOML: ")
    assert "line 2" in message


def test_a_file_that_is_no_text_is_named(path: Path) -> None:
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(BadInput, match=r"the plan .*grid\.toml cannot be read: .*utf-8"):
        read_plan(path)
