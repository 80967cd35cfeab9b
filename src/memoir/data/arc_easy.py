"""ARC-easy (Clark et al. 2018): school science questions with choices."""

from __future__ import annotations

from typing import Any

from memoir.data.defects import Notes
from memoir.data.fields import Fields
from memoir.errors import BadRecord
from memoir.types import Choice

MEASURES = "Does the model still reason as it did: school science, with answers to choose from."
SOURCE = (
    "ARC by AllenAI, https://allenai.org/data/arc; as one file in MosaicML's llm-foundry, "
    "https://github.com/mosaicml/llm-foundry (scripts/eval/local_data, arc_easy.jsonl)"
)
LICENCE = "Apache-2.0 (llm-foundry); ARC itself CC BY-SA 4.0"
FILES = {"edit": "multiple_choice/arc_easy.jsonl"}


def parse(record: Any, where: str, notes: Notes) -> Choice:
    """``query``, ``choices`` and ``gold``, the index of the right one."""
    given = Fields(record, where, notes)
    query = given.needed("query", "prompt")
    count = len(notes)
    choices = tuple(given.texts("choices", "choice"))
    if len(notes) > count or len(choices) < 2:
        raise BadRecord(f"{where}: field 'choices' must hold two or more non-empty texts.")
    gold = record.get("gold")
    if type(gold) is not int or not 0 <= gold < len(choices):
        raise BadRecord(
            f"{where}: field 'gold' must be the index of a choice, 0 to {len(choices) - 1}, "
            f"not {gold!r}."
        )
    return Choice(query, choices, gold)
