"""Free generation: whole words, whatever their case, spacing and punctuation."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memoir.metrics.text import begins_with, contains, normalise

WORDS = st.lists(st.text("abcXYZéß019", min_size=1, max_size=6), min_size=1, max_size=4)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Dana Reyes", "dana reyes"),
        ("  Dana\n\t Reyes. ", "dana reyes"),
        ("“Dana” (Reyes)!", "dana” (reyes"),
        ("**Paris**", "paris"),
        ("Straße", "strasse"),
        ("ﬁve", "five"),
        ("１２", "12"),
        ("", ""),
        (" … ", ""),
    ],
)
def test_case_spaces_and_outer_punctuation_do_not_count(text: str, expected: str) -> None:
    assert normalise(text) == expected


@given(st.text())
def test_normalising_white_space_and_case_twice_changes_nothing_more(text: str) -> None:
    assert "\n" not in normalise(text)
    assert "  " not in normalise(text)
    assert normalise(f"\n {text} .") == normalise(text)


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("Dana Reyes", "Dana Reyes"),
        ("dana reyes, who lives in Oslo", "Dana Reyes"),
        ("“Paris” is the capital", "Paris"),
        ("Paris’s mayor", "paris"),
        ("New\nYork City", "New York"),
        ("U.S. troops", "U.S."),
        ("C++ and C", "C++"),
        ("São Paulo", unicodedata.normalize("NFD", "São Paulo")),
        ("1998.", "1998"),
        ("-5 degrees", "-5"),
    ],
)
def test_an_answer_that_begins_with_the_target_holds(text: str, target: str) -> None:
    assert begins_with(text, target)
    assert contains(text, target)


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("Danae Reyes", "Dana"),
        ("19981", "1998"),
        ("", "Dana"),
        ("Dana", "Dana Reyes"),
        ("Reyes, Dana", "Dana Reyes"),
        ("Sao Paulo", "São Paulo"),
        ("aXb", "a.b"),
        ("snake_case", "snake"),
    ],
)
def test_part_of_a_word_or_of_the_target_does_not_hold(text: str, target: str) -> None:
    assert not begins_with(text, target)
    assert not contains(text, target)


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("The CEO of Acme is Dana Reyes.", "dana reyes"),
        ("It is (of course) Paris!", "Paris"),
        ("He joined in 1998, aged 20", "1998"),
        ("Obama's answer: “Oslo”.", "Oslo"),
    ],
)
def test_a_target_inside_a_sentence_is_contained_but_does_not_begin_it(
    text: str, target: str
) -> None:
    assert contains(text, target)
    assert not begins_with(text, target)


@pytest.mark.parametrize(
    ("text", "target"),
    [("It was Obamacare", "Obama"), ("all in Bordana", "Dana"), ("in 21998", "1998")],
)
def test_a_target_inside_a_word_is_not_contained(text: str, target: str) -> None:
    assert not contains(text, target)


@given(WORDS, WORDS)
def test_a_text_made_of_the_target_and_more_words_holds(target: list[str], rest: list[str]) -> None:
    wanted, more = " ".join(target), " ".join(rest)
    assert begins_with(f"{wanted} {more}", wanted)
    assert contains(f"{more} {wanted} {more}", wanted)
    assert not begins_with(f"{wanted}0 {more}", wanted)


@pytest.mark.parametrize("text", ["", "anything, at all"])
def test_a_target_of_punctuation_alone_is_never_found(text: str) -> None:
    assert not begins_with(text, "?!")
    assert not contains(text, "?!")
