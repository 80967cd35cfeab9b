"""Retention curves of many methods: a drawing for each, as lines of twenty in one hide one another."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from memoir.bench.report.curve_axes import frame, in_numbers, points
from memoir.bench.report.layout import spaced
from memoir.bench.report.numbers import score
from memoir.bench.report.picture import (
    GLYPHS,
    MARKERS,
    PALETTE,
    PAPER,
    Drawing,
    Key,
    Picture,
    axes,
    draw,
)
from memoir.bench.report.results import DataSet, Series
from memoir.bench.report.words import MODES, QUESTIONS, STEMS

CAPTION = (
    "A drawing for each method. Read from left to right: more and more edits have been made (the axis "
    "counts 1, 10, 100, … in equal steps), and all of them are asked again. What is best at everything "
    "has all its lines at the top. Solid is free text, with its last score beside it; dashed is "
    "teacher forced; hollow marks are scores taken right after each edit."
)
_LINES = {"fg": ("-", 1.7, 4.2), "tf": ("--", 0.9, 0.0)}


def curves_by_method(data_set: DataSet, name: str) -> Picture | None:
    """One drawing per series; None without two checkpoints, and for scores that are no shares."""
    stems = data_set.stems
    if len(data_set.checkpoints) < 2 or not stems or data_set.has("reliability_perplexity"):
        return None
    drawings = tuple(
        _drawing(data_set, series, stems, f"{name}-{number}")
        for number, series in enumerate(data_set.series)
    )
    legend = tuple(
        Key(f"{stem.capitalize()}: {QUESTIONS[stem]}", _colour(stem), GLYPHS[STEMS.index(stem)])
        for stem in stems
    )
    return Picture("What is kept as edits are added", CAPTION, drawings, legend)


def _drawing(data_set: DataSet, series: Series, stems: list[str], name: str) -> Drawing:
    def paint(figure: Figure) -> None:
        ax = axes(figure, 0.42, 0.42, 0.5, 0.1)
        frame(ax, data_set, scores=True)
        for stem in stems:
            _lines(ax, series, stem)
        _name_ends(ax, series, stems)

    return Drawing(series.label, draw(name, (4.1, 2.0), _says(series, stems), paint))


def _lines(ax: Axes, series: Series, stem: str) -> None:
    look: dict[str, Any] = {"color": _colour(stem), "marker": MARKERS[STEMS.index(stem)]}
    for mode, (dash, width, size) in _LINES.items():
        found = list(points(series, f"{stem}_{mode}"))
        x = [n for n, _ in found]
        # At the edges a line would be cut in half.
        ax.plot(x, [one.value for _, one in found], dash, lw=width, ms=size, clip_on=False, **look)
        made = list(points(series, f"{stem}_{mode}", "immediate"))
        x = [n for n, _ in made]
        ax.plot(x, [one.value for _, one in made], ls="", ms=size + 1.6, mfc=PAPER, **look)


def _name_ends(ax: Axes, series: Series, stems: list[str]) -> None:
    """The last score of each line beside its end; of free text, where there is any."""
    ends = []
    for stem in stems:
        found = [list(points(series, f"{stem}_{mode}")) for mode in _LINES]
        line = next((each for each in found if each), None)
        if line:
            ends.append((stem, line[-1][1].value))
    low, high = ax.get_ylim()
    places = spaced([y for _, y in ends], (high - low) / 8, low, high)
    for (stem, y), place in zip(ends, places, strict=True):
        where = (place - low) / (high - low)
        ax.text(
            1.03, where, score(y), size=8, va="center", color=_colour(stem), transform=ax.transAxes
        )


def _colour(stem: str) -> str:
    return PALETTE[STEMS.index(stem)]


def _says(series: Series, stems: list[str]) -> str:
    parts = [
        f"{stem}, {MODES[mode]}: {numbers}"
        for stem in stems
        for mode in _LINES
        if (numbers := in_numbers(series, f"{stem}_{mode}"))
    ]
    return f"{series.label} by number of edits made. " + "; ".join(parts) + "."
