"""Divergence: the same reading as WikiText perplexity, of which it takes the KL."""

from __future__ import annotations

from handmade import fired, said

from memoir.metrics import make, outputs
from memoir.metrics.base import Compare, Compared
from memoir.metrics.divergence import Divergence

ARTICLE = "one two three four five six seven"


def test_the_divergence_is_given_and_nothing_else() -> None:
    metric = Divergence(prompt_words=2, words=3)
    ask = Compare("one two", "three four five")
    assert metric.asks(ARTICLE) == [ask]
    answers = said({ask: Compared(2.5, 2.0, 0.125, fired("e1"))})
    assert metric.score(ARTICLE, answers, None) == {"wikitext_kl": 0.125}
    assert outputs()["wikitext_kl"].better == "lower"


def test_it_asks_what_wikitext_asks_so_that_one_pass_serves_both() -> None:
    article = " ".join(str(number) for number in range(500))
    (ask,) = make("divergence").asks(article)
    assert make("wikitext").asks(article) == [ask]
    assert (ask.prompt.split()[-1], ask.text.split()[0], ask.text.split()[-1]) == (
        "31",
        "32",
        "127",
    )
