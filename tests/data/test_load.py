"""Data sets: found by name and folder, read whole, and honest about what they leave out."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from invented import COUNTERFACT, KNOWEDIT, PARSED, PLAIN, ROME, SELFCHECKGPT, TEMPORAL, ZSRE

from memoir import data
from memoir.data import DataSet, Dropped
from memoir.errors import BadInput, BadRecord, UnknownName
from memoir.types import Edit, Probe, Record

NAMES = [
    "arc_easy",
    "counterfact",
    "counterfact_rome",
    "knowedit",
    "nq_open",
    "plain",
    "selfcheckgpt",
    "temporal",
    "wikitext",
    "zsre",
]
LOST = "Z\ufffdrich"

Load = Callable[..., DataSet]


@pytest.fixture
def load(tmp_path: Path) -> Load:
    """Load records as if they were the file of a data set's split."""

    def write_and_load(
        name: str, *records: Any, split: str = "edit", skip_bad: bool = False
    ) -> DataSet:
        file = data.get(name).FILES[split]
        path = tmp_path / (file or "facts.jsonl")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(records), "utf-8")
        folder = tmp_path if file else path
        return data.load(name, folder, split=split, skip_bad=skip_bad)

    return write_and_load


def dropped(loaded: DataSet) -> list[tuple[str, str, str]]:
    return [(one.where, one.what, one.why) for one in loaded.dropped]


# ---------------------------------------------------------------------- which there are


def test_the_sets_are_listed_and_state_what_they_are() -> None:
    assert data.available() == NAMES
    for name in NAMES:
        module = data.get(name)
        for stated in (module.MEASURES, module.SOURCE, module.LICENCE):
            assert isinstance(stated, str)
            assert stated.strip() == stated != ""
        assert module.FILES.keys() <= {"edit", "train"}


def test_an_unknown_set_is_met_with_the_known_ones() -> None:
    with pytest.raises(UnknownName) as refused:
        data.load("zrse", ".")
    assert str(refused.value) == (
        f"no data set 'zrse'. Did you mean 'zsre'? Available: {', '.join(NAMES)}."
    )


def test_a_split_that_a_set_lacks_is_met_with_those_it_has(tmp_path: Path) -> None:
    with pytest.raises(UnknownName) as refused:
        data.load("nq_open", tmp_path, split="train")
    assert str(refused.value) == "no split of nq_open 'train'. Available: edit."


# ---------------------------------------------------------------------- where they lie


def test_without_a_folder_both_ways_to_name_one_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMOIR_DATA", "")
    with pytest.raises(BadInput) as refused:
        data.load("zsre")
    assert str(refused.value) == (
        "no folder of data sets was named; give one (--data-dir FOLDER), or set the environment "
        "variable MEMOIR_DATA. `memoir data` lists where to get the sets."
    )


def test_the_environment_names_the_folder_unless_one_is_given(
    load: Load, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load("zsre", ZSRE)
    monkeypatch.setenv("MEMOIR_DATA", str(tmp_path))
    assert len(data.load("zsre").items) == 1
    with pytest.raises(BadInput, match="elsewhere does not exist"):
        data.load("zsre", tmp_path / "elsewhere")


def test_a_missing_folder_and_a_file_in_its_place_are_named(tmp_path: Path) -> None:
    hint = (
        "give the folder that holds the data sets (--data-dir FOLDER, or MEMOIR_DATA). "
        "`memoir data` lists the files it should hold."
    )
    with pytest.raises(BadInput) as refused:
        data.load("zsre", tmp_path / "gone")
    assert str(refused.value) == f"{tmp_path / 'gone'} does not exist; {hint}"
    (tmp_path / "file").write_text("")
    with pytest.raises(BadInput) as refused:
        data.load("zsre", tmp_path / "file")
    assert str(refused.value) == f"{tmp_path / 'file'} is no folder; {hint}"


def test_a_missing_file_is_named_with_where_it_comes_from(tmp_path: Path) -> None:
    with pytest.raises(BadInput) as refused:
        data.load("zsre", tmp_path, split="train")
    assert str(refused.value) == (
        f"{tmp_path / 'zsre/zsre_mend_train-1k.json'} does not exist. Where 'zsre' comes from: "
        f"{data.get('zsre').SOURCE}. `memoir data` lists the files it expects."
    )


def test_plain_is_one_file(load: Load, tmp_path: Path) -> None:
    assert load("plain", PLAIN).items == (PARSED["plain"][1],)
    with pytest.raises(BadInput) as refused:
        data.load("plain", tmp_path)
    assert str(refused.value) == (
        f"{tmp_path} is a folder; 'plain' is one file: give the path of that file."
    )


# ---------------------------------------------------------------------- what they hold


@pytest.mark.parametrize("name", PARSED)
def test_every_set_of_edits_is_loaded(load: Load, tmp_path: Path, name: str) -> None:
    given, expected = PARSED[name]
    loaded = load(name, given)
    assert loaded.items == (expected,)
    assert (loaded.name, loaded.read, loaded.dropped) == (name, 1, ())
    assert loaded.file == tmp_path / (data.get(name).FILES["edit"] or "facts.jsonl")
    assert loaded.sha256 == hashlib.sha256(loaded.file.read_bytes()).hexdigest()


def test_a_byte_order_mark_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "facts.jsonl"
    path.write_text(json.dumps(PLAIN), "utf-8-sig")
    assert data.load("plain", path).items == (PARSED["plain"][1],)


def test_extra_probes_may_be_absent(load: Load) -> None:
    bare = {key: ZSRE[key] for key in ("src", "alt", "rephrase", "loc")}
    (record,) = load("zsre", bare).items
    assert [probe.kind for probe in record.probes] == ["rephrase", "locality"]
    bare = {k: v for k, v in ROME.items() if k not in ("attribute_prompts", "portability")}
    (record,) = load("counterfact_rome", bare).items
    assert {probe.kind for probe in record.probes} == {"rephrase", "neighbour"}
    (record,) = load("knowedit", {**KNOWEDIT, "portability": {}, "locality": None}).items
    assert record.probes == ()


def test_contradictions_in_other_words_are_kept(load: Load) -> None:
    other = {**ZSRE, "src": "Who was the builder of Acme Tower?", "alt": "Cy"}
    loaded = load("zsre", ZSRE, other)
    assert [record.edit.target for record in loaded.items] == ["Bo Lund", "Cy"]
    assert loaded.dropped == ()


# ---------------------------------------------------------------------- what they drop


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"alt": " "}, "empty target"),
        ({"src": ""}, "empty prompt"),
        ({"alt": LOST}, "text holds U+FFFD"),
        ({"src": LOST}, "text holds U+FFFD"),
        ({"alt": "another"}, "prompt repeats an earlier record's"),
        ({"src": f" {ZSRE['src']} "}, "prompt repeats an earlier record's"),
    ],
)
def test_a_record_of_no_use_is_dropped_and_listed(
    load: Load, change: dict[str, str], why: str
) -> None:
    last = {**ZSRE, "src": "Where is Acme Tower?"}
    loaded = load("zsre", ZSRE, {**ZSRE, **change}, last)
    assert [record.edit.prompt for record in loaded.items] == [ZSRE["src"], last["src"]]
    assert loaded.read == 3
    assert loaded.dropped == (Dropped("record 1", "record", why),)


def test_a_dropped_record_does_not_make_a_later_one_a_repetition(load: Load) -> None:
    loaded = load("zsre", {**ZSRE, "alt": ""}, ZSRE)
    assert [record.edit.target for record in loaded.items] == ["Bo Lund"]


@pytest.mark.parametrize("name", ["knowedit", "selfcheckgpt", "temporal", "counterfact"])
def test_every_set_drops_empty_targets(load: Load, name: str) -> None:
    given, expected = PARSED[name]
    loaded = load(name, {**given, "target_new": ""}, given)
    assert loaded.items == (expected,)
    assert dropped(loaded) == [("record 0", "record", "empty target")]


def test_rome_drops_empty_targets_and_lost_characters(load: Load) -> None:
    rewrite = ROME["requested_rewrite"]
    loaded = load(
        "counterfact_rome",
        ROME,
        {**ROME, "requested_rewrite": {**rewrite, "target_new": {"str": ""}}},
        {**ROME, "requested_rewrite": {**rewrite, "subject": LOST}},
    )
    assert dropped(loaded) == [
        ("record 1", "record", "empty target"),
        ("record 2", "record", "text holds U+FFFD"),
    ]


@pytest.mark.parametrize(
    ("name", "field", "kind"),
    [
        ("zsre", "rephrase", "rephrase"),
        ("zsre", "loc", "locality"),
        ("counterfact", "rephrase_prompt", "consequence"),
        ("counterfact", "locality_prompt", "neighbour"),
        ("selfcheckgpt", "locality_prompt", "locality"),
        ("temporal", "ood_rephrase", "ood"),
    ],
)
def test_a_probe_without_a_usable_prompt_is_left_out(
    load: Load, name: str, field: str, kind: str
) -> None:
    given, expected = PARSED[name]
    for bad, why in ((" ", f"empty field '{field}'"), (LOST, f"U+FFFD in field '{field}'")):
        loaded = load(name, {**given, field: bad})
        kept = tuple(probe for probe in expected.probes if probe.kind != kind)
        assert loaded.items == (Record(expected.edit, kept),)
        assert dropped(loaded) == [("record 0", kind, why)]


@pytest.mark.parametrize(
    ("name", "field", "kind"),
    [
        ("zsre", "loc_ans", "locality"),
        ("counterfact", "locality_ground_truth", "neighbour"),
        ("selfcheckgpt", "locality_ground_truth", "locality"),
        ("temporal", "locality_ground_truth", "locality"),
    ],
)
def test_an_answer_that_is_no_use_is_none_and_listed(
    load: Load, name: str, field: str, kind: str
) -> None:
    given, expected = PARSED[name]
    for bad, why in (("", f"empty field '{field}'"), (LOST, f"U+FFFD in field '{field}'")):
        loaded = load(name, {**given, field: bad})
        (record,) = loaded.items
        assert [probe.expected for probe in record.of(kind)] == [None]
        assert len(record.probes) == len(expected.probes)
        assert dropped(loaded) == [("record 0", kind, why)]
    assert load(name, {**given, field: None}).dropped == ()


def test_empty_texts_of_lists_are_left_out_one_by_one(load: Load) -> None:
    loaded = load("counterfact_rome", {**ROME, "paraphrase_prompts": ["", "Acme is in", LOST]})
    (record,) = loaded.items
    assert record.of("rephrase") == [Probe("rephrase", "Acme is in", "Oslo")]
    assert dropped(loaded) == [
        ("record 0", "rephrase", "empty field 'paraphrase_prompts'"),
        ("record 0", "rephrase", "U+FFFD in field 'paraphrase_prompts'"),
    ]


def test_knowedit_names_inner_fields_and_kinds_it_does_not_know(load: Load) -> None:
    portability = {
        "Reasoning": [{"prompt": " ", "ground_truth": "x"}],
        "Subject_Aliasing": [{"prompt": "The Acme is in", "ground_truth": []}],
        "Telepathy": [],
    }
    loaded = load("knowedit", {**KNOWEDIT, "portability": portability, "locality": {}})
    (record,) = loaded.items
    assert record.probes == (Probe("alias", "The Acme is in", None),)
    assert dropped(loaded) == [
        ("record 0", "Telepathy", "unknown kind of probe"),
        ("record 0", "alias", "empty field 'portability.Subject_Aliasing.ground_truth'"),
        ("record 0", "consequence", "empty field 'portability.Reasoning.prompt'"),
    ]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("The Acme Tower is new.", "text does not begin with the prompt"),
        ("Acme Tower island is new.", "prompt ends inside a word of the text"),
        ("Acme Tower is", "text does not go on after the prompt"),
    ],
)
def test_temporal_continues_only_what_begins_with_the_prompt(
    load: Load, text: str, why: str
) -> None:
    loaded = load("temporal", {**TEMPORAL, "ood_rephrase": text})
    (record,) = loaded.items
    assert record.of("ood") == []
    assert dropped(loaded) == [("record 0", "ood", why)]


def test_temporal_continues_after_a_comma(load: Load) -> None:
    given = {**TEMPORAL, "prompt": "Acme Tower", "ood_rephrase": "Acme Tower, a sight, is new."}
    (record,) = load("temporal", given).items
    assert record.of("ood") == [Probe("ood", "Acme Tower", ", a sight, is new.")]


# ---------------------------------------------------------------------- what they refuse


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("zsre", {**ZSRE, "alt": 7}, "field 'alt' must be a non-empty text, not 7."),
        ("zsre", {**ZSRE, "loc_ans": 7}, "field 'loc_ans' must be a non-empty text, not 7."),
        ("zsre", {**ZSRE, "portability": 7}, "field 'portability' must be a JSON object, not int."),
        ("zsre", COUNTERFACT, "field 'src' is missing."),
        ("zsre", [ZSRE], "a record must be a JSON object, not list."),
        (
            "knowedit",
            {**KNOWEDIT, "locality": {"Forgetfulness": {}}},
            "field 'locality.Forgetfulness' must be a list, not {}.",
        ),
        (
            "knowedit",
            {**KNOWEDIT, "locality": {"Forgetfulness": ["text"]}},
            "field 'locality.Forgetfulness' must be a JSON object, not str.",
        ),
        (
            "selfcheckgpt",
            {k: v for k, v in SELFCHECKGPT.items() if k != "locality_prompt"},
            "field 'locality_prompt' is missing.",
        ),
    ],
)
def test_a_malformed_record_is_named_or_skipped_and_counted(
    load: Load, name: str, given: Any, message: str
) -> None:
    good, expected = PARSED[name]
    path = Path(data.get(name).FILES["edit"])
    with pytest.raises(BadRecord) as refused:
        load(name, good, given)
    assert str(refused.value).endswith(f"{path}, record 1: {message}")
    loaded = load(name, good, given, skip_bad=True)
    assert (loaded.items, loaded.read) == ((expected,), 2)
    assert dropped(loaded) == [("record 1", "record", f"malformed: {message[:-1]}")]


def test_a_line_that_is_not_json_is_named_or_skipped_and_counted(tmp_path: Path) -> None:
    path = tmp_path / "facts.jsonl"
    path.write_text('{"prompt": \n\n' + json.dumps(PLAIN) + "\n")
    with pytest.raises(BadRecord) as refused:
        data.load("plain", path)
    assert str(refused.value) == f"{path}, line 1: not valid JSON (Expecting value)."
    loaded = data.load("plain", path, skip_bad=True)
    assert loaded.items == (Record(Edit("The CEO of Acme is", "Dana Reyes", "Acme")),)
    assert dropped(loaded) == [("line 1", "record", "malformed: not valid JSON (Expecting value)")]


@pytest.mark.parametrize("skip_bad", [True, False])
def test_a_broken_array_cannot_be_skipped(tmp_path: Path, skip_bad: bool) -> None:
    path = tmp_path / "facts.json"
    path.write_text('[\n{"prompt": "p", "target": "t"},\n{"prompt": }\n]')
    with pytest.raises(BadRecord, match="line 3: not valid JSON"):
        data.load("plain", path, skip_bad=skip_bad)


def test_json_beyond_pythons_limits_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "facts.json"
    path.write_text("[" * 200_000)
    with pytest.raises(BadRecord, match="line 1: not usable JSON"):
        data.load("plain", path)


@pytest.mark.parametrize("records", [[], [{**PLAIN, "target": ""}]])
def test_a_file_with_nothing_usable_is_refused(load: Load, records: list[Any]) -> None:
    with pytest.raises(BadInput) as refused:
        load("plain", *records)
    assert str(refused.value).endswith(
        f"facts.jsonl holds no usable record ({len(records)} read); give at least one."
    )


def test_a_summary_groups_what_was_dropped(load: Load) -> None:
    loaded = load("zsre", ZSRE, {**ZSRE, "alt": ""}, {**ZSRE, "src": "q?", "alt": ""})
    assert data.summary(loaded) == {
        "sha256": loaded.sha256,
        "read": 3,
        "kept": 1,
        "probes": {"rephrase": 1, "locality": 1, "consequence": 1},
        "dropped": [
            {
                "what": "record",
                "why": "empty target",
                "count": 2,
                "where": ["record 1", "record 2"],
            }
        ],
    }
