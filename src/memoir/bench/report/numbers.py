"""Numbers as text."""

from __future__ import annotations

from math import isfinite

from memoir.bench.report.results import Measure

MISSING = "–"


def score(value: float) -> str:
    """A share from 0 to 1, or another number of that size."""
    return f"{value:,.3f}" if isfinite(value) else "infinite"


def amount(value: float) -> str:
    """A number of any size, in full: 42,338, 1.54, 0.0003."""
    if not isfinite(value):
        return "infinite"
    if float(value).is_integer():
        return f"{int(value):,}"
    if abs(value) >= 1000:
        return f"{value:,.1f}"
    return f"{value:.6g}"


def about(value: float) -> str:
    """A number of any size to three digits, still without exponent: 42,338, 1.54, 0.0003."""
    if not isfinite(value) or abs(value) >= 1000:
        return amount(round(value)) if isfinite(value) else "infinite"
    return f"{value:.3g}" if abs(value) >= 1e-4 or not value else f"{value:.1e}"


def uncertainty(measure: Measure) -> str:
    """The 95 % interval, or least and most of several seeds."""
    if len(measure.values) > 1:
        return f"({_short(min(measure.values))}–{_short(max(measure.values))})"
    if measure.low == measure.high == measure.value and measure.n == 1:
        return ""
    return f"[{_short(measure.low)}, {_short(measure.high)}]"


def edits_words(n: int) -> str:
    """So many edits."""
    return "1 edit" if n == 1 else f"{n:,} edits"


def range_of(counts: list[int]) -> str:
    """One number, or least and most."""
    if not counts:
        return MISSING
    least, most = min(counts), max(counts)
    return f"{least:,}" if least == most else f"{least:,}–{most:,}"


def _short(value: float) -> str:
    return f"{value:.3f}" if abs(value) < 100 else about(value)
