"""Temporal (Wang et al. 2024, WISE): what a model's training data was too old to tell.

A prompt is the first words of a description, and is also given as the subject. ``ood_rephrase`` is a
true text on the same subject by another hand. Where it begins with the prompt, its rest is what an
edited model should find likely after the prompt; four in ten begin otherwise and test nothing.
"""

from __future__ import annotations

from typing import Any

from memoir.data.defects import Notes
from memoir.data.fields import Fields
from memoir.types import Probe, Record

MEASURES = (
    "Is a new description learnt well enough to foresee another text on the subject, "
    "and is unrelated web text left alone?"
)
SOURCE = (
    "EasyEdit's data collection for WISE, https://github.com/zjunlp/EasyEdit (examples/WISE.md)"
)
LICENCE = "MIT"
FILES = {"edit": "temporal/temporal-edit.json", "train": "temporal/temporal-train.json"}
FIELDS = {"prompt", "target_new", "ood_rephrase", "locality_prompt"}


def parse(record: Any, where: str, notes: Notes) -> Record:
    """``prompt`` → ``target_new``; ``ood`` and ``locality`` probes."""
    given = Fields(record, where, notes)
    edit = given.edit("prompt", "target_new")
    locality = given.probe("locality", "locality_prompt", gold="locality_ground_truth")
    return Record(edit, (*_continuation(given, edit.prompt), *locality))


def _continuation(given: Fields, prompt: str) -> tuple[Probe, ...]:
    text = given.usable("ood_rephrase", "ood")
    if text is None:
        return ()
    rest = text.removeprefix(prompt)
    if not text.startswith(prompt):
        given.note("ood", "text does not begin with the prompt")
    elif not rest:
        given.note("ood", "text does not go on after the prompt")
    elif rest[0].isalnum():
        given.note("ood", "prompt ends inside a word of the text")
    else:
        return (Probe("ood", prompt, rest.strip()),)
    return ()
