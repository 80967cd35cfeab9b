"""WikiText perplexity: the exponential of the mean cross-entropy over articles."""

from __future__ import annotations

import math

import pytest
from handmade import fired, said

from memoir.bench.summary import aggregate
from memoir.metrics import outputs
from memoir.metrics.base import Compare, Compared
from memoir.metrics.wikitext import WikiText

ARTICLE = " one  two\nthree four five six seven "
SHORT = WikiText(prompt_words=2, words=3)
ASK = Compare("one two", "three four five")


def test_the_first_words_are_the_prompt_and_the_next_are_read() -> None:
    assert SHORT.asks(ARTICLE) == [ASK]


def test_both_cross_entropies_and_the_routers_verdict_are_given() -> None:
    answers = said({ASK: Compared(2.5, 2.0, 0.1, fired("e1"))})
    assert SHORT.score(ARTICLE, answers, None) == {
        "wikitext_perplexity": 2.5,
        "wikitext_unedited_perplexity": 2.0,
        "wikitext_fires": 1.0,
    }


def test_below_its_threshold_no_edit_fires() -> None:
    answers = said({ASK: Compared(2.5, 2.0, 0.1, fired("e1", 0.2))})
    assert SHORT.score(ARTICLE, answers, None)["wikitext_fires"] == 0.0


def test_a_method_without_a_router_has_no_fire_rate() -> None:
    found = SHORT.score(ARTICLE, said({ASK: Compared(2.5, 2.0, 0.1)}), None)
    assert found.keys() == {"wikitext_perplexity", "wikitext_unedited_perplexity"}


@pytest.mark.parametrize("name", ["wikitext_perplexity", "wikitext_unedited_perplexity"])
def test_articles_become_one_number_by_the_exponential_of_their_mean(name: str) -> None:
    mean = outputs()[name].mean
    found = aggregate([math.log(2), math.log(32)], mean)
    assert found["value"] == 8.0  # the mean of 2 and 32 would be 17
    assert found["ci95"] == [2.0, 32.0]
    assert outputs()["wikitext_fires"].mean == "arithmetic"
