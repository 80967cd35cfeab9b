"""A codebook's order: clusters by locality-sensitive hashing, memories by how gradients agree.

A direction's code has one bit for each of some random hyperplanes: on which side of it the direction
lies (Charikar, *Similarity Estimation Techniques from Rounding Algorithms*, STOC 2002). Two directions
at an angle θ differ in a bit with the probability θ/π: the share of bits that differ tells the angle.

What an edit adds to its memory's weight, and the gradient of its loss by it, both have the form GᵀA
with a few rows: they are kept and compared as such.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor


class Hyperplanes:
    """Codes of directions.

    Args:
        d_in: numbers of a direction.
        bits: of a code.
        seed: of the planes.
    """

    def __init__(self, d_in: int, bits: int, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        self._normals = torch.randn(bits, d_in, generator=generator)

    def __call__(self, direction: Float[Tensor, " d_in"]) -> Bool[Tensor, " bits"]:
        """On which side of each plane it lies."""
        return self._normals @ direction.float().cpu() > 0


class Page(NamedTuple):
    """One edit in the codebook.

    Attributes:
        cluster, memory: where it is.
        shared: whether others may join it there.
        code: of its direction.
        keys: its Ã.
        coefficients: its C.
        gradients: of the unedited model's loss, by what leaves the site at the keys.
    """

    cluster: int
    memory: int
    shared: bool
    code: Bool[Tensor, " bits"]
    keys: Float[Tensor, "keys d_in"]
    coefficients: Float[Tensor, "keys d_out"]
    gradients: Float[Tensor, "keys d_out"]

    def tensors(self) -> dict[str, Tensor]:
        """Everything, to be stored."""
        place = torch.tensor([self.cluster, self.memory, int(self.shared)])
        return {"place": place, **dict(list(self._asdict().items())[3:])}

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor]) -> Page:
        """Inverse of :meth:`tensors`; others are left alone."""
        cluster, memory, shared = tensors["place"].tolist()
        rest = (tensors[name] for name in cls._fields[3:])
        return cls(cluster, memory, bool(shared), *rest)


def first_codes(pages: Sequence[Page]) -> dict[int, Bool[Tensor, " bits"]]:
    """Of each cluster the code of its first member, oldest first."""
    codes: dict[int, Tensor] = {}
    for page in pages:
        codes.setdefault(page.cluster, page.code)
    return codes


def nearest_cluster(
    code: Bool[Tensor, " bits"], clusters: Mapping[int, Bool[Tensor, " bits"]], apart: float
) -> int | None:
    """The cluster whose code is nearest; of equals the oldest.

    Args:
        code: of what arrives.
        clusters: codes of the clusters' first members, oldest first.
        apart: share of bits that may differ, 0..1.

    Returns:
        None if all are further apart.
    """
    if not clusters:
        return None
    names = list(clusters)
    differing = (torch.stack([clusters[name] for name in names]) ^ code).float().mean(1)
    best = int(differing.argmin())
    return names[best] if float(differing[best]) <= apart else None


def agreement(
    keys: Float[Tensor, "a d_in"],
    gradient: Float[Tensor, "a d_out"],
    other_keys: Float[Tensor, "b d_in"],
    other_gradient: Float[Tensor, "b d_out"],
) -> float:
    """Cosine of two gradients of one weight, each given as GᵀA; 0 if one vanishes.

    ⟨GᵀA, HᵀB⟩ = Σ (G Hᵀ) ⊙ (A Bᵀ), so neither is ever multiplied out.
    """

    def product(a: Tensor, g: Tensor, b: Tensor, h: Tensor) -> float:
        return float(((g.double() @ h.double().T) * (a.double() @ b.double().T)).sum())

    inner = product(keys, gradient, other_keys, other_gradient)
    sizes = product(keys, gradient, keys, gradient) * product(
        other_keys, other_gradient, other_keys, other_gradient
    )
    return inner / sizes**0.5 if sizes > 0 else 0.0


def joined(
    pages: Sequence[Page],
) -> tuple[Float[Tensor, "keys d_in"], Float[Tensor, "keys d_out"]]:
    """Keys and coefficients of all of them: together, they are a memory."""
    return torch.cat([page.keys for page in pages]), torch.cat(
        [page.coefficients for page in pages]
    )


def agrees(edit: Page, shared: Sequence[Page], conflict: float) -> bool:
    """Whether an edit's gradient goes the way of those that a memory holds, all together."""
    keys = torch.cat([page.keys for page in shared]).to(edit.keys)
    gradients = torch.cat([page.gradients for page in shared]).to(edit.keys)
    return agreement(edit.keys, edit.gradients, keys, gradients) >= conflict
