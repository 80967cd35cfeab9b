"""Where an edit acts: scores by kind of question, and the threshold."""

from __future__ import annotations

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from memoir.bench.report.numbers import about, edits_words
from memoir.bench.report.picture import (
    EITHER,
    FIRES,
    INK,
    SILENT,
    Drawing,
    Key,
    Picture,
    draw,
)
from memoir.bench.report.results import Checkpoint, DataSet, Series
from memoir.bench.report.tables_course import thresholds
from memoir.bench.report.words import KINDS, SHOULD_FIRE, in_setting, kind_words, parted_kind
from memoir.metrics.settings import named
from memoir.surroundings import SETTINGS

ROW = 0.72
"""Inches per kind of question."""

CAPTION = (
    "Each small panel is one kind of question; a bar's height is the share of questions on which the "
    "best stored edit has that score. Right of the threshold it acts: blue heaps belong right of the "
    "line, orange heaps left of it, and where they mix no threshold can tell them apart. Questions "
    "asked inside conversations have drawings of their own."
)
LEGEND = (
    Key("should act", FIRES, "■"),
    Key("should stay silent", SILENT, "■"),
)


def routing_picture(data_set: DataSet, name: str) -> Picture | None:
    """One drawing per condition and series that gives scores."""
    drawings = []
    for i, series in enumerate(data_set.series):
        heaps = _heaps(series.last)
        for setting in SETTINGS:
            there = {kind: each for kind, each in heaps.items() if parted_kind(kind)[1] == setting}
            if there:
                drawings.append(_drawing(series, setting, there, f"{name}-{i}-{setting}"))
    if not drawings:
        return None
    return Picture(
        "How the model decides whether an edit is meant", CAPTION, tuple(drawings), LEGEND
    )


def _heaps(point: Checkpoint) -> dict[str, list[float]]:
    """Share of questions per bin, by kind, of all seeds together."""
    counts: dict[str, list[float]] = {}
    for result in point.results:
        given = result.get("histograms") or {}
        found = given.get("score") or given.get("overlap") or {}  # its name in older results
        for kind, bins in found.items():
            before = counts.get(kind, [0.0] * len(bins))
            counts[kind] = [a + b for a, b in zip(before, bins, strict=True)]
    order = sorted(counts, key=_place)
    return {k: [each / sum(counts[k]) for each in counts[k]] for k in order if sum(counts[k])}


def _place(kind: str) -> tuple[bool, int]:
    """Sorts those that should act first."""
    bare, _ = parted_kind(kind)
    known = list(KINDS).index(bare) if bare in KINDS else len(KINDS)
    return bare not in SHOULD_FIRE, known


def _drawing(series: Series, setting: str, heaps: dict[str, list[float]], name: str) -> Drawing:
    height = ROW * len(heaps) + 0.72

    def paint(figure: Figure) -> None:
        for row, (kind, shares) in enumerate(reversed(list(heaps.items()))):
            place = (0.03, (0.46 + row * ROW) / height, 0.94, ROW * 0.68 / height)
            ax = figure.add_axes(place)
            _panel(ax, kind, shares, thresholds(series.last))
            _name_panel(ax, kind, series.last)
            ax.tick_params(labelbottom=row == 0)
            ax.set_xlabel("score of the best stored edit" if row == 0 else "")
        _name_threshold(ax, thresholds(series.last))

    title = in_setting(f"{series.label}, {edits_words(series.last.n)}", setting)
    return Drawing(title, draw(name, (4.1, height), _says(series, setting, heaps), paint))


def _panel(ax: Axes, kind: str, shares: list[float], marks: list[float]) -> None:
    width = 1 / len(shares)
    bare, _ = parted_kind(kind)
    known = FIRES if bare in SHOULD_FIRE else SILENT
    middles = [(i + 0.5) * width for i in range(len(shares))]
    ax.bar(middles, shares, width * 0.86, color=known if bare in KINDS else EITHER, lw=0)
    ax.set_xlim(0, 1)
    ax.set_ylim(0, max(shares))
    ax.set_xticks([0, 0.2, 0.4, 0.6, 0.8, 1], ["0", "0.2", "0.4", "0.6", "0.8", "1"])
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    for mark in marks:
        ax.axvline(mark, color=INK, lw=1.1, ls=(0, (3, 2)))


def _name_panel(ax: Axes, kind: str, point: Checkpoint) -> None:
    bare, setting = parted_kind(kind)
    ax.text(0, 1.06, kind_words(bare), size=8.5, color=INK, transform=ax.transAxes)
    fires = point.measure(named(f"fires_{bare}", setting))
    if fires:
        words = f"an edit acts on {100 * fires.value:.1f} %"
        ax.text(1, 1.06, words, size=8.5, color=INK, ha="right", transform=ax.transAxes)


def _name_threshold(ax: Axes, marks: list[float]) -> None:
    """Above the topmost panel."""
    if marks:
        look: dict[str, Any] = {"color": INK, "transform": ax.get_xaxis_transform()}
        words = "threshold " + ", ".join(about(mark) for mark in marks)
        ax.text(marks[0], 1.46, words, ha="center", size=9, **look)
        ax.plot([marks[0]] * 2, [1, 1.42], lw=0.6, clip_on=False, **look)


def _says(series: Series, setting: str, heaps: dict[str, list[float]]) -> str:
    marks = thresholds(series.last)
    parts = []
    for kind, shares in heaps.items():
        middle = sum((i + 0.5) / len(shares) * share for i, share in enumerate(shares))
        parts.append(f"{kind_words(parted_kind(kind)[0])} {middle:.2f}")
    who = in_setting(series.label, setting)
    at = f"; an edit acts from {', '.join(about(mark) for mark in marks)}" if marks else ""
    return f"{who}, mean score by kind of question: {', '.join(parts)}{at}."
