"""Everything that is shown about one data set."""

from __future__ import annotations

from dataclasses import dataclass

from memoir.bench.report.in_words import in_words
from memoir.bench.report.picture import Picture
from memoir.bench.report.picture_bars import bars
from memoir.bench.report.picture_cost import cost_picture
from memoir.bench.report.picture_curves import curves
from memoir.bench.report.picture_methods import curves_by_method
from memoir.bench.report.picture_routing import routing_picture
from memoir.bench.report.results import DataSet
from memoir.bench.report.table import Table
from memoir.bench.report.tables_conditions import conditions
from memoir.bench.report.tables_course import harder, retention, routing, subsets
from memoir.bench.report.tables_fluency import fluency
from memoir.bench.report.tables_full import everything, origins, settings
from memoir.bench.report.tables_headline import headline
from memoir.bench.report.tables_side import cost, drift
from memoir.bench.report.words import about_data_set

MANY = 8
"""With more series than this, each has a drawing of its retention curves."""


@dataclass(frozen=True)
class Section:
    """One data set's tables and pictures; what was not measured is None."""

    id: str
    title: str
    about: str
    remarks: list[str]
    sentences: list[tuple[str, str]]
    headline: Table
    curves: Picture | None
    retention: Table | None
    bars: Picture | None
    conditions: Table | None
    harder: Table | None
    fluency: Table | None
    routing_picture: Picture | None
    routing: Table | None
    cost_picture: Picture | None
    cost: Table | None
    drift: Table | None
    subsets: Table | None
    everything: list[Table]
    origins: Table
    settings: list[tuple[str, str]]


def sections(data_sets: tuple[DataSet, ...]) -> list[Section]:
    """One section per data set."""
    return [_section(data_set, f"data-{i}") for i, data_set in enumerate(data_sets, 1)]


def _section(data_set: DataSet, name: str) -> Section:
    remarks, sentences = in_words(data_set)
    return Section(
        id=name,
        title=data_set.title,
        about=about_data_set(data_set.title),
        remarks=remarks,
        sentences=sentences,
        headline=headline(data_set),
        curves=_retained(data_set, f"{name}-curves"),
        retention=retention(data_set),
        bars=bars(data_set, f"{name}-bars"),
        conditions=conditions(data_set),
        harder=harder(data_set),
        fluency=fluency(data_set),
        routing_picture=routing_picture(data_set, f"{name}-routing"),
        routing=routing(data_set),
        cost_picture=cost_picture(data_set, f"{name}-cost"),
        cost=cost(data_set),
        drift=drift(data_set),
        subsets=subsets(data_set),
        everything=[everything(each) for each in data_set.series],
        origins=origins(data_set),
        settings=settings(data_set),
    )


def _retained(data_set: DataSet, name: str) -> Picture | None:
    apart = curves_by_method(data_set, name) if len(data_set.series) > MANY else None
    return apart or curves(data_set, name)
