"""The table that is read first: every method after all edits, and the papers' rows."""

from __future__ import annotations

from collections.abc import Sequence

from memoir.bench.report.numbers import MISSING, range_of, score
from memoir.bench.report.published import Published, published
from memoir.bench.report.results import Checkpoint, DataSet, Series
from memoir.bench.report.table import Cell, Column, Row, Table, mark_best, measured
from memoir.bench.report.words import MODES, STEMS, data_set_title, lower_is_better

PERPLEXITY = "reliability_perplexity"

CAPTION = (
    "After all edits were made. A score is a share of n questions, from 0 to 1, and higher is better. "
    "In square brackets the 95 % interval: where it would be expected if the questions were drawn "
    "again. Bold: best of those with as many edits, taught alike, and its interval overlaps no other."
)
SEEDS = (
    "Where several seeds were run, the mean, and in round brackets the least and the most of them."
)
PADDED = (
    "“Among other edits”: so many of {} were made before these and are in force beside them; they are "
    "not asked about."
)
DROPPED = (
    "“Subject not given”: the editor was told prompt and answer alone, not what they are about."
)
NOT_COMPARABLE = (
    "Rows marked “published” are copied from papers: measured by others, with the model named in the "
    "row. Another model is not comparable one to one: compare these rows with each other."
)


Stand = tuple[Series, Checkpoint]
"""A series after so many edits."""


def headline(data_set: DataSet) -> Table:
    """Scores after all edits, one row per method.

    Where some methods made more edits than others, those have a row beside the others too.
    """
    names = headline_metrics(data_set)
    stands = _stands(data_set)
    marked = {name: _best_marked(stands, name) for name in names}
    ours = tuple(
        _row(*stand, [marked[name][i] for name in names], names) for i, stand in enumerate(stands)
    )
    theirs = tuple(_published_row(each, names) for each in _papers(data_set))
    several = any(len(each.last.results) > 1 for each in data_set.series)
    notes = ((SEEDS,) if several else ()) + _how_taught(data_set)
    notes += (NOT_COMPARABLE, _measure(data_set)) if theirs else ()
    return Table("The scores", CAPTION, _columns(names), ours + theirs, notes)


def headline_metrics(data_set: DataSet) -> list[str]:
    """The names that head this data set's tables: those that some series has."""
    names = [f"{stem}_{mode}" for mode in MODES for stem in STEMS]
    names.insert(len(names) if data_set.has("reliability_fg") else 0, PERPLEXITY)
    return [name for name in names if data_set.has(name)]


def metric_columns(names: list[str]) -> list[Column]:
    """A column per metric, free text and teacher forced each under a common title."""
    columns = []
    for name in names:
        stem, _, mode = name.partition("_")
        title = stem if mode in MODES else "perplexity, lower is better"
        columns.append(Column(title, MODES.get(mode, "")))
    return columns


def _columns(names: list[str]) -> tuple[Column, ...]:
    first = [Column("method", numeric=False), Column("model", numeric=False), Column("edits")]
    return (*first, *metric_columns(names), Column("n"))


def _stands(data_set: DataSet) -> list[Stand]:
    """The unedited model, and for every number of edits that is some series' last all that made it."""
    unedited = [(each, each.last) for each in data_set.series if each.edits_nothing]
    edited = [each for each in data_set.series if not each.edits_nothing]
    ends = sorted({each.last.n for each in edited})
    return unedited + [
        (each, point) for n in ends for each in edited for point in each.checkpoints if point.n == n
    ]


def _row(series: Series, point: Checkpoint, cells: list[Cell], names: list[str]) -> Row:
    seeds = len(point.results)
    who = Cell(series.label, f"({seeds} seeds)" if seeds > 1 else "")
    found = [point.measure(name) for name in names]
    asked = range_of([one.n for one in found if one and one.n is not None])
    edits = Cell(MISSING if series.edits_nothing else f"{point.n:,}")
    return Row(
        (who, Cell(series.model), edits, *cells, Cell(asked)),
        "reference" if series.edits_nothing else "",
    )


def _best_marked(stands: Sequence[Stand], name: str) -> list[Cell]:
    found = [point.measure(name) for _, point in stands]
    cells = [measured(one, score(one.value) if one else "") for one in found]
    kinds = [None if series.edits_nothing else (point.n, series.taught) for series, point in stands]
    for kind in {kind for kind in kinds if kind}:  # of these one may be called the best
        alike = [one if each == kind else None for each, one in zip(kinds, found, strict=True)]
        cells = mark_best(cells, alike, lower_is_better(name))
    return cells


def _papers(data_set: DataSet) -> list[Published]:
    return published(data_set.title)


def _published_row(row: Published, names: list[str]) -> Row:
    scores = [row.score(name) for name in names]
    cells = [Cell(MISSING if one is None else f"{one:.2f}") for one in scores]
    who = Cell(row.method, row.source)
    return Row((who, Cell(row.model), Cell(f"{row.n:,}"), *cells, Cell(MISSING)), "published")


def _how_taught(data_set: DataSet) -> tuple[str, ...]:
    results = [result for each in data_set.series for result in each.last.results]
    sets = {data_set_title(each["name"]) for result in results if (each := result.get("padding"))}
    padded = PADDED.format(" or ".join(sorted(sets)))
    dropped = any(result.get("subjects") == "dropped" for result in results)
    return ((padded,) if sets else ()) + ((DROPPED,) if dropped else ())


def _measure(data_set: DataSet) -> str:
    measures = sorted({row.measure for row in _papers(data_set)})
    return f"Published scores are {' and '.join(measures)}; none is of free text."
