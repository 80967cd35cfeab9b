"""Every number, and where it came from."""

from __future__ import annotations

import json

from memoir.bench.report.numbers import MISSING, amount, edits_words, uncertainty
from memoir.bench.report.results import Checkpoint, DataSet, Result, Series
from memoir.bench.report.table import Cell, Column, Row, Table
from memoir.bench.report.tables_course import subset_words
from memoir.bench.report.words import means
from memoir.metrics.fluency import UNEDITED


def everything(series: Series) -> Table:
    """Every metric of a series at every checkpoint, in full."""
    places = [("metrics",), *_subset_places(series), ("immediate",), ("ratios",)]
    rows = [
        _row(series, name, place)
        for place in places
        for name in dict.fromkeys(n for point in series.checkpoints for n in point.names(*place))
    ]
    columns = [Column(edits_words(point.n)) for point in series.checkpoints]
    return Table(
        series.label,
        "Mean, 95 % interval and number of questions n.",
        (Column("metric", numeric=False), *columns),
        tuple(rows),
    )


def origins(data_set: DataSet) -> Table:
    """One row per run, as it was at its last checkpoint."""
    facts = {run: _facts(result) for run, result in _latest(data_set).items()}
    titles = next(iter(facts.values()))
    rows = [Row((Cell(run), *map(Cell, each.values()))) for run, each in facts.items()]
    caption = "The runs behind this section, and the machine and versions they ran with."
    columns = (Column("run", numeric=False), *(Column(title, numeric=False) for title in titles))
    return Table("Where the numbers come from", caption, columns, tuple(rows))


def settings(data_set: DataSet) -> list[tuple[str, str]]:
    """Each run's settings as JSON."""
    return [
        (
            run,
            json.dumps(result.get("settings") or {}, indent=2, ensure_ascii=False, sort_keys=True),
        )
        for run, result in _latest(data_set).items()
    ]


def _latest(data_set: DataSet) -> dict[str, Result]:
    points = [point for each in data_set.series for point in each.checkpoints]
    return {str(result["run"]): result for point in points for result in point.results}


def _facts(result: Result) -> dict[str, str]:
    edits = result.get("edits") or {}
    versions = ", ".join(
        f"{name} {which}" for name, which in (result.get("versions") or {}).items()
    )
    facts = {
        "model": result["model"],
        "seed": result.get("seed"),
        "edits made": edits.get("made", result["n"]),
        "edits refused": edits.get("refused"),
        "records dropped": _dropped(result),
        "machine": result.get("machine"),
        "versions": versions,
        "commit": result.get("commit"),
        "date": result.get("date"),
    }
    return {name: _text(value) for name, value in facts.items()}


def _dropped(result: Result) -> str | None:
    data = result.get("data") or {}
    if "dropped" not in data:
        return None
    return "; ".join(f"{count:,} ({why})" for why, count in data["dropped"].items()) or "0"


def _text(value: object) -> str:
    if value is None or value == "":
        return MISSING
    return f"{value:,}" if isinstance(value, int) else str(value)


def _subset_places(series: Series) -> list[tuple[str, ...]]:
    keys = {
        key
        for point in series.checkpoints
        for result in point.results
        for key in result.get("subsets") or {}
    }
    return [("subsets", key) for key in sorted(keys)]


def _row(series: Series, name: str, place: tuple[str, ...]) -> Row:
    prefix = {
        "immediate": "right after its edit: ",
        "subsets": f"{subset_words(place[-1])}: ",
        "ratios": f"ratio to {'unedited' if name in UNEDITED else 'bare'}: ",
    }
    who = Cell(prefix.get(place[0], "") + name, means(name))
    return Row((who, *(_full_cell(point, name, place) for point in series.checkpoints)))


def _full_cell(point: Checkpoint, name: str, place: tuple[str, ...]) -> Cell:
    found = point.measure(name, *place)
    if not found:
        return Cell(MISSING)
    seeds = ["seeds:", *map(amount, found.values)] if len(found.values) > 1 else []
    count = [] if found.n is None else [f"n {found.n:,}"]
    lines = [uncertainty(found), *count, *seeds]
    return Cell(amount(found.value), "\n".join(line for line in lines if line))
