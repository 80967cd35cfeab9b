"""The public files themselves: what each holds, and what is dropped from it.

They are read from the folder that MEMOIR_DATA names, and are no part of this project.
"""

from __future__ import annotations

import json
import os
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import pytest

from memoir import data
from memoir.data import Choice, Question
from memoir.errors import BadRecord
from memoir.types import Record

REPEATS = ("record", "prompt repeats an earlier record's")
NO_ANSWER = ("locality", "empty field 'locality_ground_truth'")
OTHER_BEGINNING = ("ood", "text does not begin with the prompt")
CUT_WORD = ("ood", "prompt ends inside a word of the text")

COUNTS: list[tuple[str, str, int, int, dict[str, int], dict[tuple[str, str], int]]] = [
    ("arc_easy", "edit", 2376, 2376, {}, {}),
    (
        "counterfact",
        "edit",
        10_000,
        9_917,
        {"consequence": 9_917, "neighbour": 9_917},
        {REPEATS: 83},
    ),
    (
        "counterfact_rome",
        "edit",
        1031,
        1031,
        {
            "rephrase": 2_062,
            "neighbour": 10_310,
            "attribute": 10_310,
            "consequence": 1_031,
            "same_subject": 2_062,
        },
        {},
    ),
    (
        "knowedit",
        "train",
        1428,
        1417,
        {"alias": 1399, "consequence": 803, "same_subject": 1244, "forgetfulness": 776},
        {
            REPEATS: 11,
            ("forgetfulness", "empty field 'locality.Forgetfulness.ground_truth'"): 1,
            ("same_subject", "empty field 'locality.Relation_Specificity.ground_truth'"): 1,
        },
    ),
    ("nq_open", "edit", 3610, 3610, {}, {}),
    (
        "selfcheckgpt",
        "edit",
        600,
        600,
        {"locality": 600},
        {NO_ANSWER: 7, ("locality", "U+FFFD in field 'locality_ground_truth'"): 1},
    ),
    ("selfcheckgpt", "train", 306, 306, {"locality": 306}, {NO_ANSWER: 5}),
    ("temporal", "edit", 75, 75, {"ood": 43, "locality": 75}, {OTHER_BEGINNING: 31, CUT_WORD: 1}),
    (
        "temporal",
        "train",
        75,
        74,
        {"ood": 45, "locality": 74},
        {OTHER_BEGINNING: 28, NO_ANSWER: 1, REPEATS: 1, CUT_WORD: 1},
    ),
    ("wikitext", "edit", 60, 60, {}, {}),
    (
        "zsre",
        "edit",
        1037,
        1037,
        {"rephrase": 1037, "locality": 1037, "consequence": 1037},
        {},
    ),
    (
        "zsre",
        "train",
        1000,
        998,
        {"rephrase": 998, "locality": 998},
        {("record", "empty target"): 2},
    ),
]
NAMES = [(name, split) for name, split, *_ in COUNTS]


@pytest.fixture
def folder() -> Path:
    named = os.environ.get("MEMOIR_DATA")
    if not named:
        pytest.skip("set MEMOIR_DATA to the folder of the public data sets to check them")
    return Path(named)


def load(folder: Path, name: str, split: str = "edit") -> data.DataSet:
    path = folder / data.get(name).FILES[split]
    if not path.is_file():
        pytest.skip(f"{path} is not there; MEMOIR_DATA names a folder without it")
    return data.load(name, folder, split=split)


@pytest.mark.parametrize(("name", "split", "read", "kept", "probes", "dropped"), COUNTS)
def test_records_probes_and_what_is_dropped_are_counted(
    folder: Path,
    name: str,
    split: str,
    read: int,
    kept: int,
    probes: dict[str, int],
    dropped: dict[tuple[str, str], int],
) -> None:
    counted = data.summary(load(folder, name, split))
    assert (counted["read"], counted["kept"]) == (read, kept)
    assert counted["probes"] == probes
    assert {(one["what"], one["why"]): one["count"] for one in counted["dropped"]} == dropped


@pytest.mark.parametrize(("name", "split"), NAMES)
def test_every_text_is_stripped_and_sound(folder: Path, name: str, split: str) -> None:
    for text in texts(load(folder, name, split).items):
        assert text
        assert text == text.strip()
        assert "\ufffd" not in text
        assert "{}" not in text


def texts(items: Any) -> list[str]:
    found: list[str] = []
    for item in items:
        if isinstance(item, Record):
            found += [item.edit.prompt, item.edit.target, item.edit.subject or "-"]
            found += [probe.prompt for probe in item.probes]
            found += [probe.expected for probe in item.probes if probe.expected is not None]
        elif isinstance(item, Question):
            found += [item.prompt, *item.answers]
        elif isinstance(item, Choice):
            found += [item.query, *item.choices]
        else:
            found.append(item)
    return found


@pytest.mark.parametrize(
    ("name", "split", "places"),
    [
        ("zsre", "train", {"record 534", "record 723"}),
        ("selfcheckgpt", "edit", {f"record {i}" for i in (86, 87, 90, 171, 172, 238, 314, 432)}),
    ],
)
def test_what_is_dropped_is_where_it_is_known_to_be(
    folder: Path, name: str, split: str, places: set[str]
) -> None:
    assert {one.where for one in load(folder, name, split).dropped} == places


def test_a_file_read_for_its_edits_keeps_repeats_and_names_an_empty_target(folder: Path) -> None:
    repeats = load(folder, "counterfact").file
    assert len(data.read(repeats)) == len(json.loads(repeats.read_text("utf-8"))) == 10_000
    with pytest.raises(BadRecord) as refused:
        data.read(path := load(folder, "zsre", "train").file)
    assert str(refused.value) == (
        f"{path}, record 534: field 'alt' must be a non-empty text, not ''."
    )


@pytest.mark.parametrize(
    ("name", "split"), [n for n in NAMES if n[0] not in ("arc_easy", "nq_open", "wikitext")]
)
def test_every_file_of_edits_is_recognised(folder: Path, name: str, split: str) -> None:
    loaded = load(folder, name, split)
    if (name, split) != ("zsre", "train"):
        kept = {item.edit.prompt: item for item in reversed(data.read(loaded.file))}
        for item in loaded.items:
            alone = kept[item.edit.prompt]
            assert alone.edit == item.edit
            # What takes other records to make stands last.
            assert alone.probes == item.probes[: len(alone.probes)]


def test_a_subject_is_asked_two_other_relations_in_words_of_the_file(folder: Path) -> None:
    loaded = load(folder, "counterfact_rome")
    values = json.loads(loaded.file.read_text("utf-8"))
    relations: dict[str, set[str]] = defaultdict(set)
    for value in values:
        rewrite = value["requested_rewrite"]
        relations[rewrite["prompt"]].add(rewrite["relation_id"])
    edits = {item.edit.prompt for item in loaded.items}
    asked: Counter[str] = Counter()
    for value, item in zip(values, loaded.items, strict=True):
        rewrite = value["requested_rewrite"]
        found = [template for template in relations for probe in item.of("same_subject")
                 if template.replace("{}", rewrite["subject"]) == probe.prompt]  # fmt: skip
        assert len(set(found)) == 2
        for template in found:
            assert rewrite["relation_id"] not in relations[template]
            asked.update(relations[template])
        assert not edits & {probe.prompt for probe in item.of("same_subject")}
        assert {probe.expected for probe in item.of("same_subject")} == {None}
    assert len(asked) >= 20
    assert max(asked.values()) < 200  # of 2,062: no relation is asked of everybody


def test_articles_read_like_ordinary_text(folder: Path) -> None:
    articles = load(folder, "wikitext").items
    assert all(str(text).startswith("= ") and "\n\n" not in str(text) for text in articles)
    whole = "\n".join(map(str, articles))
    assert "<unk>" in whole
    for leftover in (" @-@ ", " @,@ ", " @.@ ", " , ", " . ", "( ", " 's "):
        assert leftover not in whole
