"""Files of edits: every format is understood, and a malformed record is named."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from invented import COUNTERFACT, PARSED, PLAIN, ROME, ZSRE

from memoir.data import read
from memoir.errors import BadInput, BadRecord
from memoir.types import Edit, Record

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


def test_your_own_facts_say_where_they_are_from_and_how_long_they_hold(lines: Write) -> None:
    given = {
        **{"prompt": "p", "target": "t", "source": " a letter ", "expires": "2026-12-31"},
        **{"tags": ["x", "y"], "message": "as of May"},
    }
    path = lines(given, {"prompt": "p", "target": "t", "source": "", "expires": None})
    full, bare = read(path)
    assert full == Record(
        Edit("p", "t", source="a letter", expires="2026-12-31", tags=("x", "y")),
        message="as of May",
    )
    assert bare == Record(Edit("p", "t"))
    assert (full.where, bare.where) == (f"{path}, line 1", f"{path}, line 2")


# ---------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("plain", "prompt"),
        ("plain", "target"),
        ("zsre", "src"),
        ("zsre", "alt"),
        ("counterfact", "prompt"),
        ("counterfact", "target_new"),
        ("knowedit", "target_new"),
        ("selfcheckgpt", "prompt"),
        ("temporal", "target_new"),
    ],
)
@pytest.mark.parametrize("bad", ["", "  ", 7, ["text"]])
def test_a_field_without_text_is_named(lines: Write, name: str, field: str, bad: object) -> None:
    given, _ = PARSED[name]
    path = lines(given, {**given, field: bad})
    assert refusal(path) == (
        f"{path}, line 2: field '{field}' must be a non-empty text, not {bad!r}."
    )


@pytest.mark.parametrize(
    ("name", "field"),
    [("zsre", "rephrase"), ("zsre", "loc"), ("counterfact", "locality_prompt")],
)
def test_a_probe_must_be_text_but_is_left_out_when_empty(
    lines: Write, name: str, field: str
) -> None:
    given, expected = PARSED[name]
    message = refusal(path := lines(given, {**given, field: 7}))
    assert message == f"{path}, line 2: field '{field}' must be a non-empty text, not 7."
    (record,) = read(lines({**given, field: " "}))
    assert record.edit == expected.edit
    assert len(record.probes) == len(expected.probes) - 1


@pytest.mark.parametrize("field", ["src", "alt"])
def test_text_with_a_lost_character_is_refused(lines: Write, field: str) -> None:
    assert refusal(path := lines({**ZSRE, field: "Z\ufffdrich"})) == (
        f"{path}, line 1: field '{field}' holds U+FFFD, in place of a character that was lost."
    )


def test_half_a_character_is_refused(lines: Write) -> None:
    path = lines('{"prompt": "p", "target": "\\ud83d"}')
    assert refusal(path) == (
        f"{path}, line 1: field 'target' must be text that UTF-8 can write, not '\\ud83d'."
    )


@pytest.mark.parametrize("field", ["prompt", "subject"])
def test_a_rewrite_without_text_is_named(lines: Write, field: str) -> None:
    rewrite = {**ROME["requested_rewrite"], field: " "}
    assert refusal(path := lines({**ROME, "requested_rewrite": rewrite})) == (
        f"{path}, line 1: field 'requested_rewrite.{field}' must be a non-empty text, not ' '."
    )


@pytest.mark.parametrize(
    ("rewrite", "message"),
    [
        (None, "field 'requested_rewrite' must be a JSON object, not NoneType."),
        (["text"], "field 'requested_rewrite' must be a JSON object, not list."),
        ({}, "field 'requested_rewrite.subject' is missing."),
        (
            {**ROME["requested_rewrite"], "target_new": None},
            "field 'requested_rewrite.target_new' must be a JSON object, not NoneType.",
        ),
        (
            {**ROME["requested_rewrite"], "target_new": {"str": ""}},
            "field 'requested_rewrite.target_new.str' must be a non-empty text, not ''.",
        ),
        (
            {**ROME["requested_rewrite"], "prompt": "Acme Tower stands in"},
            "field 'requested_rewrite.prompt' must hold {} where the subject goes, "
            "not 'Acme Tower stands in'.",
        ),
    ],
)
def test_a_malformed_rewrite_is_named(lines: Write, rewrite: object, message: str) -> None:
    path = lines({**ROME, "requested_rewrite": rewrite})
    assert refusal(path) == f"{path}, line 1: {message}"


@pytest.mark.parametrize("field", ["paraphrase_prompts", "neighborhood_prompts"])
@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (None, "must be a list, not None."),
        ("one text", "must be a list, not 'one text'."),
        ([7], "must be a non-empty text, not 7."),
    ],
)
def test_malformed_lists_of_probes_are_named(
    lines: Write, field: str, bad: object, message: str
) -> None:
    path = lines({**ROME, field: bad})
    assert refusal(path) == f"{path}, line 1: field '{field}' {message}"


@pytest.mark.parametrize("field", ["subject", "loc_ans"])
def test_optional_text_must_be_text(lines: Write, field: str) -> None:
    message = refusal(lines({**ZSRE, field: ["not", "text"]}))
    assert f"field '{field}'" in message


def test_unknown_fields_are_met_with_the_known_ones(lines: Write) -> None:
    path = lines({"question": "Who?", "answer": "Me"})
    assert refusal(path) == (
        f"{path}, line 1: fields answer, question fit no known format. A record must have one of "
        "these sets of fields: locality_prompt, prompt, rephrase_prompt, target_new; "
        "neighborhood_prompts, paraphrase_prompts, requested_rewrite; "
        "locality, portability, prompt, target_new; prompt, target; "
        "locality_prompt, prompt, target_new; "
        "locality_prompt, ood_rephrase, prompt, target_new; alt, loc, rephrase, src."
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
