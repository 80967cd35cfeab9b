"""CounterFact (Meng et al. 2022) as flattened by EasyEdit.

Its ``rephrase_prompt`` often asks for a consequence of the fact, behind an unrelated sentence,
rather than for the fact itself; so it counts as a consequence. True paraphrases are in
``counterfact_rome``.
"""

from __future__ import annotations

from typing import Any

from memoir.data.defects import Notes
from memoir.data.fields import Fields
from memoir.types import Record

MEASURES = (
    "Is a false fact told, also where it only follows, "
    "and is the same relation of another subject left alone?"
)
SOURCE = "EasyEdit's data collection (README), https://github.com/zjunlp/EasyEdit; after ROME"
LICENCE = "MIT"
FILES = {"edit": "counterfact/counterfact-edit.json"}
FIELDS = {"prompt", "target_new", "rephrase_prompt", "locality_prompt"}


def parse(record: Any, where: str, notes: Notes) -> Record:
    """``prompt`` → ``target_new``; the locality prompt is a near neighbour."""
    given = Fields(record, where, notes)
    edit = given.edit("prompt", "target_new")
    return Record(
        edit,
        (
            *given.probe("consequence", "rephrase_prompt", edit.target),
            *given.probe("neighbour", "locality_prompt", gold="locality_ground_truth"),
        ),
    )
