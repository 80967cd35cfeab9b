"""The table of benchmarks/methods_cost.py."""

from __future__ import annotations

from typing import Any

from cost_tables import provenance


def methods_cost(result: dict[str, Any]) -> list[str]:
    """What an edit costs with every method; nothing if it was not measured."""
    if not result:
        return []
    lines = [
        "## Cost, side by side",
        "",
        f"`python benchmarks/methods_cost.py`: the first {result['edits']} records of ZsRE, given "
        "together, on a machine that did nothing else. Each method has a process of its own, and all "
        f"take turns, {result['turns']} each; the ratio to memoir is that within a turn (median, least "
        "and most). What a method does once for its first edit counts too. Bytes are those on disk, "
        "memory is the most that the process held, model included. Decoding is the speed with edits in "
        "force on prompts that fire, over that of the same model without them.",
        "",
        "| method | seconds per edit | times memoir | bytes per edit | memory, MB | decoding |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    rows = sorted(
        result["methods"].items(), key=lambda item: float(item[1]["seconds_per_edit"]["median"])
    )
    for name, row in rows:
        times = row["times_memoir"]
        cells = [
            name.replace("_", "\\_"),
            f"{row['seconds_per_edit']['median']:.2f}",
            f"{times['median']:.2f} [{times['min']:.2f}, {times['max']:.2f}]",
            f"{row['bytes_per_edit']:,}",
            f"{row['peak_memory_mb']:,}",
            f"{row['decoding']['median']:.2f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return [*lines, "", provenance([result]), ""]
