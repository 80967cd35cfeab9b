"""What benchmarks/routing.py asks about the records of a data set."""

from __future__ import annotations

import random
import re
import string
import unicodedata
from collections.abc import Container, Iterator, Sequence
from typing import NamedTuple

from memoir.bench.padding import _plain as plain
from memoir.surroundings import asides, conversation
from memoir.types import Record

Asked = str | list[dict[str, str]]
"""Bare text, or messages for the chat template."""

FIRES = {
    "edit": "the edit's prompt",
    "rephrase": "rephrase",
    "rephrase_once": "… subject stored once",
    "rephrase_shared": "… subject shared by several edits",
    "rephrase_taken": "… and the words are another edit's prompt",
    "aside": "rephrase behind an unrelated sentence",
    "typo": "typing error in the subject",
    "last_name": "last name only",
    "follow_up": "follow-up by a pronoun",
    "alias": "another name of the subject",
    "alias_apart": "… that shares no word with it",
}
"""Kinds of queries on which the record's own edit should fire. Those with "…" are parts of the kind
above them."""

STAYS = {
    "neighbour": "another subject, same relation",
    "neighbour_stored": "… holding the name of a stored subject",
    "attribute": "another subject that has the target",
    "attribute_stored": "… holding the name of a stored subject",
    "same_subject": "same subject, another relation",
    "locality": "unrelated question",
    "follow_up_other": "follow-up by a pronoun, another relation",
}
"""Kinds on which nothing should fire; except, perhaps, what is stored about the very subject of the
query, in other words than the query's."""

PER_KIND = 2
"""Probes of each kind that a record is asked, as in benchmarks/counterfact.toml."""

CONVERSATION = "conversation"
"""The setting of follow-ups, which brings the edit up itself."""

# Of a person, and of nothing else, people ask such things. No data set says what its subjects are.
_PERSONAL = re.compile(
    r"\b(born|birth|native|mother tongue|speaks?|writes|citizen\w*|national\w*|occupation|profession"
    r"|career|employ\w*|works? (as|for|in)|religio\w*|faith|mother|father|parents?|child\w*|spouse|wife"
    r"|husband|married|siblings?|brother|sister|family|died|dies|death|passed away|life|succumbed"
    r"|expired|voice|plays?|playing|performs?|instrument|sports?|positions?|teams?|university|college"
    r"|educated|war|battle|gender|expertise|activity|holds|medical|disease)\b"
)
_FULL_NAME = re.compile(r"[A-Z][\w'’.-]*( [A-Z][\w'’.-]*)? [A-Z][\w'’-]*[a-z]")


class Query(NamedTuple):
    """One query.

    Attributes:
        record: number of the record it is about.
        kind: what it is to the record's edit.
        prompt: the text that asks.
        asked: the same in its setting.
        setting: what surrounds it.
    """

    record: int
    kind: str
    prompt: str
    asked: Asked
    setting: str


def queries(
    records: Sequence[Record], numbers: Sequence[int], settings: Sequence[str], mends: bool
) -> Iterator[Query]:
    """What is asked about some of the records.

    Args:
        records: all that are stored.
        numbers: those that are asked about.
        settings: of the usual kinds.
        mends: whether to ask, bare, what the paper's router cannot follow as well: typing errors, last
            names, pronouns.
    """
    stored = {plain(record.edit.prompt) for record in records}
    for number in numbers:
        record = records[number]
        for setting in settings:
            for kind, prompt in _usual(record, stored):
                yield Query(number, kind, prompt, conversation(setting, prompt), setting)
        if mends:
            for kind, prompt in _mended(record):
                yield Query(number, kind, prompt, prompt, "bare")
            for kind, prompt in _referring(record):
                yield Query(number, kind, prompt, _after(record, prompt), CONVERSATION)


def alias(record: Record) -> str | None:
    """The other name by which a record's probe calls the subject; None without such a probe."""
    edit = record.edit
    if not record.of("alias") or not edit.subject:
        return None
    prompt = record.of("alias")[0].prompt
    before, _, after = edit.prompt.partition(edit.subject)
    if not (prompt.startswith(before) and prompt.endswith(after)):
        return None
    return prompt[len(before) : len(prompt) - len(after)].strip() or None


def shares_word(alias: str, subject: str) -> bool:
    """Whether two names have a word in common, whatever its accents and case."""
    return bool(set(bare_words(alias).split()) & set(bare_words(subject).split()))


def bare_words(text: str) -> str:
    """The words of a text without accents and case, a space around each."""
    apart = unicodedata.normalize("NFKD", text)
    letters = "".join(each for each in apart if not unicodedata.combining(each)).lower()
    return " ".join(["", *re.findall(r"[^\W_]+", letters), ""])


def _usual(record: Record, stored: Container[str]) -> Iterator[tuple[str, str]]:
    yield "edit", record.edit.prompt
    for kind in ("rephrase", "alias", *STAYS):
        for probe in record.of(kind)[:PER_KIND]:
            # What another record teaches is right to fire.
            if kind not in STAYS or plain(probe.prompt) not in stored:
                yield kind, probe.prompt
    for probe in record.of("rephrase")[:PER_KIND]:
        yield "aside", f"{_random(probe.prompt).choice(asides('evaluation'))} {probe.prompt}"


def _mended(record: Record) -> Iterator[tuple[str, str]]:
    edit = record.edit
    subject = edit.subject or ""
    named = _FULL_NAME.fullmatch(subject) and _PERSONAL.search(edit.prompt.replace(subject, ""))
    for probe in record.of("rephrase")[:PER_KIND]:
        wrong = _misspelt(subject, _random(probe.prompt))
        if wrong and subject in probe.prompt:
            yield "typo", probe.prompt.replace(subject, wrong)
        if named and subject in probe.prompt:
            yield "last_name", probe.prompt.replace(subject, subject.split()[-1])


def _referring(record: Record) -> Iterator[tuple[str, str]]:
    subject = record.edit.subject
    for kind, follow_up in (("rephrase", "follow_up"), ("same_subject", "follow_up_other")):
        for probe in record.of(kind)[:PER_KIND]:
            if subject and subject in probe.prompt:
                yield follow_up, _by_pronoun(probe.prompt, subject)


def _by_pronoun(prompt: str, subject: str) -> str:
    asked = prompt.replace(f"{subject}'s", "its").replace(subject, "it")
    return asked[0].upper() + asked[1:]


def _after(record: Record, question: str) -> list[dict[str, str]]:
    """A conversation that states the fact, turns to something else, and comes back."""
    stated = [
        {"role": "user", "content": record.edit.prompt},
        {"role": "assistant", "content": record.edit.target},
    ]
    turns = conversation("turns", question)
    assert not isinstance(turns, str)
    return [*stated, *turns[-3:]]


def _misspelt(name: str, rng: random.Random) -> str | None:
    """The name with one slip in its longest word; None if it has no word of two letters."""
    word = max(re.findall(r"[^\W\d_]+", name), key=len, default="")
    if len(word) < 2:
        return None
    wrong = word
    while wrong == word:
        at = rng.randrange(len(word))
        before, letter, after = word[:at], word[at], word[at + 1 :]
        wrong = rng.choice(
            [
                before + after,
                before + letter + letter + after,
                before + after[:1] + letter + after[1:],
                before + rng.choice(string.ascii_lowercase) + after,
            ]
        )
    return name.replace(word, wrong, 1)


def _random(prompt: str) -> random.Random:
    """The same for a prompt in every run."""
    return random.Random(prompt)
