"""ZsRE (Levy et al. 2017) in the question-answering form of MEND and EasyEdit."""

from __future__ import annotations

from typing import Any

from memoir.data import optional_text, text_field
from memoir.types import Edit, Probe, Record

FIELDS = {"src", "alt", "rephrase", "loc"}


def parse(record: dict[str, Any], where: str) -> Record:
    """``src`` → ``alt``; ``rephrase`` tests generalization, ``loc`` locality."""
    target = text_field(record, "alt", where)
    return Record(
        Edit(text_field(record, "src", where), target, optional_text(record, "subject", where)),
        (
            Probe("rephrase", text_field(record, "rephrase", where), target),
            Probe(
                "locality",
                text_field(record, "loc", where),
                optional_text(record, "loc_ans", where),
            ),
        ),
    )
