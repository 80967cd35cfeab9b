"""Files of edits: every format is understood, and a malformed record is named."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from memoir.data import read
from memoir.errors import BadInput, BadRecord
from memoir.types import Edit, Probe, Record

PLAIN = {"prompt": "The CEO of Acme is", "target": "Dana Reyes", "subject": "Acme"}
ZSRE = {
    "subject": "Acme Tower",
    "src": "Who built Acme Tower?",
    "pred": "Ann",
    "rephrase": "By whom was Acme Tower built?",
    "alt": "Bo Lund",
    "answers": ["Cy"],
    "loc": "nq question: how high is a house",
    "loc_ans": "Ten metres",
    "cond": "Ann >> Bo Lund || Who built Acme Tower?",
}
COUNTERFACT = {
    "case_id": 7,
    "prompt": "Acme Tower stands in",
    "target_new": "Oslo",
    "subject": "Acme Tower",
    "ground_truth": "Bergen",
    "rephrase_prompt": "A storm came. The city of Acme Tower is",
    "locality_prompt": "Bell Tower stands in",
    "locality_ground_truth": "Turku",
}
ROME = {
    "case_id": 7,
    "requested_rewrite": {
        "prompt": "{} stands in",
        "subject": "Acme Tower",
        "target_new": {"str": "Oslo", "id": "Q1"},
        "target_true": {"str": "Bergen", "id": "Q2"},
    },
    "paraphrase_prompts": ["The city of Acme Tower is", "Acme Tower can be seen in"],
    "neighborhood_prompts": ["Bell Tower stands in"],
}
PARSED = {
    "plain": (PLAIN, Record(Edit("The CEO of Acme is", "Dana Reyes", "Acme"))),
    "zsre": (
        ZSRE,
        Record(
            Edit("Who built Acme Tower?", "Bo Lund", "Acme Tower"),
            (
                Probe("rephrase", "By whom was Acme Tower built?", "Bo Lund"),
                Probe("locality", "nq question: how high is a house", "Ten metres"),
            ),
        ),
    ),
    "counterfact": (
        COUNTERFACT,
        Record(
            Edit("Acme Tower stands in", "Oslo", "Acme Tower"),
            (
                Probe("rephrase", "A storm came. The city of Acme Tower is", "Oslo"),
                Probe("neighbour", "Bell Tower stands in", "Turku"),
            ),
        ),
    ),
    "counterfact_rome": (
        ROME,
        Record(
            Edit("Acme Tower stands in", "Oslo", "Acme Tower"),
            (
                Probe("rephrase", "The city of Acme Tower is", "Oslo"),
                Probe("rephrase", "Acme Tower can be seen in", "Oslo"),
                Probe("neighbour", "Bell Tower stands in", "Bergen"),
            ),
        ),
    ),
}
FORMATS = pytest.mark.parametrize("name", PARSED)

Write = Callable[..., Path]


@pytest.fixture
def lines(tmp_path: Path) -> Write:
    """Write values as JSON lines; text is written as it is."""

    def write(*values: Any) -> Path:
        path = tmp_path / "facts.jsonl"
        texts = [v if isinstance(v, str) else json.dumps(v, ensure_ascii=False) for v in values]
        path.write_text("".join(text + "\n" for text in texts), "utf-8")
        return path

    return write


def padded(value: Any) -> Any:
    """The same record with white space around every text."""
    if isinstance(value, dict):
        return {key: padded(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [padded(inner) for inner in value]
    return f" {value}\n" if isinstance(value, str) else value


def refusal(path: Path) -> str:
    with pytest.raises(BadRecord) as refused:
        read(path)
    return str(refused.value)


# ---------------------------------------------------------------------- what is understood


@FORMATS
def test_a_record_is_recognised_by_its_fields(lines: Write, name: str) -> None:
    given, expected = PARSED[name]
    assert read(lines(given)) == [expected]


@FORMATS
def test_an_array_and_json_lines_give_the_same(tmp_path: Path, lines: Write, name: str) -> None:
    given, expected = PARSED[name]
    array = tmp_path / "facts.json"
    array.write_text(json.dumps([given, given], indent=2))
    assert read(array) == read(lines(given, "", given)) == [expected, expected]


@FORMATS
def test_stray_spaces_are_stripped_everywhere(lines: Write, name: str) -> None:
    given, expected = PARSED[name]
    assert read(lines(padded(given))) == [expected]


def test_records_of_several_formats_may_stand_in_one_file(lines: Write) -> None:
    path = lines(*(given for given, _ in PARSED.values()))
    assert read(path) == [expected for _, expected in PARSED.values()]


def test_a_subject_is_optional(lines: Write) -> None:
    given = {"prompt": "p", "target": "t"}
    assert read(lines(given, {**given, "subject": None})) == [Record(Edit("p", "t"))] * 2


def test_optional_answers_may_be_absent(lines: Write) -> None:
    zsre = {key: ZSRE[key] for key in ("src", "alt", "rephrase", "loc")}
    (record,) = read(lines(zsre))
    assert record.edit.subject is None
    assert [probe.expected for probe in record.of("locality")] == [None]
    short = ("prompt", "target_new", "rephrase_prompt", "locality_prompt")
    (record,) = read(lines({key: COUNTERFACT[key] for key in short}))
    assert record.edit.subject is None
    assert [probe.expected for probe in record.of("neighbour")] == [None]


def test_text_beyond_ascii_is_kept_and_line_separators_inside_it_end_no_line(lines: Write) -> None:
    given = {"prompt": "Zürich\u2028 und\x85 東京", "target": "“ü”"}
    assert read(lines(given)) == [Record(Edit(given["prompt"], given["target"]))]


# ---------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("plain", "prompt"),
        ("plain", "target"),
        ("zsre", "src"),
        ("zsre", "alt"),
        ("zsre", "rephrase"),
        ("zsre", "loc"),
        ("counterfact", "prompt"),
        ("counterfact", "target_new"),
        ("counterfact", "rephrase_prompt"),
        ("counterfact", "locality_prompt"),
    ],
)
@pytest.mark.parametrize("bad", ["", "  ", 7, ["text"]])
def test_a_field_without_text_is_named(lines: Write, name: str, field: str, bad: object) -> None:
    given, _ = PARSED[name]
    path = lines(given, {**given, field: bad})
    assert refusal(path) == (
        f"{path}, line 2: field '{field}' must be a non-empty text, not {bad!r}."
    )


@pytest.mark.parametrize("field", ["prompt", "subject"])
def test_a_rewrite_without_text_is_named(lines: Write, field: str) -> None:
    rewrite = {**ROME["requested_rewrite"], field: " "}
    message = refusal(path := lines({**ROME, "requested_rewrite": rewrite}))
    assert message.startswith(f"{path}, line 1, requested_rewrite")
    assert f"field '{field}' must be a non-empty text, not ' '." in message


def test_a_rewrite_with_an_empty_target_is_named(lines: Write) -> None:
    rewrite = {**ROME["requested_rewrite"], "target_new": {"str": ""}}
    message = refusal(path := lines({**ROME, "requested_rewrite": rewrite}))
    assert message.startswith(f"{path}, line 1, requested_rewrite.target_new")


@pytest.mark.parametrize("bad", [None, "text", ["text"], {}, {"target_new": None}])
def test_a_malformed_rewrite_is_named(lines: Write, bad: object) -> None:
    message = refusal(path := lines({**ROME, "requested_rewrite": bad}))
    assert message.startswith(f"{path}, line 1: field 'requested_rewrite' is malformed")


@pytest.mark.parametrize("field", ["paraphrase_prompts", "neighborhood_prompts"])
@pytest.mark.parametrize("bad", [None, "one text", [7], [""]])
def test_malformed_lists_of_probes_are_named(lines: Write, field: str, bad: object) -> None:
    message = refusal(path := lines({**ROME, field: bad}))
    assert str(path) in message
    assert "line 1" in message
    assert field in message


@pytest.mark.parametrize("field", ["subject", "loc_ans"])
def test_optional_text_must_be_text(lines: Write, field: str) -> None:
    message = refusal(lines({**ZSRE, field: ["not", "text"]}))
    assert f"field '{field}'" in message


def test_unknown_fields_are_met_with_the_known_ones(lines: Write) -> None:
    path = lines({"question": "Who?", "answer": "Me"})
    assert refusal(path) == (
        f"{path}, line 1: fields answer, question fit no known format. A record must have one of "
        "these sets of fields: locality_prompt, prompt, rephrase_prompt, target_new; "
        "neighborhood_prompts, paraphrase_prompts, requested_rewrite; prompt, target; "
        "alt, loc, rephrase, src."
    )


def test_a_missing_field_is_among_those_that_are_listed(lines: Write) -> None:
    message = refusal(path := lines(PLAIN, {"prompt": "The CEO of Acme is"}))
    assert message.startswith(f"{path}, line 2: fields prompt fit no known format.")
    assert "; prompt, target;" in message


def test_a_malformed_line_is_named_by_its_number(lines: Write) -> None:
    path = lines(PLAIN, "", '{"prompt": "The CEO of Acme is", ')
    assert refusal(path).startswith(f"{path}, line 3: not valid JSON (")


def test_a_malformed_array_is_named_by_its_line(tmp_path: Path) -> None:
    path = tmp_path / "facts.json"
    path.write_text('[\n{"prompt": "p", "target": "t"},\n{"prompt": }\n]')
    assert refusal(path).startswith(f"{path}, line 3: not valid JSON (")


def test_a_record_of_an_array_is_named_by_its_number(tmp_path: Path) -> None:
    path = tmp_path / "facts.json"
    path.write_text(json.dumps([PLAIN, {**PLAIN, "target": ""}]))
    assert refusal(path) == f"{path}, record 1: field 'target' must be a non-empty text, not ''."


@pytest.mark.parametrize(("line", "kind"), [("7", "int"), ('"text"', "str"), ("null", "NoneType")])
def test_a_record_that_is_no_object_is_named(lines: Write, line: str, kind: str) -> None:
    path = lines(PLAIN, line)
    assert refusal(path) == f"{path}, line 2: a record must be a JSON object, not {kind}."


@pytest.mark.parametrize("content", ["", "\n \n", "[]"])
def test_a_file_without_records_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "facts.jsonl"
    path.write_text(content)
    with pytest.raises(BadInput) as refused:
        read(path)
    assert str(refused.value) == f"{path} holds no records; give at least one."


def test_a_file_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "facts.jsonl"
    path.write_bytes('{"prompt": "Zürich", "target": "t"}'.encode("latin-1"))
    with pytest.raises(BadInput, match="cannot be read as UTF-8 text: 'utf-8' codec can't") as bad:
        read(path)
    assert str(path) in str(bad.value)


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"cannot be read .*No such file"):
        read(tmp_path / "gone.jsonl")
    with pytest.raises(BadInput, match=r"cannot be read .*[Dd]irectory"):
        read(tmp_path)


# ---------------------------------------------------------------------- the public files

BENCHMARKS = Path(
    os.environ.get("MEMOIR_DATA") or Path(__file__).parents[2].parent / "shared" / "data"
)


def benchmark(name: str) -> Path:
    path = BENCHMARKS / name
    if not path.is_file():
        pytest.skip(f"{path} is not there; set MEMOIR_DATA to the folder of the public data sets")
    return path


@pytest.mark.parametrize(
    ("name", "count", "probes"),
    [
        ("zsre/zsre_mend_edit.json", 1037, {"rephrase": 1037, "locality": 1037}),
        ("counterfact/counterfact-edit.json", 10_000, {"rephrase": 10_000, "neighbour": 10_000}),
        ("counterfact/counterfact_portability_gpt4.json", 1031, {}),
    ],
)
def test_the_public_files_are_read_whole(name: str, count: int, probes: dict[str, int]) -> None:
    records = read(benchmark(name))
    assert len(records) == count
    for kind, number in probes.items():
        assert sum(len(record.of(kind)) for record in records) == number
    texts = [text for r in records for text in (r.edit.prompt, r.edit.target)]
    texts += [probe.prompt for record in records for probe in record.probes]
    assert all(text and text == text.strip() for text in texts)
    assert not any("{}" in record.edit.prompt for record in records)


def test_the_public_zsre_sample_with_empty_targets_names_the_first(tmp_path: Path) -> None:
    path = benchmark("zsre/zsre_mend_train-1k.json")
    assert refusal(path) == f"{path}, record 534: field 'alt' must be a non-empty text, not ''."
    records = json.loads(path.read_text("utf-8"))
    empty = [i for i, record in enumerate(records) if not record["alt"].strip()]
    assert empty == [534, 723]
    mended = tmp_path / "mended.json"
    mended.write_text(json.dumps([r for i, r in enumerate(records) if i not in empty]))
    assert len(read(mended)) == 998
