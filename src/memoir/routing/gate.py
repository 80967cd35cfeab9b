"""A learned gate: how likely a question means a stored text, given how alike the two are.

    p = σ(w · φ)      φ = 1, cosine of activations, share of words, cosine × share

w is learnt once for each model, from shipped records that have nothing to do with any edit: a prompt
means itself, and a rewording means it; of the other prompts the one that a rewording is most like is
not meant, nor is a prompt by one in the same words about another subject.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from memoir.calibration import Background
from memoir.core.logistic import fit_logistic
from memoir.routing.retrieval import ByActivations, ByWords, Compared


class Gate:
    """Compares questions with stored texts by what it learnt.

    Args:
        activations, words: what it goes by.
        weights: w.
    """

    def __init__(
        self, activations: ByActivations, words: ByWords, weights: Float[Tensor, " f"]
    ) -> None:
        self._activations = activations
        self._words = words
        self._weights = weights

    def key(self, texts: Sequence[str]) -> Float[Tensor, "texts d_in"]:
        """Directions of the texts' activations."""
        return self._activations.key(texts)

    def scores(
        self, questions: Sequence[str], texts: Sequence[str], keys: Float[Tensor, "texts d_in"]
    ) -> Float[Tensor, "questions texts"]:
        """p."""
        alike = self._activations.scores(questions, texts, keys)
        shared = self._words.scores(questions, texts, keys)
        return torch.sigmoid(_features(alike, shared) @ self._weights)


class Learnt(NamedTuple):
    """What was learnt, and what it makes of the records it was learnt from."""

    weights: Float[Tensor, " f"]
    compared: Compared

    @property
    def same(self) -> float:
        """p of a text and itself: all features are 1."""
        return float(torch.sigmoid(self.weights.sum()))


def learn_gate(activations: ByActivations, words: ByWords, background: Background) -> Learnt:
    """w, from the background records."""
    both = (Compared.by(similarity, background) for similarity in (activations, words))
    (alike, near_alike), (shared, near_shared) = both
    reworded, near = _features(alike, shared), _features(near_alike, near_shared)
    own = torch.arange(len(alike))
    other = alike.clone().fill_diagonal_(-1.0).argmax(1)
    meant = torch.cat([torch.ones_like(near[own, own]), reworded[own, own]])
    examples = torch.cat([meant, reworded[own, other], near[own, own]])
    weights = fit_logistic(examples, torch.arange(len(examples)) < len(meant))
    found = (torch.sigmoid(features @ weights) for features in (reworded, near))
    return Learnt(weights, Compared(*found))


def _features(
    alike: Float[Tensor, "*pairs"], shared: Float[Tensor, "*pairs"]
) -> Float[Tensor, "*pairs f"]:
    return torch.stack([torch.ones_like(alike), alike, shared, alike * shared], dim=-1)
