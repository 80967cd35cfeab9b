"""Words of a text, and how rare each is.

Rarity needs no corpus. A tokenizer's vocabulary is sorted by how early each piece was merged, that
is, by how frequent it is; by Zipf's law ``log rank`` is then the piece's information up to a
constant, and a word that falls into several pieces is rarer than each of them. Words that occur in
the shipped phrasings of relations ("born", "capital", "owner") say what is asked, not what it is asked
about, and weigh less the more relations use them.

Nothing here depends on what is stored, so that taking one edit out cannot move another's score.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple

from transformers import PreTrainedTokenizerBase

# A Chinese, Japanese or Korean character is a word by itself.
_SYLLABLES = r"\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af"
_WORD = re.compile(rf"[{_SYLLABLES}]|[^\W{_SYLLABLES}]+")

_SMALL = """
a al an and at by da de del den der di du e el et for in la le no of on or the to van von with y
"""
SMALL = frozenset(_SMALL.split())
"""Words that names hold and that say nothing alone."""


class Word(NamedTuple):
    """One word of a text.

    Attributes:
        text: without accents and case.
        start, end: where it stands.
        capital: whether it begins with a capital letter or a digit.
        begins: whether it is the first of its sentence.
    """

    text: str
    start: int
    end: int
    capital: bool
    begins: bool


def fold(text: str) -> str:
    """A text without accents and case."""
    apart = unicodedata.normalize("NFKD", text)
    return "".join(each for each in apart if not unicodedata.combining(each)).casefold()


def words(text: str) -> list[Word]:
    """The words of a text in order; a possessive ending is no word."""
    found: list[Word] = []
    for match in _WORD.finditer(text):
        start, end = match.span()
        word = match.group()
        if word.lower() in ("s", "t") and text[max(0, start - 1) : start] in ("'", "’"):
            continue
        gap = text[found[-1].end : start] if found else ""
        begins = not found or any(mark in gap for mark in '.!?:"\n')
        capital = word[0].isupper() or word[0].isdigit()
        found.append(Word(fold(word), start, end, capital, begins))
    return found


class Rarity:
    """How much a word tells about what a text is about.

    Args:
        tokenizer: whose vocabulary is sorted by frequency.
        relations: for words of relations, how many phrasings use them.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, relations: Mapping[str, int]) -> None:
        self._tokenizer = tokenizer
        self._relations = relations
        self._scale = math.log(len(tokenizer))
        self._information = lru_cache(maxsize=1 << 16)(self._measured)

    def uses(self, word: str) -> int:
        """Relations whose phrasings hold the word."""
        return self._relations.get(word, 0)

    def of(self, word: str) -> float:
        """Weight of a word among those of a subject; about 1 for a rare one."""
        if word in SMALL:
            return 0.02
        return max(self.alone(word) ** 0.5, 0.3 * self._information(word) ** 4, 0.05)

    def alone(self, word: str) -> float:
        """How likely the word is to name a subject by itself; 0 for words of relations."""
        return float(self._information(word) ** 4 / (1 + self.uses(word)))

    def total(self, some: Iterable[str]) -> float:
        """Weight of several words."""
        return sum(self.of(word) for word in some)

    def _measured(self, word: str) -> float:
        """Information of a word against that of the rarest single piece, as a ratio."""
        forms = (f" {word}", f" {word.capitalize()}")
        least = min(
            sum(
                math.log(id + 2)
                for id in self._tokenizer(form, add_special_tokens=False)["input_ids"]
            )
            for form in forms
        )
        information = least / self._scale
        # Digits are single frequent pieces, yet a number tells one subject from another.
        return max(information, 0.9) if word.isdigit() else information
