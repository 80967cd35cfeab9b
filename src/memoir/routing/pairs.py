"""Pairs of a taught prompt and a question, to learn from and to set thresholds on.

The package ships phrasings of several hundred relations, each with fifteen wordings, and names of
every shape for each kind of subject. A pair is

    paraphrase   the same fact in another wording, often behind an unrelated sentence
    relation     another relation of the same subject
    sibling      the same relation of a subject whose name shares words with the edit's
    unrelated    anything else that people ask a model

and only the first should fire. Nothing here is a benchmark's record.
"""

from __future__ import annotations

import json
import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from memoir import surroundings
from memoir.errors import BadInput
from memoir.routing.words import fold, words

SLOT = "{}"
STATED = 11
"""The first phrasings of a relation are statements to be completed and questions; the others are
requests, small talk and search terms, in which nobody states a fact to be edited."""

ASIDE = 0.35
"""Share of questions that stand behind an unrelated sentence."""


@dataclass(frozen=True)
class Relation:
    """One relation.

    Attributes:
        name: of the relation.
        about: kind of its subjects.
        phrasings: wordings with a slot for the subject.
    """

    name: str
    about: str
    phrasings: tuple[str, ...]


@dataclass(frozen=True)
class Pair:
    """A taught prompt and a question.

    Attributes:
        prompt, subject: the edit's.
        question: what is asked then.
        kind: see the module's docstring.
    """

    prompt: str
    subject: str
    question: str
    kind: str


@dataclass(frozen=True)
class Told:
    """Two wordings of one fact, from a file of one's own.

    Attributes:
        prompt, rephrase: the wordings.
        subject: what both are about; None to have it estimated.
    """

    prompt: str
    rephrase: str
    subject: str | None = None


def told(path: str | Path) -> list[Told]:
    """The pairs of a file: JSON lines with ``prompt``, ``rephrase`` and perhaps ``subject``.

    Raises:
        BadInput: the file cannot be read, or a line is no such pair.
    """
    try:
        lines = Path(path).read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"the file of pairs {path} cannot be read: {error}.") from error
    return [_told(line, f"{path}, line {number}") for number, line in enumerate(lines, start=1)]


def relations() -> list[Relation]:
    """Those that ship with the package."""
    return [
        Relation(each["relation"], each["about"], tuple(each["phrasings"]))
        for each in _lines("relations.jsonl")
    ]


def names() -> dict[str, list[str]]:
    """Names of subjects by kind."""
    return {each["kind"]: each["names"] for each in _lines("subjects.jsonl")}


def uses(known: Sequence[Relation]) -> Counter[str]:
    """For each word of the phrasings, how many relations use it."""
    count: Counter[str] = Counter()
    for relation in known:
        text = "\n".join(relation.phrasings).replace(SLOT, " ")
        count.update({word.text for word in words(text)})
    return count


def pairs(
    some: Sequence[Relation],
    known_names: Mapping[str, Sequence[str]],
    rng: random.Random,
    per_relation: int = 3,
) -> Iterator[Pair]:
    """Pairs about random subjects; other relations are taken from ``some`` only."""
    by_kind: dict[str, list[Relation]] = defaultdict(list)
    for relation in some:
        by_kind[relation.about].append(relation)
    for relation in some:
        for _ in range(per_relation):
            subject = rng.choice(known_names[relation.about])
            own = rng.randrange(min(STATED, len(relation.phrasings)))
            prompt = relation.phrasings[own].replace(SLOT, subject)
            others = [p for i, p in enumerate(relation.phrasings) if i != own]

            def pair(phrasing: str, about: str, kind: str, prompt=prompt, subject=subject) -> Pair:  # type: ignore[no-untyped-def]
                question = phrasing.replace(SLOT, about)
                if rng.random() < ASIDE:
                    question = f"{rng.choice(surroundings.asides('fitting'))} {question}"
                return Pair(prompt, subject, question, kind)

            for phrasing in rng.sample(others, 2):
                yield pair(phrasing, subject, "paraphrase")
            for other in (rng.choice(by_kind[relation.about]), rng.choice(some)):
                if other.name != relation.name:
                    yield pair(rng.choice(other.phrasings), subject, "relation")
            alike = _sibling(subject, known_names[relation.about], rng)
            if fold(alike) != fold(subject):
                yield pair(rng.choice([relation.phrasings[own], *others]), alike, "sibling")
            yield Pair(prompt, subject, _unrelated(known_names, some, rng), "unrelated")


def _sibling(subject: str, others: Sequence[str], rng: random.Random) -> str:
    """Another name that shares words with this one."""
    parts, other = subject.split(), rng.choice(others).split()
    if len(parts) == 1:
        return f"{subject} {other[-1]}" if rng.random() < 0.5 else f"{other[0]} {subject}"
    parts[rng.randrange(len(parts))] = rng.choice(other)
    return " ".join(parts)


def _unrelated(
    known_names: Mapping[str, Sequence[str]], some: Sequence[Relation], rng: random.Random
) -> str:
    if rng.random() < 0.3:
        return rng.choice(surroundings.small_talk("fitting"))
    relation = rng.choice(some)
    return rng.choice(relation.phrasings).replace(SLOT, rng.choice(known_names[relation.about]))


def _told(line: str, where: str) -> Told:
    try:
        return Told(**json.loads(line))
    except (TypeError, ValueError) as error:
        raise BadInput(
            f"{where}: a pair is a JSON object with 'prompt', 'rephrase' and perhaps 'subject' "
            f"({error})."
        ) from error


def _lines(resource: str) -> list[Any]:
    text = (files("memoir") / "resources" / resource).read_text("utf-8")
    return [json.loads(line) for line in text.splitlines() if line.strip()]
