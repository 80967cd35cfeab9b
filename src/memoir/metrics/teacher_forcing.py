"""Teacher-forced token accuracy, the measure of the papers: the model is fed the true answer, and we
count how many of its tokens ranked first. Higher is better, 0..1.

It flatters: a token counts even if the model, left alone, would never have come that far.
See :mod:`memoir.metrics.free_generation` for what a user sees.

Locality compares with what the *unedited* model predicts at the same positions. Some tools compare
with gold instead, which mixes in what the model never knew; that is the separate ``…_gold_tf``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from memoir.metrics.base import GIVES_TARGET, STAYS, Ask, Force, Output, Said
from memoir.types import Probe, Record


def _outputs() -> dict[str, Output]:
    found = {
        f"{name}_tf": Output(
            "higher",
            f"Share of the target's tokens that rank first when fed after the {kind} prompt.",
        )
        for kind, name in GIVES_TARGET.items()
    }
    for kind in STAYS:
        found[f"{kind}_tf"] = Output(
            "higher",
            f"Share of answer positions after a {kind} prompt at which the edited and the unedited "
            "model predict the same token.",
        )
        found[f"{kind}_gold_tf"] = Output(
            "higher", f"Share of the true answer's tokens that rank first after a {kind} prompt."
        )
    return found


@dataclass(frozen=True)
class TeacherForcing:
    """Reliability, generalization and locality by teacher forcing; several probes are averaged."""

    over: ClassVar[str] = "records"
    outputs: ClassVar[dict[str, Output]] = _outputs()

    def asks(self, record: Record) -> Sequence[Ask]:
        """Every target and true answer, fed after its prompt."""
        wanted = [Force(prompt, target) for _, prompt, target in _must_say(record)]
        kept = [
            Force(probe.prompt, probe.expected or "", edits)
            for probe in _must_stay(record)
            for edits in (False, True)
        ]
        return [*wanted, *kept]

    def score(self, record: Record, said: Said, own: str | None) -> dict[str, float]:
        """Token accuracies, averaged over the probes of each kind."""
        values: dict[str, list[float]] = {}
        for name, prompt, target in _must_say(record):
            values.setdefault(f"{name}_tf", []).append(said[Force(prompt, target)].accuracy)
        for probe in _must_stay(record):
            old, new = (
                said[Force(probe.prompt, probe.expected or "", edits)] for edits in (False, True)
            )
            same = float(np.mean(np.equal(old.predicted, new.predicted)))
            values.setdefault(f"{probe.kind}_tf", []).append(same)
            values.setdefault(f"{probe.kind}_gold_tf", []).append(new.accuracy)
        return {name: float(np.mean(each)) for name, each in values.items()}


def _must_say(record: Record) -> Iterator[tuple[str, str, str]]:
    """Name, prompt and target of everything that must give a new answer."""
    yield GIVES_TARGET["edit"], record.edit.prompt, record.edit.target
    for probe in record.probes:
        if probe.kind in GIVES_TARGET and probe.expected:
            yield GIVES_TARGET[probe.kind], probe.prompt, probe.expected


def _must_stay(record: Record) -> list[Probe]:
    """Probes whose answer must stay; without a true answer there is nothing to feed."""
    return [probe for probe in record.probes if probe.kind in STAYS and probe.expected]
