"""A learned gate: how likely a question means a stored text, given how alike the two are.

    p = σ(w · φ)      φ = 1, cosine of activations, share of words, cosine × share

w is learnt once for each model, from shipped records that have nothing to do with any edit: a prompt
means itself, and a rewording means it; of the other prompts the one that a rewording is most like is
not meant, nor is a prompt by one in the same words about another subject.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from memoir.calibration import Background
from memoir.core.logistic import fit_logistic
from memoir.routing.retrieval import ByActivations, ByWords


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


def learn_gate(
    activations: ByActivations, words: ByWords, background: Background
) -> Float[Tensor, " f"]:
    """w, from the background records."""
    stored = background.prompts
    keys = activations.key(stored)

    def compared(questions: Sequence[str]) -> Float[Tensor, "questions texts f"]:
        alike = activations.scores(questions, stored, keys)
        return _features(alike, words.scores(questions, stored, keys))

    reworded, near = compared(background.rephrases), compared(background.neighbours)
    own = torch.arange(len(stored))
    alike = reworded[:, :, 1].clone().fill_diagonal_(-1.0)
    meant = torch.cat([torch.ones_like(near[own, own]), reworded[own, own]])
    others = torch.cat([reworded[own, alike.argmax(1)], near[own, own]])
    examples = torch.cat([meant, others])
    return fit_logistic(examples, torch.arange(len(examples)) < len(meant))


def _features(
    alike: Float[Tensor, "*pairs"], shared: Float[Tensor, "*pairs"]
) -> Float[Tensor, "*pairs f"]:
    return torch.stack([torch.ones_like(alike), alike, shared, alike * shared], dim=-1)
