"""CounterFact (Meng et al. 2022) as flattened by EasyEdit.

Its ``rephrase_prompt`` often asks for a consequence of the fact behind an unrelated sentence rather
than for the fact itself.
"""

from __future__ import annotations

from typing import Any

from memoir.data import optional_text, text_field
from memoir.types import Edit, Probe, Record

FIELDS = {"prompt", "target_new", "rephrase_prompt", "locality_prompt"}


def parse(record: dict[str, Any], where: str) -> Record:
    """``prompt`` → ``target_new``; the locality prompt is a near neighbour."""
    target = text_field(record, "target_new", where)
    return Record(
        Edit(text_field(record, "prompt", where), target, optional_text(record, "subject", where)),
        (
            Probe("rephrase", text_field(record, "rephrase_prompt", where), target),
            Probe(
                "neighbour",
                text_field(record, "locality_prompt", where),
                optional_text(record, "locality_ground_truth", where),
            ),
        ),
    )
