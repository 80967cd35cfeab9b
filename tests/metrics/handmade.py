"""Records and answers made by hand, to be scored with a pencil."""

from __future__ import annotations

from collections.abc import Mapping

from memoir.metrics.base import (
    GIVES_TARGET,
    STAYS,
    Ask,
    Compare,
    Compared,
    Force,
    GoOn,
    Said,
    WentOn,
)
from memoir.types import Answer, Choice, Edit, Match, Probe, Question, Record, Score

EDIT = Edit("Who leads Acme?", "Bo Li", "Acme")
EVERY_KIND = Record(
    EDIT,
    tuple(
        Probe(kind, f"a {kind} prompt", f"a {kind} answer")
        for kind in (*GIVES_TARGET, "ood", *STAYS)
        if kind != "edit"
    ),
)
ITEMS = {
    "records": EVERY_KIND,
    "arc_easy": Choice("Which is wet?", ("sand", "water"), 1),
    "nq_open": Question("how far is mars", ("far",)),
    "wikitext": "one two three four five six",
}
"""One item of everything that metrics are over."""


def record(*probes: Probe) -> Record:
    """The edit of Acme's head, with these probes."""
    return Record(EDIT, probes)


def said(answers: Mapping[Ask, Score | Answer | Compared | WentOn]) -> Said:
    """These answers, and no others: asking for more is a KeyError."""
    found = Said()
    for ask, answer in answers.items():
        found.put(ask, answer)
    return found


def ranks(correct: str, loss: float = 1.0, predicted: tuple[int, ...] | None = None) -> Score:
    """A forced answer: ``"101"`` has its second token wrong."""
    hits = tuple(each == "1" for each in correct)
    return Score(hits, predicted or tuple(range(len(hits))), loss)


def fired(id: str | None, score: float = 0.9, threshold: float = 0.5) -> Match:
    """A verdict of the router; it fires at or above the threshold."""
    return Match(id, score, threshold)


def anything(ask: Ask) -> Score | Answer | Compared | WentOn:
    """Some answer that fits the question."""
    if isinstance(ask, Force):
        return ranks("10")
    if isinstance(ask, Compare):
        return Compared(1.0, 1.0, 0.0, fired("e1"))
    if isinstance(ask, GoOn):
        return WentOn("Bo Li, and more", 0.25, 0.125, 3.0, 1.0, said=True)
    return Answer("Bo Li", fired("e1") if ask.edits else None)
