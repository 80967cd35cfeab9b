"""ZsRE (Levy et al. 2017) in the question-answering form of MEND and EasyEdit.

Many subjects are asked the same fact twice with different answers demanded: no editor can satisfy a
rephrasing of both.
"""

from __future__ import annotations

from typing import Any

from memoir.data.defects import Notes
from memoir.data.fields import Fields
from memoir.data.portability import one_hop
from memoir.types import Record

MEASURES = (
    "Is a new answer given to a question, its rephrasing and a consequence, "
    "and are unrelated questions left alone?"
)
SOURCE = (
    "EasyEdit's data collection for WISE, https://github.com/zjunlp/EasyEdit (examples/WISE.md)"
)
LICENCE = "MIT"
FILES = {"edit": "zsre/zsre_mend_edit.json", "train": "zsre/zsre_mend_train-1k.json"}
FIELDS = {"src", "alt", "rephrase", "loc"}


def parse(record: Any, where: str, notes: Notes) -> Record:
    """``src`` → ``alt``; ``rephrase``, ``loc`` (locality) and ``portability`` (consequence)."""
    given = Fields(record, where, notes)
    edit = given.edit("src", "alt")
    return Record(
        edit,
        (
            *given.probe("rephrase", "rephrase", edit.target),
            *given.probe("locality", "loc", gold="loc_ans"),
            *one_hop(given),
        ),
    )
