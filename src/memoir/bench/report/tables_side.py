"""What edits cost, and what they do to everything else the model knows."""

from __future__ import annotations

from collections.abc import Iterator

from memoir.bench.report.numbers import MISSING, about, amount
from memoir.bench.report.results import Checkpoint, DataSet, Series
from memoir.bench.report.table import Cell, Column, Row, Table, measured

DRIFT = {
    "wikitext_perplexity": "surprise at encyclopaedia text (perplexity, lower is better)",
    "wikitext_kl": "change of next-word odds on such text (KL, nats; 0 is none)",
    "arc_easy_accuracy": "school science questions answered rightly",
    "nq_fires": "unrelated web questions on which an edit acts (0 is best)",
}
COST = {
    "seconds_per_edit": "seconds per edit",
    "bytes_per_edit": "bytes per edit",
    "steps_per_edit": "steps per edit",
    "peak_memory_mb": "peak memory, MB",
    "tokens_per_second": "tokens per second, edits in force",
    "tokens_per_second_unedited": "tokens per second, unedited",
}
_WHO = (Column("method", numeric=False), Column("edits"))


def drift(data_set: DataSet) -> Table | None:
    """General abilities at the last checkpoint, beside the first or the unedited model's."""
    names = [name for name in DRIFT if data_set.has(name)]
    if not names:
        return None
    rows = [
        Row((*_who(each, point), *_drift_cells(each, point, names)), kind)
        for each, point, kind in _drift_points(data_set)
        if any(point.measure(name) for name in names)
    ]
    caption = (
        "Things that no edit was about: the closer to the unedited model's numbers (in brackets, or "
        "in the row set apart), the less harm was done."
    )
    columns = (*_WHO, *(Column(DRIFT[name]) for name in names))
    return Table("Side effects on everything else", caption, columns, tuple(rows))


def cost(data_set: DataSet) -> Table | None:
    """Time, memory and refused edits, at the last checkpoint."""
    names = [name for name in COST if data_set.has(name)]
    if not names:
        return None
    rows = [
        Row((*_who(each, each.last), *_cost_cells(each.last, names)))
        for each in data_set.series
        if not each.edits_nothing
    ]
    caption = (
        "What an edit costs on the machine named at the end; refused edits were not made at all."
    )
    columns = (*_WHO, *(Column(COST[name]) for name in names), Column("refused edits"))
    return Table("Cost", caption, columns, tuple(rows))


def refused(point: Checkpoint) -> int:
    """Edits that the method refused to make, over all seeds."""
    return sum(int((result.get("edits") or {}).get("refused") or 0) for result in point.results)


def _drift_points(data_set: DataSet) -> Iterator[tuple[Series, Checkpoint, str]]:
    reference = any(each.edits_nothing for each in data_set.series)
    for each in sorted(data_set.series, key=lambda one: not one.edits_nothing):
        if not reference and len(each.checkpoints) > 1:
            yield each, each.checkpoints[0], "reference"
        yield each, each.last, "reference" if each.edits_nothing else ""


def _who(series: Series, point: Checkpoint) -> tuple[Cell, Cell]:
    return Cell(series.label), Cell(MISSING if series.edits_nothing else f"{point.n:,}")


def _drift_cells(series: Series, point: Checkpoint, names: list[str]) -> list[Cell]:
    cells = []
    for name in names:
        found, before = point.measure(name), point.measure(_unedited(name))
        note = f"(unedited {about(before.value)})" if before and not series.edits_nothing else ""
        cells.append(Cell(about(found.value), note) if found else measured(None, ""))
    return cells


def _unedited(name: str) -> str:
    stem, _, rest = name.rpartition("_")
    return f"{stem}_unedited_{rest}"


def _cost_cells(point: Checkpoint, names: list[str]) -> list[Cell]:
    found = [point.measure(name) for name in names]
    cells = [Cell(about(one.value)) if one else measured(None, "") for one in found]
    return [*cells, Cell(amount(refused(point)))]
