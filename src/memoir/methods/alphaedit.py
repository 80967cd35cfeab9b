"""AlphaEdit: Null-Space Constrained Knowledge Editing (Fang et al., ICLR 2025, arXiv 2410.02355).

MEMIT with another solve. A layer's change is projected onto what the keys to be preserved leave free,
and keeps the values of earlier edits' keys:

    (P (K Kᵀ + Kp Kpᵀ) + λ I) Δᵀ = P K Rᵀ           (§3.3, eq. 14, transposed)

    P    projector onto the directions of C with singular values below a bound      (§3.2, eqs. 8 and 9)
    Kp   keys of the edits in force

As in MEMIT, Δ is a sum with one rank-one part for each edit, and each keeps its own part and its keys.
Kp is read from the edits in force, so that an edit that is taken back protects its key no longer; the
parts of all others stay, bit for bit, as they were solved together with it.

In the paper λ is 1. The authors' code has 10, and a bound of 2e-2, in units of LLaMA-3's activations.
Here both follow from C: the bound is in proportion to its mean eigenvalue, and λ to tr(P C), the
squared length that a typical key has left after projection; such a key gets 1 / (1 + weight) of what
it is to gain. SmolLM2 leaves no direction truly free: below the mean lie four fifths of them, with a
third of tr C.

Adam's step is in units of what leaves the last layer (:mod:`memoir.values`). The authors' 0.5 for GPT-J
would be a tenth of them where the stream is as long as SmolLM2's, and their 0.1 for LLaMA-3 a fiftieth:
25 steps of that end far inside the bound on δ, with most targets still unlikely.

An edit without a subject has it estimated, as the rarest words of its prompt. Other defaults are the
authors' for LLaMA-3: layers 4 to 8 of 32.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from memoir import moments
from memoir.core.solve import null_projector, projected_rows
from memoir.errors import BadInput
from memoir.host import Host
from memoir.host.patch import as_tensors
from memoir.methods.base import Prepared
from memoir.methods.memit import Memit
from memoir.spread import Share, Solve
from memoir.types import Edit


@dataclass(frozen=True)
class AlphaEditConfig:
    """Settings of AlphaEdit.

    Attributes:
        depth: relative depth of the last layer, 0..1 (LLaMA: 8 of 32).
        first: relative depth of the first (LLaMA: 4 of 32).
        layers: how many there are from first to last; a shallow model has fewer.
        bound: of the singular values that count as free, in units of their mean.
        weight: λ, in units of tr(P C).
        lr: Adam's step on a value, in units of the root mean square of v0.
        max_steps: updates of a value at most.
        stop_loss: a value is done below this loss, nats per target token.
        kl: weight of keeping what follows "{subject} is a".
        decay: weight of ‖δ‖ / ‖v0‖².
        clamp: bound on ‖δ‖ / ‖v0‖, v0 being what leaves the last layer.
        prefixes: texts by the model that the prompt is also put behind, 0 to 5.
        prefix_tokens: tokens it writes of each.
        corpus: file of texts for C; None for WikiText, or what ``memoir stats`` last measured.
        texts: of the corpus, at most.
        batch_size: edits solved together.
    """

    depth: float = 8 / 32
    first: float = 4 / 32
    layers: int = 5
    bound: float = 1.0
    weight: float = 0.1
    lr: float = 0.3
    max_steps: int = 25
    stop_loss: float = 5e-2
    kl: float = 0.0625
    decay: float = 0.5
    clamp: float = 0.75
    prefixes: int = 5
    prefix_tokens: int = 10
    corpus: str | None = None
    texts: int = moments.TEXTS
    batch_size: int = 100


class AlphaEdit(Memit):
    """AlphaEdit on the layers up to the host's site."""

    Config: ClassVar[type] = AlphaEditConfig
    presets: ClassVar[Mapping[str, Any]] = {"default": AlphaEditConfig()}
    paper: ClassVar[str] = "AlphaEdit, ICLR 2025, arXiv 2410.02355"
    storage: ClassVar[str] = "three vectors a layer"

    def __init__(self, host: Host, prepared: Prepared) -> None:
        super().__init__(host, prepared)
        self._live: dict[str, Mapping[str, Tensor]] = {}

    def apply(self, id: str, edit: Edit, tensors: Mapping[str, Tensor]) -> None:
        self._live[id] = tensors
        super().apply(id, edit, tensors)

    def remove(self, id: str) -> None:
        del self._live[id]
        super().remove(id)

    def _solver(self, moment: Mapping[int, Float[Tensor, "d_in d_in"]]) -> Solve:
        """From a layer and keys to the rows of its change, given C by layer."""
        free = {layer: _free(each, self.config.bound) for layer, each in moment.items()}

        def rows(layer: int, keys: Float[Tensor, "edits d_in"]) -> Float[Tensor, "edits d_in"]:
            past = [tensors[_key(layer)] for tensors in self._live.values()]
            kept = torch.stack(past) if past else keys[:0]
            projector, length = free[layer]
            return projected_rows(keys, kept, projector, self.config.weight * length)

        return rows

    def _kept(self, share: Share) -> dict[str, Tensor]:
        """What is stored of an edit: its keys too, which later edits shall preserve."""
        keys = {_key(layer): key for layer, key in share.keys.items()}
        return {**as_tensors(share.updates), **keys}


class _Free(NamedTuple):
    """What preserved keys leave free in a layer.

    Attributes:
        projector: P.
        length: tr(P C), the mean squared length of a preserved key after projection; not 0.
    """

    projector: Float[Tensor, "d_in d_in"]
    length: float


def _free(moment: Float[Tensor, "d_in d_in"], bound: float) -> _Free:
    projector = null_projector(moment, bound * float(moment.diagonal().mean()))
    if not projector.any():
        raise BadInput(
            f"no direction of the keys lies below {bound} of the mean; choose a larger bound."
        )
    # Where the corpus says nothing at all of a direction, some λ is needed still.
    length = max(float((projector * moment).sum()), 1e-6 * float(moment.trace()))
    return _Free(projector, length)


def _key(layer: int) -> str:
    return f"{layer}.key"
