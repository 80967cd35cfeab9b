"""Edits in force that contradict one another: one fires on what the other was taught for, and answers
otherwise.

Each edit's wordings are asked of a router that lacks the edit itself: once of those before it, once of
those after it. So each wording meets the best of either side, and no pair is gone through. What a
method without such a router would do is known to its model alone; there only prompts are compared.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from memoir.editor import Editor
from memoir.routing.meaning import normal
from memoir.store import Row, short, taught
from memoir.types import Edit, Match, Progress, no_progress
from memoir.versions.ahead import Ahead
from memoir.versions.facts import same_answer, told
from memoir.versions.log import plain

AT_ONCE = 32
"""Wordings between two words on how far it is."""

Pair = tuple[int, int]
"""Two edits by their numbers, the older one first."""

_NAMED = re.compile(r"\bedit ([0-9a-f]{10}) ")
"""How an objection names a stored edit, first."""


@dataclass(frozen=True)
class Contradiction:
    """Two edits in force that answer one thing differently.

    Attributes:
        older: the one that came into force first.
        newer: the other.
        fires: id of the one that would answer what the other was taught for; None if neither would by
            now.
        match: how well it fits there; None where only the prompts were compared.
        forced: the objection in spite of which the newer one was made; None if there was none.
    """

    older: Row
    newer: Row
    fires: str | None = None
    match: Match | None = None
    forced: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """Both edits and the evidence as plain values, for ``--json``."""
        match = self.match
        return {
            "older": plain(self.older),
            "newer": plain(self.newer),
            "fires": self.fires,
            "score": None if match is None else match.score,
            "threshold": None if match is None else match.threshold,
            "evidence": {} if match is None else dict(match.evidence),
            "forced": self.forced,
        }


def contradictions(editor: Editor, progress: Progress = no_progress) -> list[Contradiction]:
    """Pairs of edits in force that contradict one another, in the order they came into force.

    Args:
        editor: at the state that is looked at.
        progress: told while it looks.
    """
    rows = [row for row in editor.live() if row.id not in editor.damaged]
    verdicts = _verdicts(editor, rows, progress)
    forced = _forced(editor, rows)
    found = []
    for pair in sorted({*verdicts, *forced}):
        older, newer = (rows[number] for number in pair)
        fires, match = verdicts.get(pair, (None, None))
        found.append(Contradiction(older, newer, fires, match, forced.get(pair)))
    return found


def _verdicts(
    editor: Editor, rows: Sequence[Row], progress: Progress
) -> dict[Pair, tuple[str, Match | None]]:
    """Of each pair the edit that fires on what the other was taught for, and how well it fits."""
    edits = [taught(row) for row in rows]
    found: dict[Pair, tuple[str, Match | None]] = {
        pair: (rows[pair[1]].id, None) for pair in _same_prompt(edits)
    }
    for number, by, match in _fired(editor, rows, edits, progress):
        pair = min(number, by), max(number, by)
        known = found[pair][1] if pair in found else None
        if not same_answer(edits[number], edits[by]) and (
            known is None or match.score > known.score
        ):
            found[pair] = rows[by].id, match
    return found


def _same_prompt(edits: Sequence[Edit]) -> Iterator[Pair]:
    """Edits of one prompt and two answers: each with the one before it."""
    last: dict[str, int] = {}
    for number, edit in enumerate(edits):
        before = last.get(normal(edit.prompt))
        if before is not None and not same_answer(edits[before], edit):
            yield before, number
        last[normal(edit.prompt)] = number


def _fired(
    editor: Editor, rows: Sequence[Row], edits: Sequence[Edit], progress: Progress
) -> Iterator[tuple[int, int, Match]]:
    """Which edit fires on a wording of which other one: the asked one's number, the firing one's, and
    the verdict."""
    ahead = Ahead(editor, edits, [editor.store.tensors(row) for row in rows])
    for number, edit in enumerate(edits):  # asked of those before it
        yield from ((number, int(by), match) for by, match in ahead.tried(edit).items())
        ahead.add(number)
        _tell(progress, number, 2 * len(edits))
    for number, edit in enumerate(edits):  # asked of those after it
        ahead.remove(number)
        yield from ((number, int(by), match) for by, match in ahead.tried(edit).items())
        _tell(progress, len(edits) + number, 2 * len(edits))


def _tell(progress: Progress, number: int, total: int) -> None:
    if number % AT_ONCE == 0 or number + 1 == total:
        progress("looking for conflicts", number + 1, total)


def _forced(editor: Editor, rows: Sequence[Row]) -> dict[Pair, str]:
    """Objections in spite of which edits were made, where both sides are in force."""
    made = editor.store.history.made(editor.at)
    commits = editor.store.log.get({made[row.id] for row in rows})
    numbers = {short(row.id): number for number, row in enumerate(rows)}
    found: dict[Pair, str] = {}
    for number, row in enumerate(rows):
        about = f": {told(taught(row))}: "
        for text in commits[made[row.id]].body.get("forced", ()):
            kind, mark, what = text.partition(about)
            named = _NAMED.search(what) if mark and kind in ("contradicts", "shadows") else None
            if named is not None and named[1] in numbers:
                other = numbers[named[1]]
                found[min(number, other), max(number, other)] = f"{kind}: {what}"
    return found
