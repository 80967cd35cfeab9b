"""The table of benchmarks/history.py."""

from __future__ import annotations

from typing import Any

COLUMNS = {
    "open": "open",
    "older": "open an older state",
    "commit": "commit",
    "revert": "revert",
    "log_20": "log, 20 lines",
    "log": "log, all",
    "blame": "blame",
    "fsck": "fsck",
}


def history(result: dict[str, Any]) -> list[str]:
    """What each verb takes as a history grows; nothing if it was not measured."""
    if not result:
        return []
    kilobytes = f"{result['sizes'][-1]['bytes_per_edit'] / 1000:.0f} KB"
    lines = [
        "## Cost of a long history",
        "",
        "`python benchmarks/history.py`: one edit to a commit, of the size that an edit of "
        f"SmolLM2-135M has ({kilobytes} on disk with its row and commit). No model runs: these are "
        "the store's own seconds. Opening reads the keys of all edits in force and none of their "
        "values; the older state is that in the middle, with half of the edits.",
        "",
        "| edits | " + " | ".join(COLUMNS.values()) + " | in memory | on disk |",
        "|---:|" + "---:|" * (len(COLUMNS) + 2),
    ]
    for size in result["sizes"]:
        cells = [_seconds(size[name]) for name in COLUMNS]
        cells += [f"{size['open_bytes'] / 1e6:,.0f} MB"]
        cells += [f"{size['edits'] * size['bytes_per_edit'] / 1e6:,.0f} MB"]
        lines.append(f"| {size['edits']:,} | " + " | ".join(cells) + " |")
    return [*lines, ""]


def _seconds(value: float) -> str:
    return f"{1000 * value:.0f} ms" if value < 1 else f"{value:.1f} s"
