"""Perplexity of the target, the measure for long targets (SelfCheckGPT). Lower is better, 1..∞.

The papers average perplexities over records, so one record that the model finds impossible can
outweigh all others. It is never clipped here, as long as a float can hold it; ``…_nll``, whose mean
is robust, stands beside it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from memoir.metrics.base import Ask, Force, Output, Said
from memoir.types import Record


@dataclass(frozen=True)
class Perplexity:
    """How likely the edited model finds its targets."""

    over: ClassVar[str] = "records"
    outputs: ClassVar[dict[str, Output]] = {
        "reliability_perplexity": Output("lower", "Perplexity of the target, mean over records."),
        "reliability_nll": Output("lower", "Mean cross-entropy of the target, nats per token."),
    }

    def asks(self, record: Record) -> Sequence[Ask]:
        """The target fed after the edit's prompt."""
        return [Force(record.edit.prompt, record.edit.target)]

    def score(self, record: Record, said: Said, own: str | None) -> dict[str, float]:
        """Both numbers of one record; the perplexity is e^700 at most."""
        loss = said[Force(record.edit.prompt, record.edit.target)].loss
        # A float64 overflows beyond e^709; a JSON file cannot hold an infinity.
        return {"reliability_nll": loss, "reliability_perplexity": math.exp(min(loss, 700.0))}
