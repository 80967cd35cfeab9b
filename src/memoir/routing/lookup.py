"""The edits whose subject a sentence may name, without reading the others.

Each subject is filed under its words. A word is looked for as it is and with one letter wrong,
missing, too many, or swapped with its neighbour: both words then share a form with one letter left
out, and filed words are kept under all such forms (Garbe's symmetric deletion).

What a subject scores does not depend on what else is filed.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence, Set
from typing import NamedTuple

from memoir.routing.subject import BY_LAST_NAME, Found, Named, find
from memoir.routing.words import SMALL, Rarity, words

SHORTEST_TYPO = 5
"""Letters from which on a word is recognised in spite of a typing error."""

TYPO = 0.9
"""What a misspelt word counts."""

ONE_PIECE = 1.0
"""Rarity that words of one piece of the vocabulary do not exceed: such a word is what it is ("thank"),
and no misspelt name ("Thanh")."""

HEAVY = 0.4
"""A subject is filed under words with at least this share of its heaviest word's weight."""


LEAST_SHARE = 0.35
"""Share of a subject's weight that a sentence must have to name it at all."""


class Candidate(NamedTuple):
    """A stored subject that a sentence may name.

    Attributes:
        key: what the subject was filed as.
        share: weight of its words that the sentence has, misspelt ones counted less, 0..1.
        hits: for words of the sentence, the word of the subject.
    """

    key: str
    share: float
    hits: dict[str, str]


class _Filed(NamedTuple):
    """A filed subject: its words with their weights, the heavy ones, and the sum."""

    subject: Named
    weights: Mapping[str, float]
    heavy: Sequence[str]
    total: float


class Lookup:
    """Subjects by their words."""

    def __init__(self) -> None:
        self._subjects: dict[str, _Filed] = {}
        self._filed: defaultdict[str, dict[str, None]] = defaultdict(dict)
        self._misspelt: defaultdict[str, list[str]] = defaultdict(list)

    def __len__(self) -> int:
        return len(self._subjects)

    def add(self, key: str, subject: Named) -> None:
        """File a subject. The key must be new."""
        weights = dict(zip(subject.words, subject.weights, strict=True))
        heavy = _heavy(subject)
        self._subjects[key] = _Filed(subject, weights, heavy, sum(weights.values()))
        for word in heavy:
            if word not in self._filed and _may_be_misspelt(word):
                for form in _shortened(word):
                    self._misspelt[form].append(word)
            self._filed[word][key] = None

    def remove(self, key: str) -> None:
        """Take a subject out."""
        for word in self._subjects.pop(key).heavy:
            del self._filed[word][key]
            if self._filed[word]:
                continue
            del self._filed[word]
            if _may_be_misspelt(word):
                for form in _shortened(word):
                    self._misspelt[form].remove(word)
                    if not self._misspelt[form]:
                        del self._misspelt[form]

    def named_in(self, sentence: str, most: int, rarity: Rarity) -> list[tuple[str, Found]]:
        """Keys of the subjects that a sentence names, and where; the best ``most`` and their equals."""
        found = words(sentence)
        texts = [word.text for word in found]
        plain = {text for text in texts if rarity.alone(text) <= ONE_PIECE}
        named_there = []
        for each in self.candidates(texts, LEAST_SHARE, most, plain):
            where = find(sentence, found, self._subjects[each.key].subject, each.hits, rarity)
            if where is None:
                continue
            share = min(each.share, where.share)
            if where.by_last_name:
                share = max(share, BY_LAST_NAME)
            if share >= LEAST_SHARE:
                named_there.append((each.key, where._replace(share=share)))
        return named_there

    def candidates(
        self, sentence: Iterable[str], least: float, most: int, plain: Container[str] = ()
    ) -> list[Candidate]:
        """Subjects of which the sentence has at least a share of ``least``: the best ``most``, and
        those as good as the last of them, such as further facts about one subject.

        Words in ``plain`` are not taken for misspelt ones.
        """
        variants = {
            word: self._variants(word, word not in plain and _may_be_misspelt(word))
            for word in dict.fromkeys(sentence)
        }
        slips = {word for word in variants if word not in plain and _may_be_misspelt(word)}
        keys = {key for filed in variants.values() for word in filed for key in self._filed[word]}
        found = []
        for key in keys:
            candidate = self._candidate(key, variants, slips)
            if candidate.share >= least:
                found.append(candidate)
        found.sort(key=lambda each: (-each.share, each.key))
        return [each for each in found if each.share >= found[:most][-1].share]

    def _candidate(
        self, key: str, variants: Mapping[str, Mapping[str, float]], slips: Set[str]
    ) -> Candidate:
        subject, weights, heavy, total = self._subjects[key]
        hits: dict[str, str] = {}
        worth: dict[str, float] = {}
        for word, meant in variants.items():
            for one in (word, *meant):
                if one in heavy or (one == word and one in weights):
                    hits[word] = one
                    worth[one] = max(worth.get(one, 0.0), 1.0 if one == word else meant[one])
                    break
        # Its light words may be misspelt as well, once a heavy one is there.
        for word in sorted(slips - hits.keys()) if hits else ():
            for one in sorted(weights.keys() - worth.keys()):
                if _may_be_misspelt(one) and _is_slip_of(word, one):
                    hits[word], worth[one] = one, TYPO
                    break
        share = sum(weights[w] * s for w, s in worth.items()) / total
        if subject.last_name in variants:
            share = max(share, LEAST_SHARE)  # whether it stands alone, the sentence tells
        return Candidate(key, share, hits)

    def _variants(self, word: str, may_slip: bool) -> dict[str, float]:
        """Filed words that a word may stand for, with what each counts."""
        meant = {word: 1.0} if word in self._filed else {}
        if may_slip:
            shortened = _shortened(word)
            near = {each for form in (word, *shortened) for each in self._misspelt.get(form, ())}
            near |= {form for form in shortened if form in self._filed}
            slips = sorted(each for each in near - {word} if _is_slip(word, each))
            meant |= dict.fromkeys(slips, TYPO)
        return meant


def _heavy(subject: Named) -> list[str]:
    """The words a subject is filed under."""
    if not subject.words:
        return []
    top = max(subject.weights)
    pairs = zip(subject.words, subject.weights, strict=True)
    heavy = {word for word, weight in pairs if weight >= HEAVY * top}
    return sorted(heavy | ({subject.last_name} if subject.last_name else set()))


def _may_be_misspelt(word: str) -> bool:
    return len(word) >= SHORTEST_TYPO and not word.isdigit() and word not in SMALL


def _is_slip_of(word: str, other: str) -> bool:
    """Whether a word may be another, misspelt."""
    near = {word, *_shortened(word)} & {other, *_shortened(other)}
    return bool(near) and _is_slip(word, other)


def _is_slip(word: str, other: str) -> bool:
    """Whether two words that share a shortened form differ in one letter only, or in two swapped
    neighbours: not in a letter that moved further, as those of "heart" and "earth"."""
    if len(word) != len(other):
        return True
    apart = [at for at, (a, b) in enumerate(zip(word, other, strict=True)) if a != b]
    first, last = apart[0], apart[-1]
    return first == last or (
        last == first + 1 and word[first] == other[last] and word[last] == other[first]
    )


def _shortened(word: str) -> set[str]:
    """The word with each of its letters left out."""
    return {word[:i] + word[i + 1 :] for i in range(len(word))}
