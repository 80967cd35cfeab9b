"""Drift in knowledge: ARC-easy accuracy with the edits in force. Higher is better, 0..1.

The question is the prompt that decides whether an edit fires; the choice with the highest summed
log-probability wins, as in lm-evaluation-harness (which cannot be used: it joins question and choice
in one pass, so that every choice would be judged as a prompt of its own).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from memoir.metrics.base import Ask, Force, Output, Said
from memoir.types import Choice


@dataclass(frozen=True)
class ArcEasy:
    """Multiple choice by likelihood, with and without the edits.

    Attributes:
        items: questions asked.
    """

    over: ClassVar[str] = "arc_easy"
    outputs: ClassVar[dict[str, Output]] = {
        "arc_easy_accuracy": Output("higher", "Share of ARC-easy questions answered rightly."),
        "arc_easy_unedited_accuracy": Output(
            "higher", "Share of ARC-easy questions the unedited model answers rightly."
        ),
    }

    items: int = 100

    def asks(self, question: Choice) -> Sequence[Ask]:
        """Every choice, fed after the question, with and without the edits."""
        return [
            Force(_prompt(question), choice, edits)
            for edits in (True, False)
            for choice in question.choices
        ]

    def score(self, question: Choice, said: Said, own: str | None) -> dict[str, float]:
        """1 if the right choice is the likeliest, else 0."""
        values = {}
        for name, edits in (("arc_easy_accuracy", True), ("arc_easy_unedited_accuracy", False)):
            forced = [said[Force(_prompt(question), each, edits)] for each in question.choices]
            sums = [-each.loss * len(each.correct) for each in forced]
            values[name] = float(max(range(len(sums)), key=sums.__getitem__) == question.gold)
        return values


def _prompt(question: Choice) -> str:
    return f"{question.query}\nAnswer:"
