"""The table of benchmarks/soak.py."""

from __future__ import annotations

from typing import Any


def soak(result: dict[str, Any]) -> list[str]:
    """What a server was like after long use; nothing if it was not measured."""
    if not result:
        return []
    grown, troubles = result["growth"], result["troubles"]
    rows = {
        "answers, by request and status": _answers(result["answers"]),
        "facts in force, taken back, refused": (
            f"{result['in_force']}, {result['taken_back']}, {result['refused']}"
        ),
        "memory of the server at the end": f"{result['megabytes']:,.0f} MB",
        "memory gained once warm": f"{grown['megabytes']:+.1f} MB",
        "of which the store gave it to hold": f"{grown['explained']:+.1f} MB",
        "threads, open files gained once warm": f"{grown['threads']:+d}, {grown['files']:+d}",
        "found amiss": "; ".join(troubles) or "nothing",
    }
    return [
        "## A server under load",
        "",
        f"`python benchmarks/soak.py`: `memoir serve` on the default model, {result['minutes']:g} "
        f"minutes with {result['clients']} clients who ask, leave in the middle, teach, take back, "
        "check and look around, at random. Every answer must be one that is documented for its "
        "request; whatever was acknowledged must be so at the end, told by the server and read from "
        "the store; what was taught must be answered, and what was not as before. A third of the time "
        "warms it; from then on growth of its memory is fitted against time.",
        "",
        "| | |",
        "|---|---:|",
        *(f"| {name} | {value} |" for name, value in rows.items()),
        "",
    ]


def _answers(counts: dict[str, dict[str, int]]) -> str:
    told = []
    for what, by_status in counts.items():
        some = ", ".join(
            f"{count:,}" if status in ("0", "200", "201", "202") else f"{count:,} × {status}"
            for status, count in by_status.items()
        )
        told.append(f"{what} {some}")
    return "; ".join(told)
