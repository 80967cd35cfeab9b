"""Does an edit's subject stay what it was under other relations? Asked in words of the file itself.

Every subject is put into templates by which other records ask other relations. No answer is known to
be right, and some of these questions make little sense of the subject ("Ann Lund is headquartered
in"): they show whether an edit leaks, and nothing else.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import NamedTuple

from memoir.types import Edit, Probe, Record

PROBES = 2
"""Relations that each subject is asked."""

COMMON = 20
"""Relations these are drawn from: so many, the most frequent of the file, each as likely as another."""


class Asked(NamedTuple):
    """What one record asks.

    Attributes:
        relation: its name; None if the record does not tell.
        template: a prompt with ``{}`` where the subject goes.
    """

    relation: str | None
    template: str


def same_subject(records: Sequence[Record], asked: Sequence[Asked]) -> list[Record]:
    """The records, each with probes of its subject at the end.

    They are a function of the file's records, whatever their order. No probe repeats an edit.

    Args:
        records: with a subject each.
        asked: what each of them asks.
    """
    words = _words(asked)
    edits = {record.edit.prompt for record in records}
    return [
        replace(record, probes=(*record.probes, *_probes(record.edit, one, words, edits)))
        for record, one in zip(records, asked, strict=True)
    ]


def _words(asked: Iterable[Asked]) -> dict[str, set[str]]:
    """The templates of each relation, the most frequent relation first."""
    words: dict[str, set[str]] = defaultdict(set)
    for one in asked:
        if one.relation is not None:
            words[one.relation].add(one.template)
    count = Counter(one.relation for one in asked)
    return dict(sorted(words.items(), key=lambda item: (-count[item[0]], item[0])))


def _probes(edit: Edit, own: Asked, words: dict[str, set[str]], edits: set[str]) -> list[Probe]:
    if own.relation is None or edit.subject is None:
        return []
    subject, taken = edit.subject, set(words[own.relation])
    found: list[Probe] = []
    for relation in sorted(list(words)[:COMMON], key=lambda name: _draw(subject, name)):
        # Relations with a template in common ("{} is located in") may ask for the same fact.
        if len(found) == PROBES or words[relation] & taken:
            continue
        filled = {template.replace("{}", subject) for template in words[relation]} - edits
        if filled:
            found.append(Probe("same_subject", min(filled, key=lambda one: _draw(subject, one))))
            taken |= words[relation]
    return found


def _draw(subject: str, name: str) -> bytes:
    """Sorting by this draws names uniformly, for each subject anew, and always the same."""
    return hashlib.sha256(f"{subject}\0{name}".encode()).digest()
