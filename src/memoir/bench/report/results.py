"""Loose results, put in order: data set › series (one method and its settings) › checkpoint › seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isnan
from typing import Any

from memoir.bench.report.words import MODES, STEMS, data_set_title

Result = dict[str, Any]
UNEDITED = "none"
"""Name of the method that edits nothing."""


@dataclass(frozen=True)
class Measure:
    """One number, of one seed or the mean of several.

    Attributes:
        value: the mean over seeds.
        low, high: bounds of the 95 % interval; of several seeds, the outermost.
        n: questions asked, per seed; None if not known.
        values: the number of each seed.
    """

    value: float
    low: float
    high: float
    n: int | None
    values: tuple[float, ...]


@dataclass(frozen=True)
class Checkpoint:
    """Everything measured after so many edits, with every seed."""

    n: int
    results: tuple[Result, ...]

    def measure(self, name: str, *where: str) -> Measure | None:
        """A metric, by default of ``metrics``; None if no seed has it."""
        found = [_one(result, name, where or ("metrics",)) for result in self.results]
        ones = [one for one in found if one is not None]
        if not ones:
            return None
        values = tuple(one.value for one in ones)
        counts = [one.n for one in ones if one.n is not None]
        return Measure(
            sum(values) / len(values),
            min(one.low for one in ones),
            max(one.high for one in ones),
            min(counts) if counts else None,
            values,
        )

    def names(self, *where: str) -> list[str]:
        """Names of the metrics there, in the order of the results."""
        found: dict[str, None] = {}
        for result in self.results:
            found.update(dict.fromkeys(_inside(result, where or ("metrics",))))
        return [name for name in found if self.measure(name, *where)]


@dataclass(frozen=True)
class Series:
    """One method with its settings on one data set and model.

    Attributes:
        label: how readers tell it apart from others.
        rank: its place among all labels of the report; gives its colour.
        taught: what was out of the ordinary in how its edits were taught, in words.
    """

    label: str
    method: str
    model: str
    rank: int
    checkpoints: tuple[Checkpoint, ...]
    taught: tuple[str, ...] = ()

    @property
    def last(self) -> Checkpoint:
        """The checkpoint with the most edits."""
        return self.checkpoints[-1]

    @property
    def edits_nothing(self) -> bool:
        """Whether this is the unedited model, there for reference."""
        return self.method == UNEDITED


@dataclass(frozen=True)
class DataSet:
    """All series measured on one data set."""

    name: str
    series: tuple[Series, ...]

    @property
    def title(self) -> str:
        """Its usual spelling."""
        return data_set_title(self.name)

    @property
    def checkpoints(self) -> list[int]:
        """Every number of edits after which any series was measured, rising."""
        return sorted({point.n for each in self.series for point in each.checkpoints})

    @property
    def stems(self) -> list[str]:
        """The scores read first that any series has, in free text or teacher forced."""
        return [stem for stem in STEMS if any(self.has(f"{stem}_{mode}") for mode in MODES)]

    def has(self, name: str) -> bool:
        """Whether any series has this metric at any checkpoint."""
        return any(point.measure(name) for each in self.series for point in each.checkpoints)


def _inside(result: Result, where: Sequence[str]) -> dict[str, Any]:
    found: Any = result
    for step in where:
        found = (found or {}).get(step)
    return found or {}


def _one(result: Result, name: str, where: Sequence[str]) -> Measure | None:
    given = _inside(result, where).get(name) or {}
    value = given.get("value")
    if value is None or isnan(value):
        return None
    low, high = given.get("ci95") or (value, value)
    low, high = (value if end is None or isnan(end) else end for end in (low, high))
    return Measure(float(value), float(low), float(high), given.get("n"), (float(value),))
