"""A router that knows what an edit is about: the same subject, and the same thing asked about it.

    1. window    the last user's turn, sentence by sentence, the last first
    2. subject   is a stored subject named there?  a look-up of words; no model is run
    3. relation  is the same asked about it?       a fifth of the layers, over that sentence only
    4. verdict   p = σ(w · φ),  φ of both scores   fires the best edit if p ≥ threshold

A prompt that ends with the very words of a stored prompt needs no judging: it is that prompt. Where a
sentence names no stored subject but has a pronoun, the subject is sought in what was said before.

Weights and threshold are learnt on shipped pairs (:mod:`memoir.routing.learning`), and no score depends
on what else is stored. Prompts that are judged together are read together, which may move the last bits
of their scores.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from memoir.errors import BadInput
from memoir.host import Host
from memoir.routing.base import Prompts
from memoir.routing.lookup import Lookup
from memoir.routing.relation import Reader, Relations
from memoir.routing.subject import Found, named, pronoun_pattern
from memoir.routing.verdict import Learnt, features
from memoir.routing.window import Window, looked_at, sentences
from memoir.routing.words import Rarity, words
from memoir.types import Edit, Match

CANDIDATES = 8
"""Subjects of one sentence that are judged."""

SURE_SHARE = 0.6
"""Share from which earlier sentences of the turn are not looked at any more."""

EARLIER = 12
"""Sentences before the turn in which a pronoun's subject is sought, the last first."""


class Asked(NamedTuple):
    """A sentence that may ask about a stored subject."""

    id: str
    found: Found
    patterns: tuple[str, ...]


class MeaningRouter:
    """Routes by subject and relation.

    Args:
        host: the model that reads sentences.
        learnt: what was learnt for it.
        threshold: probability from which an edit fires, 0..1.
    """

    def __init__(self, host: Host, learnt: Learnt, threshold: float) -> None:
        self._host = host
        self._learnt = learnt
        self.threshold = threshold
        self._window = Window(host)
        self._rarity = Rarity(host.tokenizer, learnt.uses)
        self._relations = Relations(Reader(host), learnt.plda)
        self._lookup = Lookup()
        self._stored: dict[str, Tensor] = {}
        self._subjects: dict[str, int] = {}
        self._prompts: dict[str, list[str]] = {}
        self._exact: dict[str, dict[str, None]] = {}

    def empty(self) -> MeaningRouter:
        """A router like this one before the first edit."""
        new = MeaningRouter(self._host, self._learnt, self.threshold)
        new._rarity = self._rarity  # remembers words
        return new

    # ------------------------------------------------------------------ what is stored

    def keys(self, edits: Sequence[Edit]) -> list[dict[str, Tensor]]:
        """The relation's vector of every phrasing of an edit."""
        patterns = [
            [
                named(text, edit.subject, self._rarity).pattern
                for text in (edit.prompt, *edit.phrasings)
            ]
            for edit in edits
        ]
        vectors = self._relations.of([each for group in patterns for each in group])
        parts = vectors.split([len(group) for group in patterns])
        return [{"relation": part.clone()} for part in parts]

    def add(self, id: str, edit: Edit, tensors: Mapping[str, Tensor]) -> None:
        subjects = [named(edit.prompt, edit.subject, self._rarity)]
        subjects += [named(alias, alias, self._rarity) for alias in edit.aliases]
        subjects = [subject for subject in subjects if subject.words]
        for number, subject in enumerate(subjects):
            self._lookup.add(f"{id} {number}", subject)
        self._stored[id] = tensors["relation"]
        self._subjects[id] = len(subjects)
        self._prompts[id] = [normal(text) for text in (edit.prompt, *edit.phrasings)]
        for text in self._prompts[id]:
            self._exact.setdefault(text, {})[id] = None

    def remove(self, id: str) -> None:
        for number in range(self._subjects.pop(id)):
            self._lookup.remove(f"{id} {number}")
        del self._stored[id]
        for text in dict.fromkeys(self._prompts.pop(id)):
            del self._exact[text][id]
            if not self._exact[text]:
                del self._exact[text]

    # ------------------------------------------------------------------ matching

    def match(self, prompts: Prompts) -> list[Match]:
        if not self._stored:
            return [Match(None, 0.0, self.threshold) for _ in prompts.real]
        if prompts.ids is None:
            raise BadInput(
                "edits are found by the words of a prompt, but the model was given inputs_embeds; "
                "give it input_ids, or use the router that reads activations (router='overlap')."
            )
        found = [
            self._found(self._host.raw(ids[real].tolist()))
            for ids, real in zip(prompts.ids.cpu(), prompts.real.cpu(), strict=True)
        ]
        vectors = self._read(found)
        return [each if isinstance(each, Match) else self._judged(each, vectors) for each in found]

    def _found(self, prompt: str) -> Match | list[Asked]:
        """The verdict, or the sentences that must be read for it."""
        turn = self._window.turn(prompt)
        same = self._same_prompt(turn.text)
        if same is not None:
            return Match(same, 1.0, self.threshold, {"same_prompt": True})
        asked = self._asked(turn.text) or self._asked_by_pronoun(turn.text, turn.earlier)
        return self._likely(asked) if asked else Match(None, 0.0, self.threshold)

    def _same_prompt(self, text: str) -> str | None:
        """The edit whose prompt the text ends with, from the beginning of a sentence on."""
        parts = sentences(text)
        for start in range(len(parts)):
            same = self._exact.get(normal(" ".join(parts[start:])))
            if same:
                return next(reversed(same))  # of several edits of one prompt the last
        return None

    def _asked(self, text: str) -> list[Asked]:
        """What the turn may ask about, from the sentence nearest its end that names a subject."""
        asked: list[Asked] = []
        whole = sentences(text)
        for sentence in looked_at(text):
            after = whole[whole.index(sentence) + 1 :]
            for id, found in self._named_in(sentence):
                patterns = list(found.patterns)
                if after and len(after) <= 2:  # "What is the capital of X? It is"
                    patterns.append(" ".join([found.patterns[0], *after]))
                asked.append(Asked(id, found, tuple(patterns)))
            if any(each.found.share >= SURE_SHARE for each in asked):
                break
        return asked

    def _asked_by_pronoun(self, text: str, earlier: str) -> list[Asked]:
        """What a pronoun may stand for: the subject named last before."""
        patterns = [pronoun_pattern(sentence) for sentence in looked_at(text)]
        asking = next((pattern for pattern in patterns if pattern is not None), None)
        if asking is None:
            return []
        before = [*sentences(earlier), *sentences(text)][-EARLIER:]
        for sentence in reversed(before):
            named_there = [
                (id, found) for id, found in self._named_in(sentence) if found.share >= SURE_SHARE
            ]
            if named_there:
                return [Asked(id, found, (asking,)) for id, found in named_there]
        return []

    def _named_in(self, sentence: str) -> list[tuple[str, Found]]:
        named_there = self._lookup.named_in(sentence, CANDIDATES, self._rarity)
        return [(key.split()[0], found) for key, found in named_there]

    def _likely(self, asked: Sequence[Asked]) -> Match | list[Asked]:
        """Those whose subject is so like the edit's that it may fire; if none is, the verdict."""
        at_most = [(self._at_most(each.found), each) for each in asked]
        likely = [each for most, each in at_most if most >= self.threshold]
        if likely:
            return likely
        most, each = max(at_most, key=lambda pair: pair[0])
        return Match(each.id, round(most, 6), self.threshold, _evidence(each.found))

    def _read(self, found: Sequence[Match | list[Asked]]) -> dict[str, Tensor]:
        """The vectors of all patterns that are asked about."""
        asked = [each for some in found if not isinstance(some, Match) for each in some]
        distinct = list(dict.fromkeys(pattern for each in asked for pattern in each.patterns))
        # A batch of prompts is read at once, which moves last bits, as it does those of the logits. Of
        # one prompt each pattern is read alone, so that other edits' patterns move nothing.
        together = [distinct] if len(found) > 1 else [[pattern] for pattern in distinct]
        return {
            pattern: vector
            for some in together
            for pattern, vector in zip(some, self._relations.of(some), strict=True)
        }

    def _judged(self, likely: Sequence[Asked], vectors: Mapping[str, Tensor]) -> Match:
        """The edit most likely meant."""
        best: tuple[float, Asked, float, str] | None = None
        flat = [(each, pattern) for each in likely for pattern in each.patterns]
        for each, pattern in flat:
            stored = self._stored[each.id]
            alike = float(self._relations.alike(stored, vectors[pattern].expand_as(stored)).max())
            probability = self._learnt.probability(features([each.found], torch.tensor([alike])))
            if best is None or probability >= best[0]:
                best = (probability, each, alike, pattern)
        assert best is not None
        probability, each, alike, pattern = best
        return Match(
            each.id,
            round(probability, 6),
            self.threshold,
            _evidence(each.found) | {"relation": round(alike, 4), "pattern": pattern},
        )

    def _at_most(self, found: Found) -> float:
        """The probability if the very same were asked."""
        return self._learnt.probability(features([found], self._relations.highest))


def _evidence(found: Found) -> dict[str, Any]:
    """What a match of subjects rests on."""
    return {
        "words": list(found.words),
        "subject": round(found.share, 4),
        "beside": round(found.beside, 4),
    }


def normal(text: str) -> str:
    """What makes two prompts the same: their words, in order; of one without words, all of it."""
    return " ".join(word.text for word in words(text)) or text.strip()
