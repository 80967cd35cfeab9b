"""Bars of the headline scores after the last edit."""

from __future__ import annotations

from math import isfinite
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from memoir.bench.report.numbers import edits_words, score
from memoir.bench.report.picture import INK, MUTED, PAPER, Drawing, Picture, axes, draw
from memoir.bench.report.results import DataSet, Series
from memoir.bench.report.series_style import colour
from memoir.bench.report.words import MODES

ROW = 0.56
"""Inches per series."""

LONGEST_NAME = 64
"""Letters that fit above a bar; a longer name is written smaller."""

CAPTION = (
    "Longer is better; the full bar is free text, the pale one below it teacher forced, the thin line "
    "is the 95 % interval. A good method has long bars everywhere: it knows the fact, recognises it "
    "in other words, and leaves the rest alone."
)
SURPRISE = (
    "The score bars: longer is better; the full bar is free text, the pale one below it teacher "
    "forced. The perplexity bars: shorter is better. The thin line is the 95 % interval."
)
_PLACES = {"fg": (-0.05, 1.0), "tf": (0.24, 0.45), "perplexity": (0.1, 1.0)}
"""Where a bar lies in its row, and how opaque it is."""


def bars(data_set: DataSet, name: str) -> Picture | None:
    """One drawing per headline score that some series has."""
    drawings = [_drawing(data_set, stem, tuple(MODES), f"{name}-{stem}") for stem in data_set.stems]
    surprise = data_set.has("reliability_perplexity")
    if surprise:
        drawings.insert(0, _drawing(data_set, "reliability", ("perplexity",), f"{name}-perplexity"))
    caption = SURPRISE if surprise else CAPTION
    return Picture("After the last edit", caption, tuple(drawings)) if drawings else None


def _drawing(data_set: DataSet, stem: str, modes: tuple[str, ...], name: str) -> Drawing:
    height = ROW * len(data_set.series) + 0.4
    scores = modes != ("perplexity",)

    def paint(figure: Figure) -> None:
        ax = axes(figure, 0.08, 0.3, 0.5, 0.1)
        ax.set_xlim(0, 1 if scores else _longest(data_set))
        _frame(ax, len(data_set.series), scores)
        for row, series in enumerate(_most_edits_first(data_set)):
            _name(ax, series, row)
            for mode in modes:
                _bar(ax, series, f"{stem}_{mode}", row)

    title = stem.capitalize() if scores else "Perplexity of the taught answer: shorter is better"
    return Drawing(title, draw(name, (4.1, height), _says(data_set, stem, modes), paint))


def _most_edits_first(data_set: DataSet) -> list[Series]:
    """The unedited model, then so that who made as many edits stands together."""
    return sorted(
        data_set.series, key=lambda each: -float("inf") if each.edits_nothing else -each.last.n
    )


def _frame(ax: Axes, rows: int, scores: bool) -> None:
    ax.set_ylim(rows - 0.5, -0.6)
    ax.set_yticks([])
    if scores:
        ax.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "0.25", "0.5", "0.75", "1"])
    ax.spines["left"].set_color(MUTED)
    ax.grid(axis="x")
    ax.set_axisbelow(True)


def _longest(data_set: DataSet) -> float:
    found = [each.last.measure("reliability_perplexity") for each in data_set.series]
    highs = [one.high if isfinite(one.high) else one.value for one in found if one]
    return max([high for high in highs if isfinite(high)], default=1.0)


def _name(ax: Axes, series: Series, row: int) -> None:
    label, edits = series.label, edits_words(series.last.n)
    name = label if series.edits_nothing else f"{label}, {edits}"
    size = 8.5 * min(1.0, LONGEST_NAME / len(name))
    ax.text(0, row - 0.27, f" {name}", size=size, color=INK)


def _bar(ax: Axes, series: Series, name: str, row: int) -> None:
    found = series.last.measure(name)
    down, alpha = _PLACES[name.rpartition("_")[2]]
    y = row + down
    if not found:
        ax.text(0, y, "  not measured", size=7.5, color=MUTED, va="center")
        return
    end = ax.get_xlim()[1]
    ax.barh(y, min(found.value, end), 0.24, color=PAPER, lw=0)
    ax.barh(y, min(found.value, end), 0.24, color=colour(series), alpha=alpha, lw=0)
    ax.plot([found.low, min(found.high, end)], [y, y], color=INK, lw=1.1, clip_on=False)
    look: dict[str, Any] = {"size": 8.5, "color": INK, "va": "center"}
    ax.text(1.03, y, score(found.value), transform=ax.get_yaxis_transform(), **look)


def _says(data_set: DataSet, stem: str, modes: tuple[str, ...]) -> str:
    parts = []
    for series in data_set.series:
        for mode in modes:
            found = series.last.measure(f"{stem}_{mode}")
            if found:
                parts.append(f"{series.label} {MODES.get(mode, mode)} {score(found.value)}")
    return f"{stem} after the last edit: " + ", ".join(parts) + "."
