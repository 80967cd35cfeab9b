"""A table, before it becomes HTML or Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from memoir.bench.report.numbers import MISSING, uncertainty
from memoir.bench.report.results import Measure


@dataclass(frozen=True)
class Cell:
    """One cell: a main text, a smaller note behind it, and whether it is the best of its column."""

    text: str
    note: str = ""
    best: bool = False


@dataclass(frozen=True)
class Row:
    """One row; ``kind`` sets it apart: ``published`` or ``reference``."""

    cells: tuple[Cell, ...]
    kind: str = ""


@dataclass(frozen=True)
class Column:
    """A column's title, and the title it shares with its neighbours."""

    title: str
    group: str = ""
    numeric: bool = True


@dataclass(frozen=True)
class Table:
    """A table with a title, how to read it, and notes below it."""

    title: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...] = ()

    @property
    def groups(self) -> list[tuple[str, int]]:
        """Shared titles and how many columns each spans."""
        spans: list[tuple[str, int]] = []
        for column in self.columns:
            if spans and column.group and spans[-1][0] == column.group:
                spans[-1] = (column.group, spans[-1][1] + 1)
            else:
                spans.append((column.group, 1))
        return spans


def measured(measure: Measure | None, text: str) -> Cell:
    """A cell with a measure's interval behind it; ``text`` is its value as it shall look."""
    return Cell(text, uncertainty(measure)) if measure else Cell(MISSING)


def mark_best(cells: Sequence[Cell], measures: Sequence[Measure | None], lower: bool) -> list[Cell]:
    """Mark the best cell of a column, if its interval overlaps no other's."""
    known = [(i, measure) for i, measure in enumerate(measures) if measure]
    marked = list(cells)
    if len(known) < 2:
        return marked
    pick = min if lower else max
    best, top = pick(known, key=lambda pair: pair[1].value)
    others = [measure for i, measure in known if i != best]
    if all(top.high < each.low if lower else top.low > each.high for each in others):
        marked[best] = replace(marked[best], best=True)
    return marked
