"""Which stored text a question is most like: by its words, or by the model's own activations.

Both give a score of 0 to 1 that does not grow with the number of texts stored:

    words        BM25(question, text) / BM25(text, text)      the share of the text's weight that the
                                                              question has
    activations  cosine of what the two put into the site, mean over tokens less the background's

BM25 (Robertson et al., TREC-3, 1994) is computed by the library bm25s, in Lucene's form. How rare a
word is, it learns from the stored texts and from shipped background prompts, so that it knows from the
first text on. A word that a question repeats counts once.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

import bm25s  # type: ignore[import-untyped]
import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from memoir.calibration import Background, prompt_means
from memoir.host import Host
from memoir.routing.words import words
from memoir.types import Edit


class Similarity(Protocol):
    """Compares questions with stored texts."""

    def key(self, texts: Sequence[str]) -> Float[Tensor, "texts d"]:
        """What is to be kept of texts, beside themselves."""

    def scores(
        self, questions: Sequence[str], texts: Sequence[str], keys: Float[Tensor, "texts d"]
    ) -> Float[Tensor, "questions texts"]:
        """How alike they are, 0..1."""


class ByWords:
    """BM25, as a share.

    Args:
        background: prompts from which the rarity of words is learnt, besides the stored ones.
    """

    def __init__(self, background: Sequence[str]) -> None:
        self._background = [terms(text) for text in background]
        self._indexed: tuple[Sequence[str], bm25s.BM25] | None = None

    def key(self, texts: Sequence[str]) -> Float[Tensor, "texts d"]:
        """Nothing."""
        return torch.zeros(len(texts), 0)

    def scores(
        self, questions: Sequence[str], texts: Sequence[str], keys: Float[Tensor, "texts d"]
    ) -> Float[Tensor, "questions texts"]:
        """The share of each text's weight that each question has."""
        index = self.index(texts)
        found = np.stack([self._against(index, question) for question in questions])
        matrix = index.scores
        whole = np.bincount(matrix["indices"], weights=matrix["data"], minlength=matrix["num_docs"])
        of_texts = found[:, : len(texts)] / np.maximum(whole[: len(texts)], 1e-9)
        return torch.from_numpy(of_texts).float().clamp(0.0, 1.0)

    def index(self, texts: Sequence[str]) -> bm25s.BM25:
        """The library's index of the texts, then of the background; made anew when they change."""
        if self._indexed is None or self._indexed[0] is not texts:
            index = bm25s.BM25()
            index.index([*map(terms, texts), *self._background], show_progress=False)
            self._indexed = texts, index
        return self._indexed[1]

    def _against(self, index: bm25s.BM25, question: str) -> np.ndarray:
        ids = index.get_tokens_ids(sorted(set(terms(question))))
        if not ids:
            return np.zeros(index.scores["num_docs"], dtype=np.float32)
        scores: np.ndarray = index.get_scores_from_ids(ids)
        return scores


class ByActivations:
    """Cosine of centred mean activations.

    Args:
        host: whose site is read.
        centre: μ, see :func:`memoir.calibration.background_mean`.
    """

    def __init__(self, host: Host, centre: Float[Tensor, " d_in"]) -> None:
        self._host = host
        self._centre = centre

    def key(self, texts: Sequence[str]) -> Float[Tensor, "texts d_in"]:
        """Directions, of length one."""
        (means,) = prompt_means(self._host, texts, [self._host.site.layer])
        return F.normalize(means - self._centre, dim=-1)

    def scores(
        self, questions: Sequence[str], texts: Sequence[str], keys: Float[Tensor, "texts d_in"]
    ) -> Float[Tensor, "questions texts"]:
        """Cosines; 0 if they are negative."""
        return (self.key(questions) @ keys.T).clamp(0.0, 1.0)


class Best(NamedTuple):
    """The stored text that is most like a question; None if there is none."""

    id: str | None
    score: float


class Shelf:
    """Stored texts, some of them under one name.

    Args:
        similarity: what compares.
    """

    def __init__(self, similarity: Similarity) -> None:
        self._similarity = similarity
        self._keys: dict[str, tuple[Sequence[str], Float[Tensor, "texts d"]]] = {}
        self._laid_out: tuple[list[str], list[str], Tensor] | None = None

    def __contains__(self, id: str) -> bool:
        return id in self._keys

    def add(self, id: str, texts: Sequence[str], keys: Float[Tensor, "texts d"]) -> None:
        """Take texts in, with what :meth:`Similarity.key` gave."""
        self._keys[id] = texts, keys
        self._laid_out = None

    def remove(self, id: str) -> None:
        """Forget them."""
        del self._keys[id]
        self._laid_out = None

    def best(self, questions: Sequence[str]) -> list[Best]:
        """Of each question the text that is most like it; of equals the last stored."""
        if not self._keys:
            return [Best(None, 0.0) for _ in questions]
        names, texts, keys = self._all()
        scores = self._similarity.scores(questions, texts, keys)
        highest = scores.max(1).values
        last = len(names) - 1 - scores.flip(1).argmax(1)
        return [
            Best(names[at], score)
            for at, score in zip(last.tolist(), highest.tolist(), strict=True)
        ]

    def _all(self) -> tuple[list[str], list[str], Tensor]:
        if self._laid_out is None:
            names = [id for id, (texts, _) in self._keys.items() for _ in texts]
            texts = [text for each, _ in self._keys.values() for text in each]
            keys = torch.cat([each for _, each in self._keys.values()])
            self._laid_out = names, texts, keys
        return self._laid_out


class Compared(NamedTuple):
    """How alike the background's questions and its prompts are.

    Attributes:
        reworded: scores of its rephrases; each prompt's own is in the diagonal.
        near: scores of its neighbours, which are about other subjects in the same words.
    """

    reworded: Float[Tensor, "questions texts"]
    near: Float[Tensor, "questions texts"]

    @classmethod
    def by(cls, similarity: Similarity, background: Background) -> Compared:
        """Compare them."""
        stored = background.prompts
        keys = similarity.key(stored)
        return cls(
            similarity.scores(background.rephrases, stored, keys),
            similarity.scores(background.neighbours, stored, keys),
        )


class Calibrated(NamedTuple):
    """A threshold, and what it does to the shipped background records.

    Attributes:
        threshold: the smallest at which at most the stated share fires wrongly.
        recall: share of rephrases that fire on their own prompt.
        false_fire: share of rephrases that fire on another fact's prompt.
        neighbour_fire: share of neighbours that fire: words and activations hardly tell them from the
            prompt itself, so the threshold cannot spare them.
        records: how many there are.
    """

    threshold: float
    recall: float
    false_fire: float
    neighbour_fire: float
    records: int


def calibrated(compared: Compared, rate: float) -> Calibrated:
    """Choose the score from which a stored text is what a question means.

    The background's prompts are stored, its rephrases ask, as in :mod:`memoir.calibration`.

    Args:
        compared: background records.
        rate: share of rephrases that may fire on another fact's prompt, 0..1.
    """
    own, near = compared.reworded.diagonal(), compared.near.amax(1)
    others = compared.reworded.clone().fill_diagonal_(0.0).amax(1)
    threshold = just_above(others, rate)
    return Calibrated(
        threshold,
        float(((own >= threshold) & (own > others)).float().mean()),
        float((others >= threshold).float().mean()),
        float((near >= threshold).float().mean()),
        len(own),
    )


def just_above(scores: Float[Tensor, " n"], rate: float) -> float:
    """The smallest number that at most ``rate`` of the scores reach, 1 at most."""
    refused = scores.sort(descending=True).values[int(rate * len(scores))]
    return min(1.0, float(torch.nextafter(refused, torch.tensor(torch.inf))))


def terms(text: str) -> list[str]:
    """The words of a text, without accents and case."""
    return [word.text for word in words(text)]


def wordings(edit: Edit) -> list[str]:
    """What a question is compared with, to see if it means an edit."""
    return [edit.prompt, *edit.phrasings]


def background_texts(background: Background) -> list[str]:
    """All of its prompts."""
    roles: Iterable[Sequence[str]] = vars(background).values()
    return [text for role in roles for text in role]
