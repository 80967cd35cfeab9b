"""Which words of an edit name its subject, and where a prompt has them."""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Mapping, Sequence
from typing import NamedTuple

from memoir.routing.words import SMALL, Rarity, Word, fold, words

PLACEHOLDER = "X"
"""What stands for the subject in a pattern."""

PRONOUNS = frozenset(
    ("he", "she", "it", "they", "him", "her", "them", "his", "hers", "its", "their", "theirs")
)
ARTICLES = frozenset(("the", "a", "an"))

GAP = 2
"""Words that may stand between two words of a name."""

LINKS = SMALL - {"at", "by", "for", "in", "no", "on", "to", "with"}
"""Words over which a name goes on."""

PARTICLES = SMALL - {
    "an",
    "and",
    "at",
    "by",
    "for",
    "in",
    "no",
    "of",
    "on",
    "or",
    "the",
    "to",
    "with",
}
"""Small words of people's names."""

HONORIFICS = frozenset(("mr", "mrs", "ms", "dr", "prof", "sir", "madam"))
"""Words beside a name that are no part of it."""

BY_LAST_NAME = 0.93
"""Share of a subject that its last word alone stands for, where people are called by it."""

RARE_NAME = 0.3
"""Rarity from which on a last word names somebody."""

MOST_BESIDE = 0.3
"""What may stand beside a last name. A title weighs more: whose it is ("President Kennedy", "Lake
Victoria"), no look-up tells."""

_JOINED = re.compile(r"\s*[-–'’&/.]?\s*")
_KEY = re.compile(r"\b[A-Z]\w*:(?=\S)")


class Span(NamedTuple):
    """Words ``first`` to ``last`` (inclusive) of a text."""

    first: int
    last: int


class Named(NamedTuple):
    """An edit's subject, as far as words go.

    Attributes:
        words: of the subject, articles at its beginning left out.
        weights: how much each tells.
        pattern: the prompt with a placeholder in the subject's place.
        around: every word of the prompt.
        last_name: the word by which alone it may be called, as people are; None if none is.
    """

    words: tuple[str, ...]
    weights: tuple[float, ...]
    pattern: str
    around: frozenset[str] = frozenset()
    last_name: str | None = None


class Found(NamedTuple):
    """A subject found in a sentence.

    Attributes:
        share: weight of the subject's words that the sentence has, 0..1.
        beside: weight of name-like words right beside them that the subject lacks, 0..1.
        inside: the same between them, 0..1.
        patterns: the sentence with a placeholder in the subject's place; and, if what stands before
            the subject may be another sentence ("op. 4. X plays"), without that.
        words: the words that were recognised.
        by_last_name: whether the subject is called by its last name alone.
    """

    share: float
    beside: float
    inside: float
    patterns: tuple[str, ...]
    words: tuple[str, ...]
    by_last_name: bool = False


def pattern(text: str, found: Sequence[Word], span: Span | None) -> str:
    """The text with a placeholder in the span's place."""
    if span is None:
        return text
    return text[: found[span.first].start] + PLACEHOLDER + text[found[span.last].end :]


def named(text: str, subject: str | None, rarity: Rarity) -> Named:
    """The subject of an edit's prompt: as given, or else estimated."""
    found = words(text)
    if subject:
        span = _given(text, found, subject)
        name = found[span.first : span.last + 1] if span else words(subject)
    else:
        span = estimated(text, found, rarity)
        name = found[span.first : span.last + 1] if span else []
    its = [word.text for word in name]
    while len(its) > 1 and its[0] in ARTICLES:
        its = its[1:]
        span = Span(span.first + 1, span.last) if span else None
    return Named(
        tuple(its),
        tuple(rarity.of(word) for word in its),
        pattern(text, found, span),
        _texts(found),
        _last_name(name, rarity),
    )


def _last_name(name: Sequence[Word], rarity: Rarity) -> str | None:
    """The last word of a name of several, if it tells one from another: not that of "Oxford Street"."""
    if len(name) < 2 or not all(word.capital or word.text in PARTICLES for word in name):
        return None
    last = name[-1].text
    told = not last.isdigit() and not rarity.uses(last) and rarity.alone(last) >= RARE_NAME
    return last if told and last not in SMALL else None


def _texts(found: Sequence[Word]) -> frozenset[str]:
    return frozenset(word.text for word in found)


def _given(text: str, found: Sequence[Word], subject: str) -> Span | None:
    at = text.find(subject)
    if at < 0 and len(fold(text)) == len(text):
        at = fold(text).find(fold(subject))
    if at < 0:
        return None
    inside = [i for i, word in enumerate(found) if word.start < at + len(subject) and word.end > at]
    return Span(inside[0], inside[-1]) if inside else None


def estimated(text: str, found: Sequence[Word], rarity: Rarity) -> Span | None:
    """The run of words that most likely names what a text is about; None without words.

    Where a text has capitals inside its sentences, names are told by them; else by rarity.
    """
    if not found:
        return None
    weights = [rarity.alone(word.text) for word in found]
    top = max(weights)
    strong = [weight >= 0.25 * top or weight >= 1.2 for weight in weights]
    capitals = any(word.capital and not word.begins for word in found)
    if capitals:
        by_capital = [
            word.capital and not _opens(word, rarity) and not _acronym(text, word, rarity)
            for word in found
        ]
        strong = by_capital if any(by_capital) else strong

    def joins(at: int) -> bool:
        word = found[at].text
        return word in SMALL or (capitals and rarity.alone(word) > 0.5)

    runs = _runs(text, found, strong, joins)
    return max(runs, key=lambda run: sum(max(w, 0.1) for w in weights[run.first : run.last + 1]))


def _opens(word: Word, rarity: Rarity) -> bool:
    """Whether a capital may only be that of a sentence's beginning."""
    return word.begins and (rarity.uses(word.text) >= 3 or word.text in SMALL)


def _acronym(text: str, word: Word, rarity: Rarity) -> bool:
    """Whether a word says what is asked, though in capitals ("CEO")."""
    as_written = text[word.start : word.end]
    return len(as_written) > 1 and as_written.isupper() and rarity.uses(word.text) > 0


def _runs(
    text: str, found: Sequence[Word], strong: Sequence[bool], joins: Callable[[int], bool]
) -> list[Span]:
    """Maximal runs of strong words, over gaps of few joining words within a sentence."""
    runs: list[Span] = []
    for at, is_strong in enumerate(strong):
        if not is_strong:
            continue
        if runs:
            last = runs[-1].last
            between = range(last + 1, at)
            near = len(between) <= GAP and all(joins(i) for i in between)
            if near and not _broken(text[found[last].end : found[at].start]):
                runs[-1] = Span(runs[-1].first, at)
                continue
        runs.append(Span(at, at))
    return runs


def _broken(gap: str) -> bool:
    """Whether a name cannot go on over this gap."""
    return any(mark in gap for mark in ("? ", "! ", "; ", ": ", "\n"))


def find(
    text: str, found: Sequence[Word], subject: Named, hits: Mapping[str, str], rarity: Rarity
) -> Found | None:
    """Where a sentence names a subject.

    Args:
        text, found: the sentence and its words.
        hits: for words of the sentence, the word of the subject each one is taken for.
    """
    only_small = all(word in SMALL for word in subject.words)
    hit = [word.text in hits and (only_small or word.text not in SMALL) for word in found]
    weights = dict(zip(subject.words, subject.weights, strict=True))
    runs = _runs(text, found, hit, lambda _: True)
    if not runs:
        return None

    def weight(run: Span) -> float:
        each = {hits[w.text] for w in found[run.first : run.last + 1] if w.text in hits}
        return sum(weights.get(word, 0.0) for word in each)

    best = max(runs, key=lambda run: (weight(run), -run.first))
    # Small words of the name count as present wherever its other words are.
    small = 0.0 if only_small else sum(w for word, w in weights.items() if word in SMALL)
    taken = {hits[w.text]: w.text for w in found[best.first : best.last + 1] if w.text in hits}
    missing = sum(w for word, w in weights.items() if word not in taken) - small
    share = 1.0 - max(0.0, missing) / max(sum(weights.values()), 1e-9)
    run = found[best.first : best.last + 1]
    beside = _share(_beside(text, found, best, subject.around | set(subject.words), rarity))
    by_last_name = (
        len(run) == 1
        and run[0].capital
        and run[0].text == subject.last_name
        and beside <= MOST_BESIDE
        and not _KEY.search(text, 0, run[0].start)
    )
    return Found(
        min(1.0, share),
        0.0 if by_last_name else beside,
        _share(_inside(found, best, hits, rarity)),
        _patterns(text, found, _addressed(found, best)),
        tuple(word.text for word in run),
        by_last_name,
    )


def _addressed(found: Sequence[Word], span: Span) -> Span:
    """A name with the honorific before it."""
    before = span.first - 1
    return Span(before, span.last) if before >= 0 and found[before].text in HONORIFICS else span


def _patterns(text: str, found: Sequence[Word], span: Span) -> tuple[str, ...]:
    whole = pattern(text, found, span)
    start = found[span.first].start
    before = text[:start]
    cut = max(before.rfind(". "), before.rfind(": "), before.rfind(") ")) + 2
    if _KEY.search(before):
        cut = start  # "Category:Rivers of Norland X": what ends where, nobody can tell
    return (whole, whole[cut:]) if cut > 1 else (whole,)


def _share(weight: float) -> float:
    """A weight as a share of 1; one rare word makes about two thirds."""
    return weight / (weight + 0.5)


def _beside(
    text: str, found: Sequence[Word], span: Span, known: frozenset[str], rarity: Rarity
) -> float:
    """Weight of the words that go on with the name on either side, and that its prompt lacks.

    In a text that writes the name with capitals, only words with capitals can belong to it.
    """
    capitals = any(word.capital for word in found[span.first : span.last + 1])
    weight = 0.0
    before, after = range(span.first - 1, -1, -1), range(span.last + 1, len(found))
    if _KEY.search(text, 0, found[span.first].start):
        before = range(0)
    for side in (before, after):
        nearer = found[span.first] if side is before else found[span.last]
        for step, at in enumerate(side):
            word = found[at]
            first, second = sorted((word, nearer), key=lambda each: each.start)
            if not _JOINED.fullmatch(text, first.end, second.start):
                break
            nearer = word
            if word.text in LINKS and step == 0:
                continue
            if word.text in known | SMALL | HONORIFICS or _acronym(text, word, rarity):
                break
            alone = rarity.alone(word.text) ** 0.5
            if word.capital and not (word.begins and rarity.uses(word.text)):
                # A title ("President"), which relations speak of, is less of a name.
                weight += max(alone, 0.2 if rarity.uses(word.text) else 0.5)
            elif not capitals and alone >= 0.8:
                weight += alone
            else:
                break
    return weight


def _inside(found: Sequence[Word], span: Span, hits: Container[str], rarity: Rarity) -> float:
    return sum(
        max(rarity.alone(word.text) ** 0.5, 0.1)
        for word in found[span.first : span.last + 1]
        if word.text not in hits and word.text not in SMALL
    )


def pronoun_pattern(text: str) -> str | None:
    """The sentence with a placeholder for its first pronoun; None if it has none."""
    found = words(text)
    at = next((at for at, word in enumerate(found) if word.text in PRONOUNS), None)
    return None if at is None else pattern(text, found, Span(at, at))
