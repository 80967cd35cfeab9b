"""How the scores go as edits are added, and where edits act."""

from __future__ import annotations

from memoir.bench.report.numbers import MISSING, about, score
from memoir.bench.report.results import Checkpoint, DataSet, Series
from memoir.bench.report.table import Cell, Column, Row, Table, measured
from memoir.bench.report.tables_conditions import SCORES, conditions, free_text
from memoir.bench.report.tables_headline import headline_metrics, metric_columns
from memoir.bench.report.words import SHOULD_FIRE, kind_words, metric_words, parted_metric

HARDER = (
    "alias_fg",
    "consequence_fg",
    "attribute_fg",
    "same_subject_fg",
    "forgetfulness_fg",
    "ood_tf",
    "ood_unedited_tf",
    "ood_perplexity",
    "ood_unedited_perplexity",
)
_WHO = (Column("method", numeric=False), Column("edits"))


def retention(data_set: DataSet) -> Table | None:
    """The headline scores at every checkpoint; None if there is but one."""
    if len(data_set.checkpoints) < 2:
        return None
    names = headline_metrics(data_set)
    rows = [
        Row((Cell(each.label), Cell(f"{point.n:,}"), *_scores(point, names)))
        for each in data_set.series
        for point in each.checkpoints
        if any(point.measure(name) for name in names)
    ]
    caption = "The numbers of the curves: each row asks everything that was taught up to there."
    columns = (*_WHO, *metric_columns(names))
    return Table("Scores as edits are added", caption, columns, tuple(rows))


def harder(data_set: DataSet) -> Table | None:
    """Questions beyond the papers' three, at the last checkpoint."""
    shown = [free_text(stem, "bare") for stem in SCORES] if conditions(data_set) else []
    names = [name for name in HARDER if data_set.has(name) and name not in shown]
    if not names:
        return None
    rows = [
        Row((*_who(each, each.last), *_scores(each.last, names)))
        for each in data_set.series
        if any(each.last.measure(name) for name in names)
    ]
    caption = (
        "What a user would also ask: by another name, about what follows, about somebody else."
    )
    columns = (*_WHO, *(Column(metric_words(name)) for name in names))
    return Table("Harder questions", caption, columns, tuple(rows))


def routing(data_set: DataSet) -> Table | None:
    """How often an edit fires on bare questions of each kind, at the last checkpoint."""
    names = [
        name
        for each in data_set.series
        for name in each.last.names()
        if name.startswith(("fires_", "right_edit_")) and parted_metric(name)[1] == "bare"
    ]
    if not names:
        return None
    ordered = sorted(dict.fromkeys(names), key=lambda name: not _wanted(name))
    rows = [
        Row((*_who(each, each.last), Cell(_threshold(each.last)), *_scores(each.last, ordered)))
        for each in data_set.series
        if any(each.last.measure(name) for name in ordered)
    ]
    caption = (
        "Share of bare questions on which some edit acts: it should be near 1 in the columns of the "
        "first kind, near 0 in those of the second. It acts if its score reaches the threshold."
    )
    columns = (*_WHO, Column("threshold"), *(_routing_column(name) for name in ordered))
    return Table("When edits act", caption, columns, tuple(rows))


def subsets(data_set: DataSet) -> Table | None:
    """All records against parts of them, at the last checkpoint."""
    names = [
        name
        for name in headline_metrics(data_set)
        if not name.startswith(("locality", "neighbour"))
    ]
    rows: list[Row] = []
    for each in data_set.series:
        found = {key for result in each.last.results for key in result.get("subsets") or {}}
        if found:
            rows.append(_subset_row(each, names, "all records", "metrics"))
        rows += [
            _subset_row(each, names, subset_words(key), "subsets", key) for key in sorted(found)
        ]
    if not rows:
        return None
    caption = (
        "Where two records are about the same subject, a later edit can undo an earlier one; records "
        "whose subject occurs once are free of that."
    )
    columns = (*_WHO, Column("records", numeric=False), *metric_columns(names))
    return Table("All records, and those that share no subject", caption, columns, tuple(rows))


def subset_words(key: str) -> str:
    """A subset's name in plain words."""
    return "subject occurs once" if key == "subject_once" else key.replace("_", " ")


def _subset_row(series: Series, names: list[str], words: str, *where: str) -> Row:
    cells = _scores(series.last, names, *where)
    return Row((*_who(series, series.last), Cell(words), *cells))


def _who(series: Series, point: Checkpoint) -> tuple[Cell, Cell]:
    return Cell(series.label), Cell(MISSING if series.edits_nothing else f"{point.n:,}")


def _scores(point: Checkpoint, names: list[str], *where: str) -> list[Cell]:
    found = [point.measure(name, *where) for name in names]
    return [measured(one, score(one.value) if one else "") for one in found]


def _wanted(name: str) -> bool:
    return name.startswith("right_") or _kind(name) in SHOULD_FIRE


def _kind(name: str) -> str:
    return name.removeprefix("fires_").removeprefix("right_edit_")


def _routing_column(name: str) -> Column:
    right = "the right edit acts: " if name.startswith("right_") else ""
    return Column(
        right + kind_words(_kind(name)), "should act" if _wanted(name) else "should stay silent"
    )


def thresholds(point: Checkpoint) -> list[float]:
    """The different thresholds of a checkpoint's seeds."""
    given = [result.get("settings") or {} for result in point.results]
    # Older results have it under its former name.
    found = {each.get("threshold", each.get("overlap_threshold")) for each in given}
    return sorted(float(each) for each in found if each is not None)


def _threshold(point: Checkpoint) -> str:
    return ", ".join(about(each) for each in thresholds(point)) or MISSING
