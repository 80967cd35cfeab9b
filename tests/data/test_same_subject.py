"""CounterFact's subjects under other relations, in words that other records of the file bring."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from invented import ROME

from memoir import data
from memoir.data.counterfact_rome import FILES
from memoir.errors import BadRecord
from memoir.types import Probe, Record

WORDS = {
    "P1": ["{} stands in", "{} is found in"],
    "P2": ["{} was built by", "The builder of {} is"],
    "P3": ["{} is made of"],
    "P4": ["{} is owned by", "{}, owned by"],
    "P5": ["{} is famous for"],
}
ASKED = [(relation, template) for relation in WORDS for template in WORDS[relation]]


def rome(subject: str, relation: str | None, template: str) -> dict[str, Any]:
    rewrite = {**ROME["requested_rewrite"], "subject": subject, "prompt": template}
    rewrite["relation_id"] = relation
    return {**ROME, "requested_rewrite": rewrite}


def towers(count: int = 40) -> list[dict[str, Any]]:
    return [rome(f"Tower {i}", *ASKED[i % len(ASKED)]) for i in range(count)]


def load(folder: Path, *values: dict[str, Any], skip_bad: bool = False) -> data.DataSet:
    path = folder / FILES["edit"]
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(values), "utf-8")
    return data.load("counterfact_rome", folder, skip_bad=skip_bad)


def asked(loaded: data.DataSet) -> dict[str, list[Probe]]:
    """The probes by the edit's prompt."""
    records = [item for item in loaded.items if isinstance(item, Record)]
    return {record.edit.prompt: record.of("same_subject") for record in records}


def relation_of(prompt: str, subject: str) -> str:
    return next(r for r, template in ASKED if template.replace("{}", subject) == prompt)


def test_each_subject_is_asked_two_other_relations_and_no_answer_is_expected(
    tmp_path: Path,
) -> None:
    values = towers()
    relations: list[str] = []
    for value, probes in zip(values, asked(load(tmp_path, *values)).values(), strict=True):
        rewrite = value["requested_rewrite"]
        found = {relation_of(probe.prompt, rewrite["subject"]) for probe in probes}
        assert len(found) == len(probes) == 2
        assert rewrite["relation_id"] not in found
        assert {probe.expected for probe in probes} == {None}
        relations += found
    assert set(relations) == set(WORDS)


def test_the_same_file_gives_the_same_and_a_subject_keeps_its_own(tmp_path: Path) -> None:
    values = towers()
    first = asked(load(tmp_path, *values))
    assert asked(load(tmp_path, *values)) == first
    turned = asked(load(tmp_path, *reversed(values)))
    assert turned == first


def test_the_words_of_all_relations_are_drawn_from(tmp_path: Path) -> None:
    prompts = [p.prompt for each in asked(load(tmp_path, *towers())).values() for p in each]
    used = {template for _, template in ASKED for i in range(40)
            if template.replace("{}", f"Tower {i}") in prompts}  # fmt: skip
    assert used == {template for _, template in ASKED}


def test_no_edit_of_the_subject_is_asked(tmp_path: Path) -> None:
    both = [rome("Acme Tower", relation, WORDS[relation][0]) for relation in ("P1", "P3", "P5")]
    found = asked(load(tmp_path, *both))
    assert found == {value: [] for value in found}
    (first, *_) = asked(load(tmp_path, *both, rome("Bell Tower", "P2", "{} was built by"))).values()
    assert [probe.prompt for probe in first] == ["Acme Tower was built by"]


def test_relations_that_are_asked_in_the_same_words_count_as_one(tmp_path: Path) -> None:
    """Else the edited fact itself would have to stay what it was."""
    near = [rome("Acme Tower", "P1", "{} is in"), rome("Bell Tower", "P6", "{} is in")]
    near += [rome("Cove Tower", "P6", "{} is within"), rome("Dome Tower", "P7", "{} is high:")]
    found = asked(load(tmp_path, *near))
    assert [probe.prompt for probe in found["Acme Tower is in"]] == ["Acme Tower is high:"]
    assert len(found["Dome Tower is high:"]) == 1


def test_only_frequent_relations_are_asked(tmp_path: Path) -> None:
    common = [rome(f"Tower {i}-{j}", f"P{i}", f"{{}} has {i}") for i in range(20) for j in range(2)]
    rare = [rome(f"Tower {i}", f"P{i}", f"{{}} has {i}") for i in range(20, 40)]
    for prompt, probes in asked(load(tmp_path, *rare, *common)).items():
        assert len(probes) == 2, prompt
        assert all(int(probe.prompt.rpartition(" ")[2]) < 20 for probe in probes)


def test_records_without_a_relation_are_asked_nothing_and_lend_no_words(tmp_path: Path) -> None:
    loaded = load(tmp_path, rome("Acme Tower", None, "{} is in"), rome("Bell", "P1", "{} is at"))
    assert list(asked(loaded).values()) == [[], []]
    assert loaded.dropped == ()


def test_a_relation_that_is_empty_is_listed_and_one_that_is_no_text_refused(
    tmp_path: Path,
) -> None:
    loaded = load(tmp_path, rome("Acme Tower", " ", "{} is in"), rome("Bell", "P1", "{} is at"))
    assert list(asked(loaded).values()) == [[], []]
    assert [(one.where, one.what, one.why) for one in loaded.dropped] == [
        ("record 0", "same_subject", "empty field 'requested_rewrite.relation_id'")
    ]
    bad = rome("Acme Tower", "P1", "{} is in")
    bad["requested_rewrite"]["relation_id"] = 7
    with pytest.raises(BadRecord) as refused:
        load(tmp_path, bad)
    assert str(refused.value).endswith(
        "record 0: field 'requested_rewrite.relation_id' must be a non-empty text, not 7."
    )


def test_dropped_records_lend_no_words(tmp_path: Path) -> None:
    bad = rome("Bell Tower", "P2", "no place for a subject")
    good = rome("Acme Tower", "P1", "{} is in")
    loaded = load(tmp_path, bad, good, skip_bad=True)
    assert asked(loaded) == {"Acme Tower is in": []}


def test_a_file_read_for_its_edits_gives_none(tmp_path: Path) -> None:
    loaded = load(tmp_path, *towers(8))
    assert all(record.of("same_subject") == [] for record in data.read(loaded.file))
