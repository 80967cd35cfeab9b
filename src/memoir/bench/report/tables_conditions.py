"""The same questions bare and inside conversations: one row for each condition."""

from __future__ import annotations

from collections.abc import Iterable

from memoir.bench.report.numbers import MISSING, range_of, score
from memoir.bench.report.results import Checkpoint, DataSet, Measure, Series
from memoir.bench.report.table import Cell, Column, Row, Table, measured
from memoir.bench.report.words import CONDITIONS, KINDS
from memoir.metrics.base import STAYS
from memoir.metrics.settings import BESIDES, named

TOLD = ("reliability", "generalization")
SCORES = (*TOLD, *STAYS)
ACTS = {
    "right_edit_rephrase": "right edit on rephrases",
    **{f"fires_{kind}": f"any edit on {kind.replace('_', ' ')}" for kind in STAYS},
}
CAPTION = (
    "Questions asked as they stand (bare), and for a share of the records inside conversations; n is "
    "how many records. The ratio compares with what the very same questions gave bare: 1 is no loss. "
    "On rephrases the right edit should act, on the other kinds none."
)


def conditions(data_set: DataSet) -> Table | None:
    """Free text and routing by condition at the last checkpoint; None if all was asked bare."""
    asked = [
        name
        for setting in BESIDES
        for name in (*(free_text(each, setting) for each in SCORES), *_routing(ACTS, setting))
    ]
    if not any(data_set.has(name) for name in asked):
        return None
    scores = [
        stem
        for stem in SCORES
        if any(data_set.has(free_text(stem, setting)) for setting in CONDITIONS)
    ]
    acts = [
        name
        for name in ACTS
        if any(data_set.has(each) for setting in CONDITIONS for each in _routing([name], setting))
    ]
    rows = [
        _row(series, setting, scores, acts)
        for series in data_set.series
        for setting in CONDITIONS
        if _asked(series.last, setting, scores, acts)
    ]
    return Table("By condition", CAPTION, _columns(scores, acts), tuple(rows), _notes(scores, acts))


def free_text(stem: str, setting: str) -> str:
    """The name of a score of free text in a setting."""
    return f"{stem}_fg" if setting == "bare" else named(stem, setting)


def _routing(names: Iterable[str], setting: str) -> list[str]:
    return [named(name, setting) for name in names]


def _asked(point: Checkpoint, setting: str, scores: list[str], acts: list[str]) -> bool:
    names = [*(free_text(stem, setting) for stem in scores), *_routing(acts, setting)]
    return any(point.measure(name) for name in names)


def _row(series: Series, setting: str, scores: list[str], acts: list[str]) -> Row:
    point = series.last
    who = Cell(series.label, f"({CONDITIONS[setting]})")
    edits = Cell(MISSING if series.edits_nothing else f"{point.n:,}")
    said = [point.measure(free_text(stem, setting)) for stem in scores]
    ratios = [point.measure(named(s, setting), "ratios") for s in TOLD if s in scores]
    fired = [point.measure(name) for name in _routing(acts, setting)]
    return Row(
        (who, edits, *_with_n(said), *map(_cell, ratios), *_with_n(fired)),
        "reference" if series.edits_nothing else "",
    )


def _with_n(found: list[Measure | None]) -> list[Cell]:
    """Cells of a group of columns, the last one how many records they are of."""
    counts = [one.n for one in found if one and one.n is not None]
    return [*map(_cell, found), Cell(range_of(counts))] if found else []


def _cell(found: Measure | None) -> Cell:
    return measured(found, score(found.value) if found else "")


def _columns(scores: list[str], acts: list[str]) -> tuple[Column, ...]:
    columns = [Column("method and condition", numeric=False), Column("edits")]
    if scores:
        titles = [*(stem.replace("_", " ") for stem in scores), "n"]
        columns += [Column(title, "free text") for title in titles]
        columns += [Column(stem, "ratio to bare") for stem in TOLD if stem in scores]
    if acts:
        columns += [Column(title, "acts") for title in (*(ACTS[name] for name in acts), "n")]
    return tuple(columns)


def _notes(scores: list[str], acts: list[str]) -> tuple[str, ...]:
    kinds = [kind for kind in STAYS if kind in scores or f"fires_{kind}" in acts]
    listed = "; ".join(f"{kind.replace('_', ' ')}: {KINDS[kind]}" for kind in kinds)
    return (f"What must stay as it was. {listed}.",) if kinds else ()
