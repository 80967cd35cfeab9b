"""What drawings of retention curves have in common."""

from __future__ import annotations

from collections.abc import Iterator
from math import isfinite

from matplotlib.axes import Axes

from memoir.bench.report.layout import apart
from memoir.bench.report.numbers import score
from memoir.bench.report.results import DataSet, Measure, Series


def frame(ax: Axes, data_set: DataSet, scores: bool) -> None:
    """Edits to the right, in equal steps for 1, 10, 100, …; upwards a share, if it is scores."""
    counts = [n for n in data_set.checkpoints if n > 0]
    ax.set_xscale("log")
    ax.set_xlim(counts[0] / 1.3, counts[-1] * 1.3)
    named = apart(counts)
    ax.set_xticks(counts, [f"{n:,}" if n in named else "" for n in counts])
    ax.minorticks_off()
    ax.set_xlabel("edits made")
    ax.grid(axis="y")
    ax.set_axisbelow(True)
    if scores:
        ax.set_ylim(-0.02, 1.04)
        ax.set_yticks([0, 0.25, 0.5, 0.75, 1], ["0", "0.25", "0.5", "0.75", "1"])


def points(series: Series, name: str, *where: str) -> Iterator[tuple[int, Measure]]:
    """The checkpoints at which something was measured: edits made, and the score."""
    for point in series.checkpoints:
        found = point.measure(name, *where)
        if found and point.n and isfinite(found.value):
            yield point.n, found


def in_numbers(series: Series, name: str) -> str:
    """A line for those who cannot see it; empty if it was not measured."""
    return ", ".join(f"{score(one.value)} after {n:,}" for n, one in points(series, name))
