"""Words and their rarity: what is a word, where it stands, and which words tell most."""

from __future__ import annotations

import pytest
from ranked import rarity

from memoir.routing.words import SMALL, fold, words


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Who founded Acme?", ["who", "founded", "acme"]),
        ("Zürich's Café", ["zurich", "cafe"]),
        ("the Smiths’ and Ada’s", ["the", "smiths", "and", "ada"]),
        ("it can't be s", ["it", "can", "be", "s"]),
        ("C-3PO, 24/7; x_1", ["c", "3po", "24", "7", "x_1"]),
        ("東京 is 도쿄", ["東", "京", "is", *map(fold, "도쿄")]),
        ("STRASSE straße", ["strasse", "strasse"]),
        (" ?! … ", []),
    ],
)
def test_words_are_folded_and_possessive_endings_are_none(text: str, expected: list[str]) -> None:
    assert [word.text for word in words(text)] == expected


def test_a_word_knows_where_it_stands() -> None:
    text = "He met Ada. 3 men: Bo"
    found = words(text)
    assert [text[word.start : word.end] for word in found] == ["He", "met", "Ada", "3", "men", "Bo"]
    assert [word.capital for word in found] == [True, False, True, True, False, True]
    assert [word.begins for word in found] == [True, False, False, True, False, True]


def test_a_rare_word_weighs_more_than_a_common_one_and_a_small_one_least() -> None:
    weigh = rarity().of
    assert weigh("vellaby") > weigh("river") > weigh("who") > weigh("the") > 0
    assert weigh("the") == weigh("van") == 0.02
    assert {"the", "van"} <= SMALL


def test_words_of_relations_do_not_name_a_subject() -> None:
    seldom, often = rarity(governor=1), rarity(governor=40)
    assert seldom.uses("governor") == 1
    assert seldom.uses("vellaby") == 0
    assert rarity().alone("governor") > seldom.alone("governor") > often.alone("governor")
    # Beside other words of a name it still tells something.
    assert often.of("governor") > 5 * often.alone("governor")


def test_numbers_tell_subjects_apart() -> None:
    assert rarity().alone("7") > 0.6
    assert rarity().alone("7") > rarity().alone("river")


def test_weights_of_several_words_add_up() -> None:
    weigh = rarity()
    assert weigh.total(["the", "vellaby"]) == weigh.of("the") + weigh.of("vellaby")
