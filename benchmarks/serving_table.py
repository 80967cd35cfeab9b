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
        f"streaming by so many clients at once, {result['tokens']} tokens an answer at most. Half of "
        "the prompts fire an edit. The edited and the unedited model take turns behind the same "
        "server; the ratio of tokens per second is that within a turn (median, least and most). The "
        "last column is the same per second of the processor, for which other work on the machine "
        "counts little.",
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
            _spread(row["ratio"]),
            _spread(row["ratio_of_work"]),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return [*lines, ""]


def _spread(values: dict[str, float]) -> str:
    return f"{values['median']:.3f} ({values['min']:.2f}–{values['max']:.2f})"
