"""The paper's router (MEMOIR §3.3, *informed retention*).

    i* = argmax_i |m(x) ∧ m_i| / k        fires if that overlap ≥ τ

Two random masks already overlap by ``k / d_in``, so τ has no meaning apart from ``k`` and must be
calibrated for each model (see :mod:`memoir.calibration`). The mean over the whole prompt drowns in a
long one, and the same template about another subject overlaps more than a paraphrase does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from memoir.core.fingerprint import TopHash, prompt_mean
from memoir.core.index import MaskIndex
from memoir.routing.base import Prompts
from memoir.types import Edit, Match


class OverlapRouter:
    """The paper's rule over an index of masks.

    Args:
        top_hash: turns a prompt's mean activation into its mask.
        threshold: τ, 0..1.
    """

    def __init__(self, top_hash: TopHash, threshold: float) -> None:
        self.top_hash = top_hash
        self.threshold = threshold
        self.index = MaskIndex(top_hash.background.numel(), top_hash.k)

    def keys(self, edits: Sequence[Edit]) -> list[dict[str, Tensor]]:
        """Nothing: the mask is that of the memory's own columns."""
        return [{} for _ in edits]

    def add(self, id: str, edit: Edit, tensors: Mapping[str, Tensor]) -> None:
        mask = torch.zeros(self.index.d_in, dtype=torch.bool)
        mask[tensors["columns"].long()] = True
        self.index.add(id, mask)

    def remove(self, id: str) -> None:
        self.index.remove(id)

    def match(self, prompts: Prompts) -> list[Match]:
        masks = self.top_hash(prompt_mean(prompts.activations, prompts.real))
        found = [self.index.best(mask) for mask in masks.cpu()]
        return [
            Match(None, 0.0, self.threshold)
            if best is None
            else Match(best.id, best.overlap, self.threshold)
            for best in found
        ]
