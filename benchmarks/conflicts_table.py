"""The table of benchmarks/conflicts.py."""

from __future__ import annotations

from typing import Any

NAMES = {"zsre": "ZsRE", "counterfact": "CounterFact"}


def conflicts(result: dict[str, Any]) -> list[str]:
    """Contradictions that are found before anything is fitted, and warnings for nothing."""
    lines = [
        "## Contradictions found before they are taught",
        "",
        "`python benchmarks/conflicts.py`: the first records of a set as one change to an empty store, "
        "with the router that ships. In ZsRE 202 records give one fact several answers, and each but "
        "the first of a fact contradicts an earlier one; in CounterFact none was known to.",
        "",
        "| set | records | contradict an earlier one | found | false alarms | of | changes nothing |",
        "|---|---:|---:|---:|---:|---:|---:|",
    ]
    for name, found in result["sets"].items():
        cells = [found[key] for key in ("records", "contradict", "found", "false_alarms", "of")]
        cells.append(found["kinds"].get("known", 0))
        lines.append(f"| {NAMES[name]} | " + " | ".join(f"{cell:,}" for cell in cells) + " |")
    alarms = [
        f"* {each['edit']}: {each['what']}"
        for found in result["sets"].values()
        for each in found["examples"]
        if each["kind"] == "contradicts"
    ]
    return [*lines, "", "The false alarms:", "", *alarms, ""] if alarms else [*lines, ""]
