"""ZsRE (Levy et al. 2017) in the question-answering form of MEND and EasyEdit."""

from __future__ import annotations

from typing import Any

from memoir.data import text_field
from memoir.types import Edit, Probe, Record

FIELDS = {"src", "alt", "rephrase", "loc"}


def parse(record: dict[str, Any], where: str) -> Record:
    """``src`` → ``alt``; ``rephrase`` tests generalization, ``loc`` locality."""
    target = text_field(record, "alt", where)
    return Record(
        Edit(text_field(record, "src", where), target, record.get("subject") or None),
        (
            Probe("rephrase", text_field(record, "rephrase", where), target),
            Probe("locality", text_field(record, "loc", where), record.get("loc_ans") or None),
        ),
    )
