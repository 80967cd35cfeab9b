"""How a series looks in every picture of a report."""

from __future__ import annotations

from memoir.bench.report.picture import GLYPHS, NEUTRAL, PALETTE, Key
from memoir.bench.report.results import DataSet, Series

LONGEST_LABEL = 17


def colour(series: Series) -> str:
    """Its colour; the unedited model is grey."""
    return NEUTRAL if series.edits_nothing else PALETTE[series.rank % len(PALETTE)]


def keys(data_set: DataSet) -> tuple[Key, ...]:
    """The legend of a data set's series."""
    return tuple(key_of(each) for each in data_set.series)


def key_of(series: Series) -> Key:
    """Its entry in a legend."""
    return Key(series.label, colour(series), GLYPHS[series.rank % len(GLYPHS)])


def fit_beside_lines(data_set: DataSet) -> bool:
    """Whether its labels, shortened, still tell its series apart."""
    labels = [shortened(each.label) for each in data_set.series]
    return len(set(labels)) == len(labels)


def shortened(label: str) -> str:
    """A label that fits beside a line."""
    return label if len(label) <= LONGEST_LABEL else label[: LONGEST_LABEL - 1] + "…"
