"""All metrics together: they are found by their files, and every number has one meaning."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from handmade import ITEMS, anything, said

from memoir import metrics
from memoir.errors import BadInput, UnknownName
from memoir.metrics.settings import BESIDES

NAMES = [
    "arc_easy",
    "cost",
    "divergence",
    "fluency",
    "free_generation",
    "judge",
    "natural_questions",
    "out_of_distribution",
    "perplexity",
    "routing",
    "teacher_forcing",
    "wikitext",
]
ALL_ON: dict[str, dict[str, Any]] = {
    "fluency": {"settings": BESIDES},
    "free_generation": {"settings": BESIDES},
    "routing": {"settings": BESIDES},
    "wikitext": {"prompt_words": 2, "words": 2},
    "divergence": {"prompt_words": 2, "words": 2},
}
"""Options with which a metric gives every number it has."""


def outputs_of(name: str) -> dict[str, Any]:
    options = {"url": "http://x", "model": "m"} if name == "judge" else {}
    return dict(metrics.make(name, options).outputs)


def test_every_file_is_a_metric() -> None:
    assert metrics.available() == NAMES


def test_no_name_is_given_by_two_metrics() -> None:
    counts = Counter(key for name in NAMES for key in outputs_of(name))
    assert [key for key, count in counts.items() if count > 1] == []
    assert metrics.outputs().keys() == counts.keys()


@pytest.mark.parametrize("name", NAMES)
def test_every_number_has_a_definition_and_a_direction_or_none(name: str) -> None:
    found = outputs_of(name)
    assert found
    for output in found.values():
        assert output.better in ("higher", "lower", None)
        assert output.mean in ("arithmetic", "exp")
        assert len(output.means.split()) >= 5
        assert not output.means.startswith("The same"), "a definition is read on its own"
        assert output.means.endswith(".")


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("cost", "judge")])
def test_an_item_with_everything_gives_every_stated_number_and_no_other(name: str) -> None:
    metric = metrics.make(name, ALL_ON.get(name))
    item = ITEMS[metric.over]
    answers = said({ask: anything(ask) for ask in metric.asks(item)})
    assert metric.score(item, answers, "e1").keys() == outputs_of(name).keys()


def test_an_unknown_metric_is_refused_with_a_guess_and_the_list() -> None:
    with pytest.raises(UnknownName) as refused:
        metrics.make("perplexty")
    assert str(refused.value) == (
        f"no metric 'perplexty'. Did you mean 'perplexity'? Available: {', '.join(NAMES)}."
    )


@pytest.mark.parametrize("name", ["base", "settings", "text"])
def test_what_metrics_share_is_no_metric(name: str) -> None:
    with pytest.raises(UnknownName, match=f"no metric '{name}'"):
        metrics.make(name)


@pytest.mark.parametrize(
    ("name", "option", "expected"),
    [
        (
            "free_generation",
            "token",
            "no option of metric free_generation 'token'. Did you mean 'tokens'? "
            "Available: setting_probes, setting_tokens, settings, share, tokens.",
        ),
        ("perplexity", "items", "no option of metric perplexity 'items'. None is available."),
    ],
)
def test_an_unknown_option_is_refused_with_those_there_are(
    name: str, option: str, expected: str
) -> None:
    with pytest.raises(UnknownName) as refused:
        metrics.make(name, {option: 1})
    assert str(refused.value) == expected


@pytest.mark.parametrize(
    ("name", "option", "given", "allowed"),
    [
        ("free_generation", "tokens", "eight", "a whole number from 1 on, not 'eight'"),
        ("free_generation", "tokens", 0, "a whole number from 1 on, not 0"),
        ("free_generation", "tokens", 1.5, "a whole number from 1 on, not 1.5"),
        ("free_generation", "tokens", True, "a whole number from 1 on, not True"),
        ("free_generation", "settings", "chat", "a list of texts, not 'chat'"),
        ("free_generation", "settings", ["chat", 1], "a list of texts, not ['chat', 1]"),
        (
            "free_generation",
            "share",
            0,
            "a number above 0, or a table of such numbers by setting, not 0",
        ),
        ("free_generation", "setting_probes", 0, "a whole number from 1 on, not 0"),
        ("routing", "setting_probes", {"chat": 1}, "a whole number from 1 on, not {'chat': 1}"),
        ("routing", "settings", {"chat": 1}, "a list of texts, not {'chat': 1}"),
        ("judge", "timeout", None, "a number above 0, not None"),
        ("cost", "turns", 0, "a whole number from 1 on, not 0"),
        ("judge", "timeout", -1.0, "a number above 0, not -1.0"),
        ("judge", "url", 7, "a text, not 7"),
    ],
)
def test_a_value_an_option_cannot_have_is_refused(
    name: str, option: str, given: object, allowed: str
) -> None:
    with pytest.raises(BadInput) as refused:
        metrics.make(name, {option: given})
    assert str(refused.value) == f"option '{option}' of metric {name} must be {allowed}."


def test_a_list_of_a_plan_is_kept_as_it_cannot_be_changed() -> None:
    made = metrics.make("routing", {"settings": ["chat", "turns"], "share": 1})
    assert (made.settings, made.share) == (("chat", "turns"), 1)
    assert hash(made)
    table = {"turns": 0.5, "chat": 1}
    made = metrics.make("routing", {"settings": ["chat", "turns"], "share": table})
    assert made.share == (("chat", 1), ("turns", 0.5))
    assert hash(made)


def test_an_option_that_may_be_left_out_may_be_none() -> None:
    assert metrics.make("routing", {"setting_probes": None}) == metrics.make("routing")
    assert metrics.make("routing", {"setting_probes": 1}).setting_probes == 1


def test_a_whole_number_will_do_where_a_fraction_may_stand() -> None:
    made = metrics.make("judge", {"url": "http://x", "model": "m", "timeout": 5})
    assert made.timeout == 5
