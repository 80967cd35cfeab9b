"""KnowEdit's WikiData-CounterFact (Zhang et al. 2024)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from memoir.data.defects import Notes
from memoir.data.fields import Fields
from memoir.types import Probe, Record

MEASURES = (
    "Does a new fact hold under the subject's other names and in what follows from it, "
    "and are the subject's other facts left alone?"
)
SOURCE = "KnowEdit by ZJUNLP, https://huggingface.co/datasets/zjunlp/KnowEdit (wiki_counterfact)"
LICENCE = "MIT"
FILES = {
    "edit": "knowedit/benchmark_wiki_counterfact_test_cf.json",
    "train": "knowedit/benchmark_wiki_counterfact_train_cf.json",
}
FIELDS = {"prompt", "target_new", "portability", "locality"}
KINDS = {
    "portability": {
        "Subject_Aliasing": "alias",
        "Reasoning": "consequence",
        "Logical_Generalization": "consequence",
    },
    "locality": {"Relation_Specificity": "same_subject", "Forgetfulness": "forgetfulness"},
}


def parse(record: Any, where: str, notes: Notes) -> Record:
    """``prompt`` → ``target_new``; a probe with several right answers expects the first."""
    given = Fields(record, where, notes)
    probes = [
        probe
        for group, kinds in KINDS.items()
        if group in given
        for probe in _probes(given.inside(group), kinds)
    ]
    return Record(given.edit("prompt", "target_new"), tuple(probes))


def _probes(group: Fields, kinds: dict[str, str]) -> Iterator[Probe]:
    for name in sorted(group.record.keys() - kinds.keys()):
        group.note(name, "unknown kind of probe")
    for name, kind in kinds.items():
        for one in group.objects(name) if name in group else ():
            one.record = {**one.record, "ground_truth": _first(one.record.get("ground_truth"))}
            yield from one.probe(kind, "prompt", gold="ground_truth")


def _first(answer: Any) -> Any:
    """The test split lists aliases of each answer, two lists deep."""
    while isinstance(answer, list):
        answer = answer[0] if answer else ""
    return answer
