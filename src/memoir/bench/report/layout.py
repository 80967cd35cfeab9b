"""Where names go, so that they do not run into each other."""

from __future__ import annotations

from math import log


def spaced(wanted: list[float], gap: float, low: float, high: float) -> list[float]:
    """Places as near as possible to those wanted, at least ``gap`` apart, from ``low`` to ``high``."""
    order = sorted(range(len(wanted)), key=lambda i: (wanted[i], -i))
    places = [0.0] * len(wanted)
    floor = low
    for i in order:
        places[i] = floor = max(wanted[i], floor)
        floor += gap
    ceiling = high
    for i in reversed(order):
        places[i] = min(places[i], ceiling)
        ceiling = places[i] - gap
    return places


def apart(counts: list[int]) -> set[int]:
    """Those of the rising counts whose names do not run into each other, the last one among them."""
    named: list[int] = []
    for n in reversed(counts):
        if not named or log(named[-1] / n) > log(counts[-1] / counts[0]) / 7:
            named.append(n)
    return set(named)
