"""The table of benchmarks/methods_cost.py."""

from __future__ import annotations

from typing import Any

from cost_tables import provenance

MEASURE = "memoir default"
"""What the others' time is divided by."""


def methods_cost(result: dict[str, Any]) -> list[str]:
    """What an edit costs with every method; nothing if it was not measured."""
    if not result:
        return []
    lines = [
        "## Cost, side by side",
        "",
        f"`python benchmarks/methods_cost.py`: the first {result['edits']} records of ZsRE, given "
        "together, on a machine that did nothing else, each method in a process of its own. What a "
        "method does once for its first edit counts too. Bytes are those on disk, memory is the most "
        "that the process held, model included. Decoding is the speed with edits in force on prompts "
        "that fire, over that of the same model without them. Each was measured once: `wise` and its "
        "preset `retrieve`, which do the same up to here, show how far chance goes.",
        "",
        "| method | seconds per edit | times memoir | bytes per edit | memory, MB | decoding |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    methods = result["methods"]
    for name in sorted(methods, key=lambda name: float(methods[name]["seconds_per_edit"])):
        costs = methods[name]
        cells = [
            name.replace("_", "\\_"),
            f"{costs['seconds_per_edit']:.2f}",
            f"{costs['seconds_per_edit'] / methods[MEASURE]['seconds_per_edit']:.2f}",
            f"{costs['bytes_per_edit']:,.0f}",
            f"{costs['peak_memory_mb']:,.0f}",
            f"{costs['decoding']:.2f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return [*lines, "", provenance([result]), ""]
