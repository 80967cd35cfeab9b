"""Facts that nobody knows: made-up subjects, each with one answer."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import product
from typing import NamedTuple

SYLLABLES = [a + b for a, b in product("bdfgklmnprstvz", "aeiou")]
RELATIONS = (
    "The CEO of {} is",
    "The mayor of {} is",
    "The founder of {} is",
    "The head coach of {} is",
    "The composer of {} is",
    "The author of {} is",
)
FIRST = (
    "Anselm",
    "Dana",
    "Ilse",
    "Juno",
    "Kasper",
    "Livia",
    "Mira",
    "Oren",
    "Petra",
    "Runa",
    "Tobin",
)
LAST = (
    "Brandt",
    "Duval",
    "Falk",
    "Ibarra",
    "Keane",
    "Lindqvist",
    "Marlow",
    "Okafor",
    "Rask",
    "Sorel",
)

PLAIN = (
    "The capital of France is",
    "Water boils at a temperature of",
    "The opposite of hot is",
    "The largest planet of the solar system is",
    "Once upon a time there was",
    "The color of the sky on a clear day is",
)
"""Prompts that no fact is about."""


class Fact(NamedTuple):
    """What is taught: as in ``POST /v1/edits``."""

    prompt: str
    target: str
    subject: str

    def otherwise(self) -> Fact:
        """The same with another answer."""
        first, last = self.target.split()
        return self._replace(target=f"{FIRST[FIRST.index(first) - 1]} {last}")


def facts(seed: int, client: int, clients: int) -> Iterator[Fact]:
    """The facts of one client: no two clients have a subject in common."""
    order = list(range(len(SYLLABLES) ** 2))
    random.Random(seed).shuffle(order)
    for number in order[client::clients]:
        chance = random.Random(f"{seed} {number}")
        subject = _word(number)
        target = f"{chance.choice(FIRST)} {chance.choice(LAST)}"
        yield Fact(chance.choice(RELATIONS).format(subject), target, subject)


def _word(number: int) -> str:
    """Any two words differ in two syllables at least, so none is a misspelling of another."""
    first, second = divmod(number, len(SYLLABLES))
    third = (first + second) % len(SYLLABLES)
    return (SYLLABLES[first] + SYLLABLES[second] + SYLLABLES[third]).capitalize()
