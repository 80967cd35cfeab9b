"""Which stored edit, if any, a prompt is about (MEMOIR §3.3, *informed retention*).

    i* = argmax_i |m(x) ∧ m_i| / k        fires if that overlap ≥ τ

Two random masks already overlap by ``k / d_in``, so τ has no meaning apart from ``k`` and must be
calibrated for each model (see :mod:`memoir.calibration`).
"""

from __future__ import annotations

from jaxtyping import Bool
from torch import Tensor

from memoir.core.index import MaskIndex
from memoir.types import Match


class OverlapRouter:
    """The paper's rule over an index of masks.

    Args:
        index: masks of the stored edits.
        threshold: τ, 0..1.
    """

    def __init__(self, index: MaskIndex, threshold: float) -> None:
        self.index = index
        self.threshold = threshold

    def match(self, masks: Bool[Tensor, "batch d_in"]) -> list[Match]:
        """One verdict per row; rows do not influence each other."""
        verdicts = []
        for mask in masks.cpu():
            best = self.index.best(mask)
            verdicts.append(
                Match(None, 0.0, self.threshold)
                if best is None
                else Match(best.id, best.overlap, self.threshold)
            )
        return verdicts
