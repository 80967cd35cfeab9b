"""How texts go on once they have given their taught answer."""

from __future__ import annotations

from memoir.bench.report.numbers import about
from memoir.bench.report.results import Checkpoint, DataSet, Series
from memoir.bench.report.table import Cell, Column, Row, Table, measured
from memoir.bench.report.words import KINDS, in_setting, parted_metric
from memoir.metrics.settings import named
from memoir.surroundings import SETTINGS

MEASURES = {
    "repetition": "repeats itself (share of token pairs)",
    "nll": "surprises the unedited model (nats per token)",
}
_NAMES = [
    named(f"{kind}_{measure}", setting)
    for measure in MEASURES
    for setting in SETTINGS
    for kind in ("edit", "rephrase")
]


def fluency(data_set: DataSet) -> Table | None:
    """Repetition and surprise after the target at the last checkpoint, beside the unedited model's."""
    names = [name for name in _NAMES if data_set.has(name)]
    if not names:
        return None
    rows = [
        Row((Cell(each.label), Cell(f"{each.last.n:,}"), *_cells(each, names)))
        for each in data_set.series
        if not each.edits_nothing and any(each.last.measure(name) for name in names)
    ]
    caption = (
        "The text after the taught answer, where it was given. In brackets what the unedited model "
        "would have said from there on: the closer to it, the less the edit spoils what follows."
    )
    who = (Column("method", numeric=False), Column("edits"))
    return Table(
        "How the text goes on after the answer", caption, (*who, *map(_column, names)), tuple(rows)
    )


def _cells(series: Series, names: list[str]) -> list[Cell]:
    return [_cell(series.last, name) for name in names]


def _cell(point: Checkpoint, name: str) -> Cell:
    stem, setting = parted_metric(name)
    kind, _, measure = stem.partition("_")
    found = point.measure(name)
    before = point.measure(named(f"{kind}_unedited_{measure}", setting))
    if not found:
        return measured(None, "")
    return Cell(about(found.value), f"(unedited {about(before.value)})" if before else "")


def _column(name: str) -> Column:
    stem, setting = parted_metric(name)
    kind, _, measure = stem.partition("_")
    return Column(in_setting(KINDS[kind], setting), MEASURES[measure])
