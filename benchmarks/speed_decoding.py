"""Tokens per second with many edits stored, as ratios to the unedited model.

Seconds are the process's own on the processor, so that other work on the machine counts for little.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from itertools import cycle, islice
from statistics import median
from typing import Any, NamedTuple

from common import spread
from crowd import Crowd, Fitted, router_of
from memoir import Editor
from memoir.types import Progress

BATCHES = (1, 8)

CANDIDATES = 2
"""For each prompt that is decoded, questions among which one that fires, or fires none, is sought."""


def decoding(
    real: Sequence[Fitted], stored: Sequence[int], turns: int, new_tokens: int, progress: Progress
) -> dict[str, Any]:
    """Greedy decoding, with routing and prefill.

    A prompt that fires asks for a stored fact in another wording; one that fires nothing is about
    somebody whose name shares words with stored ones. So the router has all its work to do in both.

    Args:
        real: fitted edits.
        stored: rising numbers of edits.
        turns: how often the edited and the unedited model take turns.
        new_tokens: decoded for each prompt.
    """
    rows = []
    with Editor.open("smollm2", progress=progress) as editor:
        candidates = CANDIDATES * turns * max(BATCHES)
        crowd = Crowd(router_of(editor), real, max(stored), candidates)
        before = 0
        for count in stored:
            for fact in crowd.facts(before, count):
                editor.method.apply(fact.id, fact.edit, fact.tensors)
                progress("storing", int(fact.id[1:]) + 1, max(stored))
            before = count
            asked = {
                "fires_none": _those(editor, crowd.strangers(), fired=False),
                "fires": _those(editor, crowd.questions(count, candidates), fired=True),
            }
            for batch in BATCHES:
                row: dict[str, Any] = {"edits": count, "batch": batch}
                for name, prompts in asked.items():
                    what = f"decoding, {count:,} edits, batch {batch}, {name}"
                    found = []
                    for turn in range(turns if prompts else 0):
                        progress(what, turn, turns)
                        some = list(islice(cycle(prompts), turn * batch, (turn + 1) * batch))
                        found.append(_turn(editor, some, new_tokens, edited_first=turn % 2 == 1))
                    row[name] = _numbers(found) if found else None
                rows.append(row)
    return {"turns": turns, "new_tokens": new_tokens, "rows": rows}


class Turn(NamedTuple):
    """Tokens per second of both, on the same prompts."""

    edited: float
    unedited: float


def _turn(editor: Editor, prompts: Sequence[str], new_tokens: int, edited_first: bool) -> Turn:
    rows = [editor.host.encode(prompt) for prompt in prompts]
    speeds = {}
    for edits in (True, False) if edited_first else (False, True):
        with editor.edits_in_force(edits):
            start = time.process_time()
            editor.host.generate(rows, new_tokens, exactly=True)
            speeds[edits] = len(rows) * new_tokens / (time.process_time() - start)
    return Turn(speeds[True], speeds[False])


def _numbers(turns: Sequence[Turn]) -> dict[str, Any]:
    return {
        "tokens_per_second": round(median(turn.edited for turn in turns), 1),
        "tokens_per_second_unedited": round(median(turn.unedited for turn in turns), 1),
        "ratio": spread([turn.edited / turn.unedited for turn in turns]),
    }


def _those(editor: Editor, texts: Sequence[str], fired: bool) -> list[str]:
    """The texts that fire an edit, or none."""
    answers = editor.ask_many(texts, max_new_tokens=1)
    pairs = zip(texts, answers, strict=True)
    return [text for text, answer in pairs if answer.match and answer.match.fired is fired]
