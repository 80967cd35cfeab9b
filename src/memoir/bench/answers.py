"""What was said, as a run file keeps it, so that single cases can be read."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from memoir.metrics.base import Metric, Said, Say
from memoir.types import Record


def answers(
    wanted: Iterable[Metric],
    record: Record,
    said: Said,
    index_of: Callable[[str | None], int | None],
) -> list[dict[str, Any]]:
    """Every text said about a record with the edits in force; the longest for each prompt and setting.

    Args:
        wanted: the metrics that asked.
        record: what they asked about.
        said: the answers.
        index_of: the record whose edit has an id.
    """
    longest: dict[tuple[str, str], Say] = {}
    for ask in (ask for metric in wanted for ask in metric.asks(record)):
        if isinstance(ask, Say) and ask.edits:
            known = longest.get((ask.prompt, ask.setting))
            if known is None or ask.tokens > known.tokens:
                longest[ask.prompt, ask.setting] = ask
    return [_row(ask, said, index_of) for ask in longest.values()]


def _row(ask: Say, said: Said, index_of: Callable[[str | None], int | None]) -> dict[str, Any]:
    answer = said[ask]
    match = answer.match
    return {
        "about": ask.about,
        "prompt": ask.prompt,
        "setting": ask.setting,
        "want": ask.want,
        "text": answer.text,
        "fired": None if match is None else match.fired,
        "edit": None if match is None else index_of(match.edit_id),
        "score": None if match is None else round(match.score, 4),
    }
