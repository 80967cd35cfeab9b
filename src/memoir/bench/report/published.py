"""What papers report, to be shown beside our measurements."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files


@dataclass(frozen=True)
class Published:
    """One row of a paper's table, teacher forced."""

    dataset: str
    method: str
    model: str
    n: int
    reliability: float
    generalization: float
    locality: float
    measure: str
    source: str

    def score(self, name: str) -> float | None:
        """The number that a paper gives under the name of one of our metrics."""
        stem, _, mode = name.partition("_")
        return getattr(self, stem, None) if mode == "tf" else None


def published(title: str) -> list[Published]:
    """Rows on the data set of this title, in the order of the file."""
    text = (files("memoir") / "resources" / "published.json").read_text("utf-8")
    return [row for row in (Published(**each) for each in json.loads(text)) if row.dataset == title]
