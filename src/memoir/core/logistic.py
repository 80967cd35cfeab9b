"""Logistic regression by Newton's method: ``p = σ(w · φ)``."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

STEPS = 50


def fit_logistic(
    features: Float[Tensor, "n f"], positive: Bool[Tensor, " n"], ridge: float = 1e-2
) -> Float[Tensor, " f"]:
    """Weights, both classes counting equally whatever their numbers.

    Args:
        features: φ; put a constant 1 among them for an intercept.
        positive: the labels; both must occur.
        ridge: penalty on the squared weights, so that they stay finite for separable data.
    """
    x, y = features.double(), positive.double()
    share = torch.where(positive, 0.5 / y.sum(), 0.5 / (1 - y).sum()) * len(y)
    weights = torch.zeros(x.shape[1], dtype=x.dtype)
    eye = torch.eye(x.shape[1], dtype=x.dtype)
    for _ in range(STEPS):
        p = torch.sigmoid(x @ weights)
        gradient = x.T @ (share * (p - y)) + ridge * weights
        curvature = (x * (share * p * (1 - p))[:, None]).T @ x + ridge * eye
        weights = weights - torch.linalg.solve(curvature, gradient)
    return weights.float()
