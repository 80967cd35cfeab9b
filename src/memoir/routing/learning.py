"""Fits the router by meaning to one model.

Everything is learnt from the shipped relations. They are cut into folds: what judges a fold's pairs was
fitted on the relations of the other folds, so that weights and threshold are those for relations never
seen before.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from memoir.core.logistic import fit_logistic
from memoir.core.plda import Plda, fit_plda
from memoir.host import Host
from memoir.routing.lookup import Lookup
from memoir.routing.pairs import SLOT, Pair, Relation, Told, names, pairs, relations, uses
from memoir.routing.relation import Reader
from memoir.routing.subject import PLACEHOLDER, Found, Named, estimated, named, pattern
from memoir.routing.verdict import Learnt, features
from memoir.routing.window import looked_at
from memoir.routing.words import Rarity, words
from memoir.types import Progress, no_progress

FOLDS = 4
DIMS = 64
"""Numbers kept of a relation: 128 bytes a wording. With more, unknown relations are confused more."""

LONGEST_PATTERN = 120
"""Letters; a subject estimated so badly that more is left over teaches nothing."""

MOST_LINKED = 40
"""Patterns of one relation that pairs of one's own make known."""

MAY_FIRE = {"relation": 0.04, "sibling": 0.15, "unrelated": 0.001}
"""Share of each kind of pair that may fire at the threshold."""

MAY_FIRE_WITH_OWN = {**MAY_FIRE, "relation": 0.02}
"""The same where pairs of one's own are learnt from. They bring wordings of their kind closer to one
another than shipped pairs can show, and other relations with them: of held-out ones of their kind, half
as many again to twice as many fire as are allowed."""


@dataclass(frozen=True)
class Learning:
    """What was learnt, and how well it does on relations it had not seen.

    Attributes:
        learnt: to route with.
        threshold: the smallest probability at which no kind of pair fires more often than it may.
        evidence: shares that fire, by kind of pair, and the sizes behind them.
    """

    learnt: Learnt
    threshold: float
    evidence: dict[str, Any]


def learn(
    host: Host,
    own: Sequence[Told] = (),
    *,
    seed: int = 0,
    progress: Progress = no_progress,
) -> Learning:
    """Fit the router to a model: one or two minutes for a small one on a processor.

    Args:
        host: the model.
        own: further pairs, from which it learns how differently one thing can be asked.
        seed: of the pairs that are drawn.
    """
    rng = random.Random(seed)
    known, called = relations(), names()
    rarity = Rarity(host.tokenizer, uses(known))
    reader = _Remembering(Reader(host), progress)
    texts, classes = _patterns(known, called, rarity, rng)
    ways = _ways(own, rarity)
    for number, group in enumerate(_linked(ways), start=len(known)):
        texts += group
        classes += [number] * len(group)
    vectors, labels = reader.read(texts), torch.tensor(classes)
    # Relations from pairs of one's own never judge; they belong to a fold that is never left out.
    folds = torch.tensor(
        [rng.randrange(FOLDS) for _ in known] + [FOLDS] * (max(classes) + 1 - len(known))
    )
    alike = _alike(ways, reader)

    kinds: list[str] = []
    rows: list[Tensor] = []
    for fold in range(FOLDS):
        others = folds[labels] != fold
        plda = fit_plda(vectors[others], _renumbered(labels[others]), DIMS, alike=alike)
        some = [
            relation for relation, each in zip(known, folds.tolist(), strict=False) if each == fold
        ]
        drawn = list(pairs(some, called, rng))
        rows.append(_judged(drawn, rarity, reader, plda, rng))
        kinds += [pair.kind for pair in drawn]
    given = torch.cat(rows)
    met = ~given.isnan().any(1)
    positive = torch.tensor([kind == "paraphrase" for kind in kinds])
    weights = fit_logistic(given[met], positive[met])
    scores = torch.where(met, torch.sigmoid(given.nan_to_num() @ weights), torch.zeros(len(met)))
    may_fire = MAY_FIRE_WITH_OWN if own else MAY_FIRE
    threshold = _threshold(scores, kinds, may_fire)
    learnt = Learnt(fit_plda(vectors, labels, DIMS, alike=alike), weights, uses(known))
    evidence = {
        "relations": len(known),
        "patterns": len(texts),
        "pairs": len(kinds),
        "may_fire": may_fire,
        "fires": _fires(scores, kinds, threshold),
        "threshold": threshold,
        "own_pairs": len(own),
    }
    return Learning(learnt, threshold, evidence)


def _patterns(
    known: Sequence[Relation],
    called: Mapping[str, Sequence[str]],
    rarity: Rarity,
    rng: random.Random,
) -> tuple[list[str], list[int]]:
    """Every phrasing with its subject replaced, exactly and as an estimate would; and its relation."""
    texts: list[str] = []
    classes: list[int] = []
    for number, relation in enumerate(known):
        for phrasing in relation.phrasings:
            exact = phrasing.replace(SLOT, PLACEHOLDER)
            whole = phrasing.replace(SLOT, rng.choice(called[relation.about]))
            found = words(whole)
            guess = pattern(whole, found, estimated(whole, found, rarity))
            some = {exact, guess} if len(guess) < LONGEST_PATTERN else {exact}
            texts += sorted(some)
            classes += [number] * len(some)
    return texts, classes


class _Remembering:
    """Reads every sentence once."""

    def __init__(self, reader: Reader, progress: Progress) -> None:
        self._reader = reader
        self._progress = progress
        self._known: dict[str, Tensor] = {}

    def read(self, sentences: Sequence[str]) -> Float[Tensor, "sentences hidden"]:
        new = [each for each in dict.fromkeys(sentences) if each not in self._known]
        for start in range(0, len(new), 512):
            some = new[start : start + 512]
            self._known.update(zip(some, self._reader(some), strict=True))
            self._progress("learning what questions mean", start + len(some), len(new))
        return torch.stack([self._known[each] for each in sentences])


def _ways(own: Sequence[Told], rarity: Rarity) -> list[tuple[str, str]]:
    """Both patterns of pairs of one's own, where the rephrase names the subject."""
    ways = []
    for pair in own:
        subject = named(pair.prompt, pair.subject, rarity)
        where = _where(pair.rephrase, subject, rarity)
        if where is not None:
            ways.append((subject.pattern, where.patterns[-1]))
    return ways


def _linked(ways: Sequence[tuple[str, str]]) -> list[list[str]]:
    """Relations that pairs of one's own make known: patterns that some chain of pairs links.

    Long chains lead over patterns that say too little ("X is in") from one relation to others; such
    groups are left out.
    """
    group = {pattern: {pattern} for way in ways for pattern in way}
    for a, b in ways:
        if group[a] is not group[b]:
            joined = group[a] | group[b]
            group |= dict.fromkeys(joined, joined)
    groups = {id(each): sorted(each) for each in group.values()}
    return [each for each in groups.values() if 3 <= len(each) <= MOST_LINKED]


def _alike(
    ways: Sequence[tuple[str, str]], reader: _Remembering
) -> Float[Tensor, "pairs 2 hidden"] | None:
    """Vectors of pairs of patterns."""
    if not ways:
        return None
    sides = [reader.read([way[side] for way in ways]) for side in (0, 1)]
    return torch.stack(sides, dim=1)


def _where(question: str, subject: Named, rarity: Rarity) -> Found | None:
    """Where a question names a subject; the sentence nearest its end."""
    lookup = Lookup()
    lookup.add("it", subject)
    for sentence in looked_at(question):
        for _, found in lookup.named_in(sentence, 1, rarity):
            return found
    return None


def _renumbered(labels: Tensor) -> Tensor:
    return torch.unique(labels, return_inverse=True)[1]


def _judged(
    drawn: Sequence[Pair], rarity: Rarity, reader: _Remembering, plda: Plda, rng: random.Random
) -> Float[Tensor, "pairs f"]:
    """Features of pairs; NaN where the question does not name the subject at all."""
    met: list[tuple[int, str, Found]] = []
    for number, pair in enumerate(drawn):
        subject = named(pair.prompt, pair.subject if rng.random() < 0.5 else None, rarity)
        where = _where(pair.question, subject, rarity)
        if where is not None:
            met.append((number, subject.pattern, where))
    # A question may be read in several ways; the likeliest counts, as when it is routed.
    ways = [(i, text) for i, (_, _, where) in enumerate(met) for text in where.patterns]
    stored = plda.project(reader.read([met[i][1] for i, _ in ways]))
    asked = plda.project(reader.read([text for _, text in ways]))
    alike = torch.full((len(met),), -torch.inf)
    alike.scatter_reduce_(0, torch.tensor([i for i, _ in ways]), plda.score(stored, asked), "amax")
    given = torch.full((len(drawn), 6), torch.nan)
    given[[number for number, *_ in met]] = features([where for *_, where in met], alike)
    return given


def _threshold(
    scores: Float[Tensor, " pairs"], kinds: Sequence[str], may_fire: Mapping[str, float]
) -> float:
    highest = 0.0
    for kind, rate in may_fire.items():
        some = scores[torch.tensor([each == kind for each in kinds])].sort(descending=True).values
        highest = max(highest, float(some[int(rate * len(some))]))
    return min(1.0, highest + 1e-6)


def _fires(
    scores: Float[Tensor, " pairs"], kinds: Sequence[str], threshold: float
) -> dict[str, float]:
    """Share of each kind that fires."""
    of = {kind: torch.tensor([each == kind for each in kinds]) for kind in sorted(set(kinds))}
    return {
        kind: round(float((scores[some] >= threshold).float().mean()), 4)
        for kind, some in of.items()
    }
