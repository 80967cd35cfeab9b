"""What the ratios of results are made of: numbers of a record beside others of the same record.

Only a share of the records may be asked in the settings of a conversation, and of these not every
probe. A ratio to what all of them gave bare would mix the setting with the choice, so each number is
paired with one over the very same prompts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from memoir.bench.journal import Row
from memoir.metrics.base import GIVES_TARGET
from memoir.metrics.fluency import UNEDITED
from memoir.metrics.settings import BESIDES, named
from memoir.metrics.text import begins_with

Pair = tuple[float, float]


def pairs(record: Row) -> dict[str, Pair]:
    """Numbers of a record's row, by name, each with the one to compare it with.

    ``reliability_chat`` stands beside the share of the same prompts that were answered rightly bare;
    ``edit_repetition`` beside ``edit_unedited_repetition``.
    """
    return {**dict(_to_bare(record)), **dict(_to_unedited(record["scores"]))}


def _to_bare(record: Row) -> Iterator[tuple[str, Pair]]:
    right = _answered_rightly(record["answers"])
    for kind, score in GIVES_TARGET.items():
        bare = right.get((kind, "bare"), {})
        for setting in BESIDES:
            name, there = named(score, setting), right.get((kind, setting), {})
            prompts = [prompt for prompt in there if prompt in bare]
            if name in record["scores"] and prompts:
                yield name, (_share(there, prompts), _share(bare, prompts))


def _answered_rightly(answers: list[dict[str, Any]]) -> dict[tuple[str, str], dict[str, bool]]:
    """Whether each prompt's text begins with its target, by kind of prompt and setting."""
    found: dict[tuple[str, str], dict[str, bool]] = {}
    for answer in answers:
        if answer["want"]:
            place = found.setdefault((answer["about"], answer["setting"]), {})
            place[answer["prompt"]] = begins_with(answer["text"], answer["want"])
    return found


def _share(right: Mapping[str, bool], prompts: list[str]) -> float:
    return float(np.mean([right[prompt] for prompt in prompts]))


def _to_unedited(scores: Mapping[str, float]) -> Iterator[tuple[str, Pair]]:
    for name, before in UNEDITED.items():
        if name in scores and before in scores:
            yield name, (scores[name], scores[before])
