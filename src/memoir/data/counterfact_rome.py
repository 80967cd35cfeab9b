"""CounterFact (Meng et al. 2022) in the original schema of the ROME repository.

What it lacks is made of its own words: does the same subject stay what it was under another relation?
See :mod:`memoir.data.other_relations`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from memoir.data.defects import Notes
from memoir.data.fields import Fields
from memoir.data.other_relations import Asked, same_subject
from memoir.data.portability import one_hop
from memoir.errors import BadRecord
from memoir.types import Edit, Probe, Record

MEASURES = (
    "Is a false fact told in other words, and is the same relation of many other subjects left "
    "alone, also of those that truly have the new target, and another relation of the same subject?"
)
SOURCE = (
    "EasyEdit's data collection (portability, one hop), https://github.com/zjunlp/EasyEdit; "
    "after ROME, https://rome.baulab.info"
)
LICENCE = "MIT"
FILES = {"edit": "counterfact/counterfact_portability_gpt4.json"}
FIELDS = {"requested_rewrite", "paraphrase_prompts", "neighborhood_prompts"}


def parse(record: Any, where: str, notes: Notes) -> Record:
    """The rewrite's template filled with its subject → ``target_new``."""
    given = Fields(record, where, notes)
    edit, truth = _rewrite(given.inside("requested_rewrite"))
    lists = [
        ("rephrase", "paraphrase_prompts", edit.target),
        ("neighbour", "neighborhood_prompts", truth),
        ("attribute", "attribute_prompts", edit.target),
    ]
    probes = [
        Probe(kind, text, expected)
        for kind, field, expected in lists
        if field in given or field in FIELDS
        for text in given.texts(field, kind)
    ]
    return Record(edit, (*probes, *one_hop(given)))


def finish(records: list[Record], values: Sequence[Any]) -> list[Record]:
    """Each record with ``same_subject`` probes, in words of the others."""
    return same_subject(records, [_asked(value) for value in values])


def _asked(record: Any) -> Asked:
    rewrite = Fields(record, "", []).inside("requested_rewrite")
    known = "relation_id" in rewrite
    relation = rewrite.usable("relation_id", "same_subject") if known else None
    return Asked(relation, rewrite.needed("prompt", "prompt"))


def _rewrite(rewrite: Fields) -> tuple[Edit, str | None]:
    subject = rewrite.needed("subject", "subject")
    template = rewrite.needed("prompt", "prompt")
    if "relation_id" in rewrite:
        rewrite.usable("relation_id", "same_subject")
    if "{}" not in template:
        raise BadRecord(
            f"{rewrite.where}: field 'requested_rewrite.prompt' must hold {{}} where the subject "
            f"goes, not {template!r}."
        )
    target = rewrite.inside("target_new").needed("str", "target")
    truth = None
    if "target_true" in rewrite:
        truth = rewrite.inside("target_true").usable("str", "neighbour")
    return Edit(template.replace("{}", subject), target, subject), truth
