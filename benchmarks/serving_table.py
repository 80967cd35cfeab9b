"""The table of benchmarks/serving.py."""

from __future__ import annotations

from typing import Any


def serving(result: dict[str, Any]) -> list[str]:
    """Speed of a served model; nothing if it was not measured."""
    if not result:
        return []
    lines = [
        "## Cost behind a server",
        "",
        "`python benchmarks/serving.py`: `memoir serve` on the default model, asked over HTTP with "
        f"streaming by so many clients at once, {result['tokens']} tokens an answer. Half of the "
        "prompts fire an edit. The edited and the unedited model take turns behind the same server, "
        "each first in every second turn. The ratio is that of tokens per second over all turns, with "
        "the interval of 95 % if turns were drawn again; the last column is the same per second of the "
        "processor.",
        "",
        "| edits | clients | first token, s (unedited) | tokens/s (unedited) | ratio | ratio of work |",
        "|---:|---:|---:|---:|---:|---:|",
    ]
    for row in result["rows"]:
        cells = [
            f"{row['edits']:,}",
            str(row["clients"]),
            f"{row['first_token']:.2f} ({row['first_token_unedited']:.2f})",
            f"{row['tokens_per_second']:.0f} ({row['tokens_per_second_unedited']:.0f})",
            _interval(row["ratio"]),
            _interval(row["ratio_of_work"]),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return [*lines, ""]


def _interval(values: dict[str, float]) -> str:
    return f"{values['all']:.3f} [{values['low']:.2f}, {values['high']:.2f}]"
