"""NQ-open (Kwiatkowski et al. 2019; Lee et al. 2019): questions people typed into a search engine."""

from __future__ import annotations

from typing import Any

from memoir.data.defects import Defect, Notes
from memoir.data.fields import Fields
from memoir.types import Question

MEASURES = "Does the model still know what it knew: open questions, answered from memory."
SOURCE = (
    "google-research-datasets, https://github.com/google-research-datasets/natural-questions "
    "(nq_open)"
)
LICENCE = "CC BY-SA 3.0"
FILES = {"edit": "natural_questions/NQ-open.dev.jsonl"}


def parse(record: Any, where: str, notes: Notes) -> Question:
    """``question``, and the texts of ``answer``, any of which is right."""
    given = Fields(record, where, notes)
    prompt = given.needed("question", "prompt")
    answers = given.texts("answer", "answer")
    if not answers:
        raise Defect(f"{where}: field 'answer' must hold a non-empty text.", "empty answer")
    return Question(prompt, tuple(answers))
