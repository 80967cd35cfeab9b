"""What is no edit: open questions, questions with choices, and encyclopedia articles."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from memoir import data
from memoir.data import Choice, DataSet, Question
from memoir.errors import BadInput, BadRecord

CHOICE = {"query": "Question: What melts?", "choices": ["Ice", "Fog "], "gold": 0}
QUESTION = {"question": "who built acme tower", "answer": ["Bo Lund", "Lund"]}
ARTICLES = """ \n = Acme Tower ( 1901 ) =\x20
 \n Acme Tower , a " <unk> " tower , cost $ 3 @,@ 000 @,@ 000 ; it \
is red @-@ brick and 2 @.@ 5 m ( 8 ft ) wide .\x20
 \n = = History = =\x20
 \n The owners ' plan wasn 't Ann 's : it failed ... twice !\x20
 = = = Fire = = =\x20
 Nobody knew why .\x20
 \n = ... Bell Tower =\x20
 \n It rings .\x20
"""


def load(folder: Path, name: str, *items: Any, skip_bad: bool = False) -> DataSet:
    path = folder / data.get(name).FILES["edit"]
    path.parent.mkdir(exist_ok=True)
    lines = [item if isinstance(item, str) else json.dumps(item) for item in items]
    path.write_text("\n".join(lines), "utf-8")
    return data.load(name, folder, skip_bad=skip_bad)


def dropped(loaded: DataSet) -> list[tuple[str, str, str]]:
    return [(one.where, one.what, one.why) for one in loaded.dropped]


# ---------------------------------------------------------------------- open questions


def test_a_question_has_all_its_answers(tmp_path: Path) -> None:
    loaded = load(tmp_path, "nq_open", QUESTION)
    assert loaded.items == (Question("who built acme tower", ("Bo Lund", "Lund")),)


def test_questions_of_no_use_and_empty_answers_are_dropped(tmp_path: Path) -> None:
    loaded = load(
        tmp_path,
        "nq_open",
        {**QUESTION, "answer": ["Bo", " "]},
        QUESTION,
        {"question": "where is it", "answer": []},
        {"question": "", "answer": ["x"]},
    )
    assert loaded.items == (Question("who built acme tower", ("Bo",)),)
    assert dropped(loaded) == [
        ("line 1", "answer", "empty field 'answer'"),
        ("line 2", "record", "prompt repeats an earlier record's"),
        ("line 3", "record", "empty answer"),
        ("line 4", "record", "empty prompt"),
    ]


def test_a_question_with_one_bare_answer_is_malformed(tmp_path: Path) -> None:
    with pytest.raises(BadRecord, match=r"line 1: field 'answer' must be a list, not 'Bo'\.$"):
        load(tmp_path, "nq_open", {**QUESTION, "answer": "Bo"})


# ---------------------------------------------------------------------- choices


def test_a_choice_is_stripped_and_told_from_others_by_its_choices(tmp_path: Path) -> None:
    other = {**CHOICE, "choices": ["Sand", "Ice"], "gold": 1}
    loaded = load(tmp_path, "arc_easy", CHOICE, other, CHOICE)
    assert loaded.items == (
        Choice("Question: What melts?", ("Ice", "Fog"), 0),
        Choice("Question: What melts?", ("Sand", "Ice"), 1),
    )
    assert dropped(loaded) == [("line 3", "record", "prompt repeats an earlier record's")]


@pytest.mark.parametrize("gold", [-1, 2, "0", True, None, 0.0])
def test_gold_must_be_an_index(tmp_path: Path, gold: object) -> None:
    message = f"field 'gold' must be the index of a choice, 0 to 1, not {gold!r}"
    with pytest.raises(BadRecord) as refused:
        load(tmp_path, "arc_easy", {**CHOICE, "gold": gold})
    assert str(refused.value).endswith(f"arc_easy.jsonl, line 1: {message}.")
    loaded = load(tmp_path, "arc_easy", {**CHOICE, "gold": gold}, CHOICE, skip_bad=True)
    assert dropped(loaded) == [("line 1", "record", f"malformed: {message}")]


@pytest.mark.parametrize("choices", [[], ["Ice"], ["Ice", " "], ["Ice", "\ufffd", "Fog"]])
def test_choices_must_be_two_texts_or_more(tmp_path: Path, choices: list[str]) -> None:
    with pytest.raises(BadRecord, match="'choices' must hold two or more non-empty texts"):
        load(tmp_path, "arc_easy", {**CHOICE, "choices": choices})


# ---------------------------------------------------------------------- articles


def test_articles_are_cut_at_titles_and_their_spacing_is_mended(tmp_path: Path) -> None:
    loaded = load(tmp_path, "wikitext", ARTICLES)
    assert loaded.items == (
        "= Acme Tower (1901) =\n"
        'Acme Tower, a "<unk>" tower, cost $3,000,000; it is red-brick and 2.5 m (8 ft) wide.\n'
        "== History ==\n"
        "The owners' plan wasn't Ann's: it failed... twice!\n"
        "=== Fire ===\n"
        "Nobody knew why.",
        "= ... Bell Tower =\nIt rings.",
    )
    assert (loaded.read, loaded.dropped) == (2, ())


def test_text_without_a_title_and_titles_without_text_are_dropped(tmp_path: Path) -> None:
    text = " Lost text . \n = Empty = \n \n = Lost = \n a \ufffd b \n" + ARTICLES
    loaded = load(tmp_path, "wikitext", text)
    assert (loaded.read, len(loaded.items)) == (5, 2)
    assert dropped(loaded) == [
        ("line 1", "record", "text before the first title"),
        ("line 2", "record", "article without text"),
        ("line 4", "record", "text holds U+FFFD"),
    ]


@pytest.mark.parametrize("text", ["", " \n \n", " No title . \n"])
def test_a_file_without_articles_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(BadInput, match="holds no usable record"):
        load(tmp_path, "wikitext", text)
