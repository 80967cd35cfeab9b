"""Out of distribution (Temporal): does an edit help with a true text that was written by others?

Temporal teaches an emerging entity by one description and tests it on another, found in the wild,
that begins with the same words: the text is fed, and its tokens are scored. The comparison with the
unedited model tells what the edit adds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from memoir.metrics.base import Ask, Force, Output, Said
from memoir.types import Record


@dataclass(frozen=True)
class OutOfDistribution:
    """Token accuracy and cross-entropy on the other description."""

    over: ClassVar[str] = "records"
    outputs: ClassVar[dict[str, Output]] = {
        "ood_tf": Output("higher", "Share of the other text's tokens that rank first, fed."),
        "ood_unedited_tf": Output(
            "higher", "Share of the other text's tokens that rank first, fed, unedited model."
        ),
        "ood_perplexity": Output(
            "lower", "Perplexity of the other text: exp of the mean cross-entropy.", "exp"
        ),
        "ood_unedited_perplexity": Output(
            "lower", "Perplexity of the other text, unedited model.", "exp"
        ),
    }

    def asks(self, record: Record) -> Sequence[Ask]:
        """The other text, with and without the edits."""
        return [
            Force(probe.prompt, probe.expected, edits)
            for probe in record.of("ood")
            if probe.expected
            for edits in (True, False)
        ]

    def score(self, record: Record, said: Said, own: str | None) -> dict[str, float]:
        """Four numbers, averaged over several such texts; none if the record has none."""
        values: dict[str, float] = {}
        for edits, place in ((True, "ood"), (False, "ood_unedited")):
            seen = [said[a] for a in self.asks(record) if isinstance(a, Force) and a.edits is edits]
            if seen:
                values[f"{place}_tf"] = float(np.mean([each.accuracy for each in seen]))
                values[f"{place}_perplexity"] = float(np.mean([each.loss for each in seen]))
        return values
