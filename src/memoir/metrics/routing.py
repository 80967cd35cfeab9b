"""Routing: which edit fires, asked of every prompt of a record. Only for methods that route.

    fires_KIND        share of prompts of that kind on which some edit fires
    right_edit_KIND   share on which the record's own edit fires (kinds that must give the target)

For ``edit``, ``rephrase``, ``alias`` more is better; a prompt that must stay (``locality``,
``neighbour``, …) should fire nothing. With ``settings``, the same there: ``fires_KIND_chat``, ….
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from memoir.metrics.base import GIVES_TARGET, STAYS, Ask, Output, Said, Say
from memoir.metrics.settings import WHERE, Share, asked_in, check, named, probes_in
from memoir.types import Record


def _outputs() -> dict[str, Output]:
    found: dict[str, Output] = {}
    for setting, where in WHERE.items():
        for kind in (*GIVES_TARGET, *STAYS):
            better: Literal["higher", "lower"] = "lower" if kind in STAYS else "higher"
            found[named(f"fires_{kind}", setting)] = Output(
                better, f"Share of {kind} prompts{where} on which some edit fires."
            )
        for kind in GIVES_TARGET:
            found[named(f"right_edit_{kind}", setting)] = Output(
                "higher", f"Share of {kind} prompts{where} on which the record's own edit fires."
            )
    return found


@dataclass(frozen=True)
class Routing:
    """Fire rates by kind of prompt.

    Attributes:
        settings: asked in besides the bare prompt.
        share: of the records, how many are asked in settings, in all or by setting; all are asked
            bare.
        setting_probes: at most so many probes of each kind are asked in settings; None for all.
    """

    over: ClassVar[str] = "records"
    outputs: ClassVar[dict[str, Output]] = _outputs()

    settings: tuple[str, ...] = ()
    share: Share = 1.0
    setting_probes: int | None = None

    def __post_init__(self) -> None:
        check(self.settings, self.share)

    def asks(self, record: Record) -> Sequence[Ask]:
        """Every prompt, with one token of answer: the verdict comes with it."""
        return self._says(record)

    def score(self, record: Record, said: Said, own: str | None) -> dict[str, float]:
        """Shares of the probes of each kind."""
        values: dict[str, list[float]] = {}
        for ask in self._says(record):
            match = said[ask].match
            if match is None:
                continue
            fires = named(f"fires_{ask.about}", ask.setting)
            values.setdefault(fires, []).append(float(match.fired))
            if ask.about in GIVES_TARGET:
                right = named(f"right_edit_{ask.about}", ask.setting)
                values.setdefault(right, []).append(float(match.fired and match.edit_id == own))
        return {name: float(np.mean(each)) for name, each in values.items()}

    def _says(self, record: Record) -> list[Say]:
        says = []
        for setting in asked_in(record, self.settings, self.share):
            says.append(Say(record.edit.prompt, 1, "edit", setting))
            says += [
                Say(probe.prompt, 1, probe.kind, setting)
                for probe in probes_in(record, setting, self.setting_probes)
                if probe.kind in GIVES_TARGET or probe.kind in STAYS
            ]
        return says
