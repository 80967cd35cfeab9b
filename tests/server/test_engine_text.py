"""Text told as it grows: no half characters, no beginnings of stop texts."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tiny
from memoir.host.texts import Texts
from memoir.server.engine.text import HALF, Decoder, Stops

TEXTS = Texts(tiny.model("llama"), tiny.tokenizer(), "tiny")


def told(decoder: Decoder, ids: list[int]) -> list[str]:
    return [*(decoder.add(id) for id in ids), decoder.rest()]


@given(st.text())
def test_a_text_comes_whole_and_never_with_half_a_character(text: str) -> None:
    ids = TEXTS.tokenizer(text)["input_ids"]  # a token a byte
    pieces = told(Decoder(TEXTS, TEXTS.encode("before").prompt), ids)
    assert "".join(pieces) == text
    if HALF not in text:
        assert not any(HALF in piece for piece in pieces)


def test_a_character_of_four_tokens_comes_with_the_last() -> None:
    ids = TEXTS.tokenizer("🐝!")["input_ids"]
    assert told(Decoder(TEXTS, []), ids) == ["", "", "", "🐝", "!", ""]


@given(st.lists(st.integers(4, tiny.VOCAB - 1), max_size=30))
def test_bytes_that_are_no_text_come_as_they_are_decoded_at_once(ids: list[int]) -> None:
    whole = TEXTS.tokenizer.decode(ids, clean_up_tokenization_spaces=False)
    assert "".join(told(Decoder(TEXTS, []), ids)) == whole


def test_special_tokens_have_no_text() -> None:
    (a,) = TEXTS.tokenizer("a")["input_ids"]
    assert told(Decoder(TEXTS, [a]), [0, a, 1, 1, a]) == ["", "a", "", "", "a", ""]


class Spaced:
    """A tokenizer that drops the space before a text's first word, as those of LLaMA do."""

    def decode(self, ids: list[int], **_options: Any) -> str:
        return " ".join("?" * id for id in ids)


def test_the_space_before_the_first_token_is_kept() -> None:
    texts = Texts(TEXTS.model, TEXTS.tokenizer, "tiny")
    texts.tokenizer = Spaced()  # type: ignore[assignment]
    assert told(Decoder(texts, [1]), [2, 3]) == [" ??", " ???", ""]


@pytest.mark.parametrize(
    ("stops", "pieces", "expected"),
    [
        (["END"], ["aE", "N", "D b"], ["a", "", ""]),
        (["END"], ["aE", "x"], ["a", "Ex"]),
        (["aab"], ["a", "a", "a", "b"], ["", "", "a", ""]),
        (["xabc", "ab"], ["xabc"], ["x"]),
        (["", "q"], ["a", "b"], ["a", "b"]),
        (["\n\n", "\n"], ["a\n", "\nb"], ["a", ""]),
    ],
)
def test_what_may_become_a_stop_text_is_held_back(
    stops: list[str], pieces: list[str], expected: list[str]
) -> None:
    stopping = Stops(stops)
    assert [stopping.add(piece) for piece in pieces] == expected


def test_what_was_held_back_comes_at_the_end() -> None:
    stops = Stops(["END"])
    assert stops.add("the EN") == "the "
    assert stops.rest() == "EN"
    assert not stops.stopped


letters = st.text("ab", max_size=12)


@given(letters, st.lists(st.text("ab", min_size=1, max_size=4), max_size=3), st.data())
def test_where_a_text_stops_does_not_depend_on_its_tokens(
    text: str, stops: list[str], data: st.DataObject
) -> None:
    cuts = sorted(data.draw(st.sets(st.integers(0, len(text)))))
    borders = [0, *cuts, len(text)]
    pieces = [text[a:b] for a, b in itertools.pairwise(borders)]
    one, other = Stops(stops), Stops(stops)
    assert "".join([*map(one.add, pieces), one.rest()]) == "".join(
        [*map(other.add, text), other.rest()]
    )
    assert one.stopped == other.stopped == any(stop in text for stop in stops)
