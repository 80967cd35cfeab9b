"""SelfCheckGPT's hallucinations (Manakul et al. 2023) in the form of GRACE and WISE.

Prompts and targets are long: a biography so far, and its true next sentence.
"""

from __future__ import annotations

from typing import Any

from memoir.data.defects import Notes
from memoir.data.fields import Fields
from memoir.types import Record

MEASURES = (
    "Is a hallucinated biography continued with the true sentence, "
    "and is unrelated web text left alone?"
)
SOURCE = (
    "EasyEdit's data collection for WISE, https://github.com/zjunlp/EasyEdit (examples/WISE.md)"
)
LICENCE = "MIT; its source text CC BY-SA 3.0"
FILES = {
    "edit": "selfcheckgpt_hallucination/hallucination-edit.json",
    "train": "selfcheckgpt_hallucination/hallucination-train.json",
}
FIELDS = {"prompt", "target_new", "locality_prompt"}


def parse(record: Any, where: str, notes: Notes) -> Record:
    """``prompt`` → ``target_new``; there is no rephrasing."""
    given = Fields(record, where, notes)
    return Record(
        given.edit("prompt", "target_new"),
        given.probe("locality", "locality_prompt", gold="locality_ground_truth"),
    )
