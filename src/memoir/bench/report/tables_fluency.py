"""What follows an answer once it has been given."""

from __future__ import annotations

from memoir.bench.report.numbers import about, range_of, score
from memoir.bench.report.results import Checkpoint, DataSet, Series
from memoir.bench.report.table import Cell, Column, Row, Table, measured
from memoir.bench.report.words import KINDS, in_setting
from memoir.metrics.fluency import KINDS as ASKED
from memoir.metrics.fluency import UNEDITED
from memoir.metrics.settings import named
from memoir.surroundings import SETTINGS

MEASURES = {"repetition": "repetition", "nll": "surprise"}
CAPTION = (
    "The text after the taught answer, where it was given, beside what the unedited model would have "
    "said from there on. Repetition is the share of token pairs that occurred before; surprise is the "
    "unedited model's at the text, in nats per token. The ratio is taken where both are known: the "
    "closer to 1, the less the edit spoils what follows."
)


def fluency(data_set: DataSet) -> Table | None:
    """Repetition and surprise after the target, beside the unedited model's, at the last checkpoint of
    each series that was asked for it."""
    measures = [each for each in MEASURES if any(data_set.has(name) for name in _names(each))]
    rows = [
        Row((Cell(series.label), Cell(f"{point.n:,}"), Cell(asked), *cells))
        for series in data_set.series
        if not series.edits_nothing
        for point in _last_asked(series, measures)
        for asked, cells in _asked(point, measures)
    ]
    if not rows:
        return None
    who = [Column("method", numeric=False), Column("edits"), Column("asked", numeric=False)]
    for measure in measures:
        titles = ("edited", "unedited", "ratio", "n")
        who += [Column(title, MEASURES[measure]) for title in titles]
    return Table("What follows the answer", CAPTION, tuple(who), tuple(rows))


def _last_asked(series: Series, measures: list[str]) -> list[Checkpoint]:
    """The last checkpoint with any of the measures, if there is one."""
    return [point for point in series.checkpoints if _asked(point, measures)][-1:]


def _asked(point: Checkpoint, measures: list[str]) -> list[tuple[str, list[Cell]]]:
    """A row for each kind of question and setting that was measured."""
    found = []
    for setting in SETTINGS:
        for kind in ASKED:
            names = [named(f"{kind}_{measure}", setting) for measure in measures]
            if any(point.measure(name) for name in names):
                cells = [cell for name in names for cell in _cells(point, name)]
                found.append((in_setting(KINDS[kind], setting), cells))
    return found


def _cells(point: Checkpoint, name: str) -> list[Cell]:
    edited, unedited = point.measure(name), point.measure(UNEDITED[name])
    ratio = point.measure(name, "ratios")
    counts = [each.n for each in (edited, unedited) if each and each.n is not None]
    return [
        *(measured(each, about(each.value) if each else "") for each in (edited, unedited)),
        measured(ratio, score(ratio.value) if ratio else ""),
        Cell(range_of(counts)),
    ]


def _names(measure: str) -> list[str]:
    return [named(f"{kind}_{measure}", setting) for setting in SETTINGS for kind in ASKED]
