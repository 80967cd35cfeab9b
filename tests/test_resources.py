"""What ships with the package: enough of it, well formed, and nothing in two places."""

from __future__ import annotations

from memoir.calibration import Background
from memoir.demo import load_facts
from memoir.metrics.text import contains
from memoir.routing.pairs import SLOT, names, relations


def test_background_holds_many_distinct_prompts() -> None:
    background = Background.shipped()
    everything = [*background.prompts, *background.rephrases, *background.neighbours]
    assert len(background.prompts) >= 100
    assert len(set(everything)) == len(everything) == 3 * len(background.prompts)
    assert all(text == text.strip() and text for text in everything)


def test_demo_facts_are_complete() -> None:
    facts = load_facts()
    assert len(facts) >= 24
    for fact in facts:
        assert len(fact["rephrases"]) == 2
        texts = [fact["prompt"], *fact["rephrases"], fact["chat"]]
        assert all(fact["subject"] in text for text in texts), fact["id"]
        assert not any(contains(text, fact["target"]) for text in texts), fact["id"]
        assert fact["subject"] not in fact["neighbour"], fact["id"]
    asked = [fact[kind] for fact in facts for kind in ("prompt", "chat", "neighbour", "unrelated")]
    assert len(set(asked)) == len(asked)


def test_demo_facts_are_not_what_the_threshold_was_set_on() -> None:
    background = Background.shipped()
    known = {*background.prompts, *background.rephrases, *background.neighbours}
    for fact in load_facts():
        assert not known & {fact["prompt"], *fact["rephrases"], fact["neighbour"]}


def test_relations_have_fifteen_wordings_and_their_subjects_names() -> None:
    known, called = relations(), names()
    assert len(known) >= 500
    for relation in known:
        assert len(set(relation.phrasings)) == 15, relation.name
        assert all(phrasing.count(SLOT) == 1 for phrasing in relation.phrasings), relation.name
        assert len(set(called[relation.about])) == len(called[relation.about]) >= 50, relation.about
