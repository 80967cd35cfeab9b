"""Retention curves: what becomes of the scores as edits are added, a drawing per question."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from memoir.bench.report.curve_axes import frame, in_numbers, points
from memoir.bench.report.layout import spaced
from memoir.bench.report.picture import MARKERS, PAPER, Drawing, Picture, axes, draw
from memoir.bench.report.results import DataSet, Series
from memoir.bench.report.series_style import colour, fit_beside_lines, keys, shortened
from memoir.bench.report.words import MODES, QUESTIONS

LABELLED = 5
"""With more series than this, names stand in the legend only, and intervals in the table."""

CAPTION = (
    "Read from left to right: more and more edits have been made (the axis counts 1, 10, 100, … in "
    "equal steps), and all of them are asked again; a line that stays high is a model that forgets "
    "nothing. Solid is free text, dashed is teacher forced; hollow marks are scores taken right after "
    "each edit, before later ones could disturb it."
)
BAND = " The pale band is the 95 % interval of the solid line."
SURPRISE = (
    "Perplexity. How surprised is the model by the taught answer? (1: not at all; lower is better)"
)
_LINES = {"fg": ("-", 1.7, 4.2), "tf": ("--", 1.1, 2.6), "perplexity": ("-", 1.7, 4.2)}


def curves(data_set: DataSet, name: str) -> Picture | None:
    """One drawing per question asked; None without two checkpoints, as there is no curve then."""
    if len(data_set.checkpoints) < 2:
        return None
    drawings = [_drawing(data_set, stem, tuple(MODES), f"{name}-{stem}") for stem in data_set.stems]
    if data_set.has("reliability_perplexity"):
        drawings.insert(0, _drawing(data_set, "reliability", ("perplexity",), f"{name}-perplexity"))
    if not drawings:
        return None
    caption = CAPTION + (BAND if len(data_set.series) <= LABELLED else "")
    return Picture("What is kept as edits are added", caption, tuple(drawings), keys(data_set))


def _drawing(data_set: DataSet, stem: str, modes: tuple[str, ...], name: str) -> Drawing:
    scores = modes != ("perplexity",)
    title = f"{stem.capitalize()}. {QUESTIONS[stem]}" if scores else SURPRISE

    def paint(figure: Figure) -> None:
        few = len(data_set.series) <= LABELLED
        labelled = few and fit_beside_lines(data_set)
        ax = axes(figure, 0.42, 0.46, 1.02 if labelled else 0.12, 0.1)
        frame(ax, data_set, scores)
        for series in data_set.series:
            for mode in modes:
                _line(ax, series, f"{stem}_{mode}", mode)
            if few:
                _band(ax, series, [f"{stem}_{mode}" for mode in modes])
        if labelled:
            _label_ends(ax, data_set, stem, modes)

    return Drawing(title, draw(name, (4.1, 2.7), _says(data_set, stem, modes), paint))


def _line(ax: Axes, series: Series, name: str, mode: str) -> None:
    found = list(points(series, name))
    dash, width, size = _LINES[mode]
    look: dict[str, Any] = {"color": colour(series), "zorder": 3 - series.rank / 100}
    marker = MARKERS[series.rank % len(MARKERS)]
    x = [n for n, _ in found]
    ax.plot(x, [one.value for _, one in found], dash, lw=width, marker=marker, ms=size, **look)
    for n, one in found:
        if len(one.values) > 1:
            ax.plot([n] * len(one.values), one.values, ".", ms=3, alpha=0.7, **look)
    made = list(points(series, name, "immediate"))
    hollow: dict[str, Any] = {"mfc": PAPER, "mec": colour(series), "zorder": 2.5}
    ax.plot([n for n, _ in made], [one.value for _, one in made], marker, ms=size + 1.6, **hollow)


def _band(ax: Axes, series: Series, names: list[str]) -> None:
    """The interval of the first of these that was measured; more would hide each other."""
    for name in names:
        found = list(points(series, name))
        if found:
            low, high = [one.low for _, one in found], [one.high for _, one in found]
            ax.fill_between(
                [n for n, _ in found], low, high, color=colour(series), alpha=0.15, lw=0
            )
            return


def _label_ends(ax: Axes, data_set: DataSet, stem: str, modes: tuple[str, ...]) -> None:
    ends = []
    for series in data_set.series:
        for mode in modes:
            found = list(points(series, f"{stem}_{mode}"))
            if found:
                ends.append((series, found[-1][1].value))
                break
    low, high = ax.get_ylim()
    places = spaced([y for _, y in ends], (high - low) / 15, low, high)
    for (series, y), place in zip(ends, places, strict=True):
        at = (place - low) / (high - low)
        end = (y - low) / (high - low)
        look: dict[str, Any] = {"color": colour(series), "transform": ax.transAxes}
        ax.plot([1.0, 1.04], [end, at], lw=0.7, clip_on=False, **look)
        ax.text(1.05, at, shortened(series.label), size=8, va="center", **look)


def _says(data_set: DataSet, stem: str, modes: tuple[str, ...]) -> str:
    parts = [
        f"{series.label}, {MODES.get(mode, mode)}: {numbers}"
        for series in data_set.series
        for mode in modes
        if (numbers := in_numbers(series, f"{stem}_{mode}"))
    ]
    return f"{stem} by number of edits made. " + "; ".join(parts) + "."
