"""Pairs to learn from: each is what its kind says, and pairs of one's own come from a file."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest

from memoir.errors import BadInput
from memoir.routing.pairs import SLOT, Pair, Told, names, pairs, relations, told, uses
from memoir.surroundings import asides

SOME = relations()[:40]


def drawn(seed: int = 0) -> list[Pair]:
    return list(pairs(SOME, names(), random.Random(seed)))


def meanings(text: str, subject: str) -> set[str]:
    """Relations of which a text, that may stand behind another sentence, is a phrasing."""
    aside = next((each for each in asides("fitting") if text.startswith(f"{each} ")), "")
    text = text.removeprefix(aside).strip()
    return {
        relation.name
        for relation in SOME
        for phrasing in relation.phrasings
        if text == phrasing.replace(SLOT, subject)
    }


def test_only_paraphrases_ask_the_same_of_the_same_subject() -> None:
    found = drawn()
    kinds = Counter(pair.kind for pair in found)
    assert kinds.keys() == {"paraphrase", "relation", "sibling", "unrelated"}
    assert min(kinds.values()) > 50
    for pair in found:
        taught = meanings(pair.prompt, pair.subject)
        asked = meanings(pair.question, pair.subject)
        assert taught, pair
        assert pair.question != pair.prompt
        if pair.kind == "paraphrase":
            assert taught & asked, pair
        elif pair.kind == "relation":
            assert asked - taught, pair
        elif pair.kind == "sibling":
            assert not asked, pair


def test_the_same_seed_draws_the_same() -> None:
    assert drawn(3) == drawn(3) != drawn(4)


def test_uses_counts_relations_and_not_subjects() -> None:
    count = uses(SOME)
    assert count["born"] >= 1
    assert max(count.values()) <= len(SOME)
    assert count["vellaby"] == 0


def test_pairs_of_one_s_own_are_read_line_by_line(tmp_path: Path) -> None:
    path = tmp_path / "own.jsonl"
    path.write_text(
        '{"prompt": "A is", "rephrase": "Is A?"}\n'
        '{"prompt": "B is", "rephrase": "Is B?", "subject": "B"}\n',
        "utf-8",
    )
    assert told(path) == [Told("A is", "Is A?"), Told("B is", "Is B?", "B")]


@pytest.mark.parametrize(
    "line", ["", "{", '{"prompt": "A is"}', '{"prompt": "A", "rephrase": "B", "target": "C"}']
)
def test_a_line_that_is_no_pair_is_refused_by_number(tmp_path: Path, line: str) -> None:
    path = tmp_path / "own.jsonl"
    path.write_text(f'{{"prompt": "A is", "rephrase": "Is A?"}}\n{line}\n', "utf-8")
    with pytest.raises(BadInput, match=r"own.jsonl, line 2: a pair is a JSON object with 'prompt'"):
        told(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"the file of pairs .*none.jsonl cannot be read"):
        told(tmp_path / "none.jsonl")
