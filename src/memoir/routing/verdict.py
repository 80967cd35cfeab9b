"""How likely a question is about an edit, given how alike their subjects and relations are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from memoir.core.plda import Plda
from memoir.routing.pairs import relations, uses
from memoir.routing.subject import Found


@dataclass(frozen=True)
class Learnt:
    """What the router by meaning knows of a model.

    Attributes:
        plda: compares relations.
        weights: of the features of a verdict.
        uses: for words of relations, how many relations use them.
    """

    plda: Plda
    weights: Float[Tensor, " f"]
    uses: Mapping[str, int]

    def probability(self, given: Float[Tensor, "1 f"]) -> float:
        """That an edit is meant."""
        return float(torch.sigmoid(given @ self.weights))

    def tensors(self) -> dict[str, Tensor]:
        """What cannot be read from the package again."""
        return {**self.plda.tensors(), "weights": self.weights}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor]) -> Learnt:
        """Inverse of :meth:`tensors`."""
        return cls(Plda.from_tensors(tensors), tensors["weights"], uses(relations()))


def features(found: Sequence[Found], alike: Float[Tensor, " n"]) -> Float[Tensor, "n f"]:
    """φ of each match: 1, subject, relation, words beside, words inside, subject × relation."""
    share, beside, inside = (
        torch.tensor([getattr(each, name) for each in found], dtype=torch.float32)
        for name in ("share", "beside", "inside")
    )
    alike = alike.float()
    return torch.stack([torch.ones_like(share), share, alike, beside, inside, share * alike], dim=1)
