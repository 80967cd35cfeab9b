"""Edits by the ten thousand, without fitting each: people who do not exist, with one fact each.

Their names are pairs of the shipped ones, any first with any last ("Marie Keller", "Marie Bach"), so
that they share words as names of people do. The wordings are those of shipped relations. What the
memory holds of such an edit is a copy of a fitted one's; what the router holds of it, the vector of its
wording, is read by the model once for each wording.
"""

from __future__ import annotations

import inspect
import random
from collections.abc import Iterator, Sequence
from hashlib import sha256
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor

from memoir import Editor, data, lesson
from memoir.core import fit, memory
from memoir.methods.memoir import MemoirConfig
from memoir.routing.base import Router
from memoir.routing.pairs import SLOT, STATED, names, relations
from memoir.types import Edit, Progress, Record

PEOPLE = (
    *("person", "athlete", "musician", "scientist", "politician"),
    *("writer", "artist", "actor", "soldier"),
)
"""Kinds of subjects that are people, by the shipped names."""


class Fitted(NamedTuple):
    """A real edit: its tensors, and its row of the store's log."""

    edit: Edit
    tensors: dict[str, Tensor]
    body: dict[str, Any]


class Fact(NamedTuple):
    """An edit of the crowd, ready to be applied; ``like`` is the fitted edit it is a copy of."""

    id: str
    edit: Edit
    tensors: dict[str, Tensor]
    like: Fitted


def edits_of(name: str, folder: Path) -> list[Edit]:
    """The edits of a data set, in order."""
    items = data.load(name, folder).items
    return [item.edit for item in items if isinstance(item, Record)]


def fitted(edits: Sequence[Edit], work: Path, progress: Progress) -> list[Fitted]:
    """Real edits under the default settings; kept until settings or the way of fitting change."""
    made_by = [repr(MemoirConfig()), *(inspect.getsource(each) for each in (fit, lesson, memory))]
    digest = sha256("".join(made_by).encode()).hexdigest()[:12]
    with Editor.open("smollm2", work / f"fitted-{digest}", progress=progress) as editor:
        known = {entry.edit.prompt for entry in editor.log()}
        todo = [edit for edit in edits if edit.prompt not in known]
        done = iter(range(1, len(todo) + 1))
        editor.edit_many(todo, lambda _: progress("fitting real edits", next(done), len(todo)))
        found = editor.log()[: len(edits)]
        return [Fitted(e.edit, dict(editor.store.tensors(e.row)), e.row.body) for e in found]


def router_of(editor: Editor) -> Router:
    """The router of an editor's method; measuring looks behind the scenes here."""
    router: Router = editor.method._router  # type: ignore[attr-defined]
    return router


class Crowd:
    """So many people with a fact each, and strangers, about whom nothing is stored.

    Args:
        router: reads the wordings.
        real: fitted edits to copy.
        most: people with a fact.
        strangers: people without.
    """

    def __init__(self, router: Router, real: Sequence[Fitted], most: int, strangers: int) -> None:
        self._real = real
        self._most = most
        whole = [name.split() for kind in PEOPLE for name in names()[kind] if " " in name]
        first, last = sorted({name[0] for name in whole}), sorted({name[-1] for name in whole})
        pairs = [f"{one} {other}" for one, other in product(first, last)]
        self._names = random.Random(0).sample(pairs, most + strangers)
        self._wordings = [
            (relation.phrasings, number)
            for relation in relations()
            if relation.about in PEOPLE
            for number in range(STATED)
        ]
        random.Random(1).shuffle(self._wordings)
        anybody = self._names[0]
        self._keys = router.keys(
            [
                Edit(some[number].replace(SLOT, anybody), "?", anybody)
                for some, number in self._wordings
            ]
        )

    def facts(self, start: int, end: int) -> Iterator[Fact]:
        """Those numbered from ``start`` to before ``end``, made as they are asked for."""
        for number in range(start, end):
            like = self._real[number % len(self._real)]
            edit = Edit(self._text(number, 0), like.edit.target, self._names[number])
            keys = self._keys[number % len(self._keys)]
            own = {name: each.clone() for name, each in keys.items()}
            yield Fact(f"e{number}", edit, {**like.tensors, **own}, like)

    def questions(self, stored: int, count: int) -> list[str]:
        """Facts asked in another wording, of people among the first ``stored``."""
        some = random.Random(2).sample(range(stored), min(count, stored))
        return [self._text(number, 1 + number) for number in some]

    def strangers(self) -> list[str]:
        """Questions about people who share their names with others, but have no fact."""
        return [self._text(number, number) for number in range(self._most, len(self._names))]

    def _text(self, number: int, other: int) -> str:
        """A person's own wording (0), or another of the same relation."""
        wordings, own = self._wordings[number % len(self._wordings)]
        if other:
            own += 1 + other % (len(wordings) - 1)
        return wordings[own % len(wordings)].replace(SLOT, self._names[number])
