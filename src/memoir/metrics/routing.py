"""Routing: which edit fires, asked of every prompt of a record. Only for methods that route.

    fires_KIND        share of prompts of that kind on which some edit fires
    right_edit_KIND   share on which the record's own edit fires (kinds that must give the target)

For ``edit``, ``rephrase``, ``alias`` more is better; a prompt that must stay (``locality``,
``neighbour``, …) should fire nothing. With ``chat``, the same inside the chat template.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from memoir.metrics.base import GIVES_TARGET, STAYS, Ask, Output, Said, Say
from memoir.types import Record


def _outputs() -> dict[str, Output]:
    found: dict[str, Output] = {}
    for place, where in (("", ""), ("_chat", " in the chat template")):
        for kind in (*GIVES_TARGET, *STAYS):
            better: Literal["higher", "lower"] = "lower" if kind in STAYS else "higher"
            found[f"fires_{kind}{place}"] = Output(
                better, f"Share of {kind} prompts{where} on which some edit fires."
            )
        for kind in GIVES_TARGET:
            found[f"right_edit_{kind}{place}"] = Output(
                "higher", f"Share of {kind} prompts{where} on which the record's own edit fires."
            )
    return found


@dataclass(frozen=True)
class Routing:
    """Fire rates by kind of prompt.

    Attributes:
        chat: also inside the chat template.
    """

    over: ClassVar[str] = "records"
    outputs: ClassVar[dict[str, Output]] = _outputs()

    chat: bool = False

    def asks(self, record: Record) -> Sequence[Ask]:
        """Every prompt, with one token of answer: the verdict comes with it."""
        kinds = [("edit", record.edit.prompt)]
        kinds += [(probe.kind, probe.prompt) for probe in record.probes]
        return [
            Say(prompt, 1, kind, chat)
            for chat in ((False, True) if self.chat else (False,))
            for kind, prompt in kinds
            if kind in GIVES_TARGET or kind in STAYS
        ]

    def score(self, record: Record, said: Said, own: str | None) -> dict[str, float]:
        """Shares of the probes of each kind."""
        values: dict[str, list[float]] = {}
        for ask in self.asks(record):
            match = said[ask].match if isinstance(ask, Say) else None
            if match is None or not isinstance(ask, Say):
                continue
            name = ask.about + ("_chat" if ask.chat else "")
            values.setdefault(f"fires_{name}", []).append(float(match.fired))
            if ask.about in GIVES_TARGET:
                right = match.fired and match.edit_id == own
                values.setdefault(f"right_edit_{name}", []).append(float(right))
        return {name: float(np.mean(each)) for name, each in values.items()}
