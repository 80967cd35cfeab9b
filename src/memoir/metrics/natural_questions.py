"""Questions that no edit is about (NQ-open): which fire, and whose answer changes?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from memoir.metrics.base import Ask, Output, Said, Say
from memoir.types import Question


@dataclass(frozen=True)
class NaturalQuestions:
    """Unrelated questions, asked bare, with and without the edits.

    Attributes:
        items: questions asked.
        tokens: longest answer, in tokens.
    """

    over: ClassVar[str] = "nq_open"
    outputs: ClassVar[dict[str, Output]] = {
        "nq_fires": Output("lower", "Share of unrelated questions on which some edit fires."),
        "nq_fg": Output("higher", "Share of unrelated questions whose greedy answer is unchanged."),
    }

    items: int = 200
    tokens: int = 12

    def asks(self, question: Question) -> Sequence[Ask]:
        """The question, with and without the edits."""
        return [Say(question.prompt, self.tokens, "unrelated", edits=on) for on in (True, False)]

    def score(self, question: Question, said: Said, own: str | None) -> dict[str, float]:
        """Whether it fires, and whether the text is the unedited model's."""
        new, old = (said[ask] for ask in self.asks(question) if isinstance(ask, Say))
        values = {"nq_fg": float(new.text == old.text)}
        if new.match is not None:
            values["nq_fires"] = float(new.match.fired)
        return values
