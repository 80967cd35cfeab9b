"""Are two vectors of one class? Probabilistic linear discriminant analysis, in closed form.

After Ioffe (ECCV 2006), *Probabilistic Linear Discriminant Analysis*: a vector is its class's centre
plus noise, both Gaussian. A projection makes the noise white and keeps the directions in which classes
differ most; there, with variances ``b`` between and ``w`` within classes, the log-likelihood ratio of
"same class" against "two classes" is, per direction and up to a constant,

    q (x² + y²) + p x y        t = b + w,  p = b / (t² − b²),  q = ½ (1/t − t / (t² − b²))

Vectors are scaled to one length first: for residuals of a language model, direction carries the
meaning and length does not. The classes to be told apart need not be among those it was fitted on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class Plda:
    """A fitted model.

    Attributes:
        centre, spread: mean and standard deviation of the vectors it was fitted on.
        directions: projection to the directions in which classes differ.
        length: to which projected vectors are scaled.
        cross, own: p and q of each direction.
    """

    centre: Float[Tensor, " features"]
    spread: Float[Tensor, " features"]
    directions: Float[Tensor, "features dims"]
    length: Float[Tensor, ""]
    cross: Float[Tensor, " dims"]
    own: Float[Tensor, " dims"]

    def tensors(self) -> dict[str, Tensor]:
        """Everything needed to rebuild it."""
        return dict(asdict(self))

    @classmethod
    def from_tensors(cls, tensors: Mapping[str, Tensor]) -> Plda:
        """Inverse of :meth:`tensors`."""
        return cls(**{name: tensors[name] for name in cls.__dataclass_fields__})

    def project(self, vectors: Float[Tensor, "n features"]) -> Float[Tensor, "n dims"]:
        """What is kept of vectors to compare them later."""
        scaled = (vectors.float() - self.centre) / self.spread
        return F.normalize(scaled @ self.directions, dim=-1) * self.length

    @property
    def highest(self) -> float:
        """A score that no projected vectors exceed: x y ≤ (x² + y²) / 2, and their length is known."""
        most = (self.own + self.cross / 2).max() * 2 * self.length**2
        return float(most) * (2.5 / self.cross.numel())

    def score(self, a: Float[Tensor, "n dims"], b: Float[Tensor, "n dims"]) -> Float[Tensor, " n"]:
        """Log-likelihood ratios of "same class" for aligned projected vectors, per direction: about
        −2 to 1 whatever the number of directions."""
        a, b = a.float(), b.float()
        terms = (a * a + b * b) * self.own + a * b * self.cross
        return terms.sum(-1) * (2.5 / self.cross.numel())


def fit_plda(
    vectors: Float[Tensor, "n features"],
    classes: Int[Tensor, " n"],
    dims: int,
    ridge: float = 0.5,
    alike: Float[Tensor, "pairs 2 features"] | None = None,
    alike_weight: float = 4.0,
) -> Plda:
    """Fit by moments.

    Args:
        vectors: at least two of most classes.
        classes: 0..c-1, every class present.
        dims: directions to keep; cut to what features and classes allow.
        ridge: share of the mean noise variance added to every direction, for stability.
        alike: pairs of further vectors, each of one class that nothing else is known of; they tell
            how much vectors of one class differ.
        alike_weight: what one such pair counts, in vectors.
    """
    vectors = vectors.float()
    centre, spread = vectors.mean(0), vectors.std(0) + 1e-6
    x = ((vectors - centre) / spread).double()
    count = torch.bincount(classes).clamp_min(1).double()
    means = torch.zeros(len(count), x.shape[1], dtype=x.dtype).index_add_(0, classes, x)
    means /= count[:, None]
    noise = x - means[classes]
    freedom = max(1.0, len(x) - len(count))
    own = noise.T @ noise / freedom
    if alike is not None and len(alike):
        apart = (alike[:, 0].float() - alike[:, 1].float()) / spread
        noise = torch.cat([noise, (alike_weight / 2) ** 0.5 * apart.double()])
        freedom += alike_weight * len(alike)
    within = noise.T @ noise / freedom
    within_ridge = within + ridge * within.trace() / len(within) * torch.eye(len(within)).double()
    between = means.T @ means / len(count) - own * (1 / count).mean()

    values, vectors_ = torch.linalg.eigh(within_ridge)
    whiten = vectors_ @ torch.diag(values.rsqrt()) @ vectors_.T
    strength, axes = torch.linalg.eigh(whiten @ between @ whiten)
    kept = min(dims, len(count) - 1, x.shape[1])
    directions = whiten @ axes[:, -kept:]
    b = strength[-kept:].clamp_min(1e-3)
    w = (noise @ directions).square().sum(0) / freedom
    t = b + w
    spare = t * t - b * b
    parts = (centre, spread, directions, t.sum().sqrt(), b / spare, 0.5 * (1 / t - t / spare))
    return Plda(*(part.float() for part in parts))
