"""Cost against quality."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from math import isfinite
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator

from memoir.bench.report.layout import spaced
from memoir.bench.report.numbers import about, score
from memoir.bench.report.picture import MARKERS, MUTED, Drawing, Key, Picture, axes, draw
from memoir.bench.report.results import DataSet, Series
from memoir.bench.report.series_style import colour, key_of
from memoir.bench.report.words import lower_is_better, metric_words

QUALITY = (
    "generalization_fg",
    "reliability_fg",
    "generalization_tf",
    "reliability_tf",
    "reliability_perplexity",
)
CAPTION = (
    "Left is faster and up is better, so the upper left corner is where one wants to be; the "
    "lower axis is logarithmic (equal steps multiply the time), and labels give the size of one edit."
)
LABELLED = 6
"""With more spots than this, or long names, names stand in the legend."""

_Spot = tuple[Series, float, float]


def cost_picture(data_set: DataSet, name: str) -> Picture | None:
    """Seconds per edit against the first quality that any series with a cost has."""
    for metric in QUALITY:
        spots = _spots(data_set, metric)
        if spots:
            paint = partial(_paint, spots=spots, metric=metric)
            svg = draw(name, (4.8, 3.0), _says(spots, metric), paint)
            drawing = Drawing(f"{metric_words(metric).capitalize()}, after the last edit", svg)
            legend = () if _labelled(spots) else tuple(_key(series) for series, *_ in spots)
            return Picture("What quality costs", CAPTION, (drawing,), legend, wide=True)
    return None


def _labelled(spots: list[_Spot]) -> bool:
    return len(spots) <= LABELLED and not any(series.taught for series, *_ in spots)


def _key(series: Series) -> Key:
    return replace(key_of(series), name=_name(series, ", "))


def _name(series: Series, between: str) -> str:
    size = series.last.measure("bytes_per_edit")
    return f"{series.label}{between}{about(size.value)} bytes" if size else series.label


def _spots(data_set: DataSet, metric: str) -> list[_Spot]:
    found = []
    for series in data_set.series:
        quality, seconds = series.last.measure(metric), series.last.measure("seconds_per_edit")
        if quality and seconds and seconds.value > 0 and isfinite(quality.value):
            found.append((series, seconds.value, quality.value))
    return found


def _paint(figure: Figure, spots: list[_Spot], metric: str) -> None:
    ax = axes(figure, 0.5, 0.46, 0.2, 0.12)
    _frame(ax, spots, metric)
    for series, x, y in spots:
        ax.plot([x], [y], MARKERS[series.rank % len(MARKERS)], ms=7, color=colour(series), zorder=3)
    for on_left in (False, True) if _labelled(spots) else ():
        _labels(ax, [spot for spot in spots if _is_right(ax, spot) == on_left], on_left)


def _frame(ax: Axes, spots: list[_Spot], metric: str) -> None:
    seconds = [x for _, x, _ in spots]
    ax.set_xscale("log")
    ax.set_xlim(min(seconds) / 2.2, max(seconds) * 2.2)
    steps = (1, 2, 5) if max(seconds) < 30 * min(seconds) else (1,)
    ax.xaxis.set_major_locator(LogLocator(subs=steps, numticks=12))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: about(x)))
    ax.minorticks_off()
    ax.set_xlabel("seconds per edit")
    ax.set_ylabel(metric_words(metric))
    ax.grid()
    ax.set_axisbelow(True)
    if lower_is_better(metric):
        ax.set_ylim(max(y for *_, y in spots) * 1.15, 0.9)
    else:
        ax.set_ylim(0, 1.04)


def _is_right(ax: Axes, spot: _Spot) -> bool:
    return float(ax.transAxes.inverted().transform(ax.transData.transform(spot[1:]))[0]) > 0.55


def _labels(ax: Axes, spots: list[_Spot], on_left: bool) -> None:
    low, high = ax.get_ylim()
    share = [(y - low) / (high - low) for *_, y in spots]
    places = spaced(share, 0.125, 0.06, 0.94)
    to_share = ax.transAxes.inverted()
    for (series, x, y), place, at in zip(spots, places, share, strict=True):
        across = float(to_share.transform(ax.transData.transform((x, y)))[0])
        side = across + (-0.035 if on_left else 0.035)
        link: dict[str, Any] = {"color": MUTED, "lw": 0.6, "transform": ax.transAxes}
        ax.plot([across, side], [at, place], **link)
        look: dict[str, Any] = {"ha": "right" if on_left else "left", "va": "center", "size": 8}
        shift = -0.008 if on_left else 0.008
        ax.text(
            side + shift,
            place,
            _name(series, "\n"),
            color=colour(series),
            transform=ax.transAxes,
            **look,
        )


def _says(spots: list[_Spot], metric: str) -> str:
    parts = [f"{series.label} {about(x)} seconds, {score(y)}" for series, x, y in spots]
    return f"Seconds per edit and {metric_words(metric)}: " + "; ".join(parts) + "."
