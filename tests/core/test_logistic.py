"""Logistic regression: where its gradient vanishes, both classes alike, finite when separable."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from memoir.core.logistic import fit_logistic


def problem(seed: int, n: int = 80, positive: int = 20) -> tuple[torch.Tensor, torch.Tensor]:
    """Two overlapping clouds, with a constant 1 among the features."""
    random = torch.Generator().manual_seed(seed)
    labels = torch.arange(n) < positive
    x = torch.randn(n, 3, generator=random) + labels[:, None] * torch.tensor([1.0, -0.5, 0.0])
    return torch.cat([torch.ones(n, 1), x], dim=1), labels


def penalised(
    weights: torch.Tensor, x: torch.Tensor, labels: torch.Tensor, ridge: float
) -> torch.Tensor:
    """What is minimised, computed by torch: mean loss of each class, times n/2, and the ridge."""
    losses = torch.nn.functional.binary_cross_entropy_with_logits(
        x @ weights, labels.to(weights.dtype), reduction="none"
    )
    mean = losses[labels].mean() + losses[~labels].mean()
    return len(labels) / 2 * mean + ridge / 2 * weights.square().sum()


@given(st.integers(0, 1000), st.integers(1, 79), st.sampled_from([1e-2, 1.0]))
@settings(max_examples=30, deadline=None)
def test_the_gradient_vanishes_at_the_weights(seed: int, positive: int, ridge: float) -> None:
    x, labels = problem(seed, positive=positive)
    weights = fit_logistic(x, labels, ridge).double().requires_grad_(True)
    penalised(weights, x.double(), labels, ridge).backward()
    assert weights.grad is not None
    assert weights.grad.abs().max() < 1e-3


def test_a_class_counts_the_same_however_often_it_occurs() -> None:
    x, labels = problem(1)
    more = torch.cat([x, x[~labels], x[~labels]])
    more_labels = torch.cat([labels, torch.zeros(2 * int((~labels).sum()), dtype=torch.bool)])
    assert torch.allclose(fit_logistic(x, labels), fit_logistic(more, more_labels), atol=1e-3)


def test_separable_data_give_finite_weights_that_separate_them() -> None:
    x = torch.tensor([[1.0, -2.0], [1.0, -1.0], [1.0, 1.0], [1.0, 2.0]])
    labels = torch.tensor([False, False, True, True])
    weights = fit_logistic(x, labels)
    assert torch.isfinite(weights).all()
    assert ((x @ weights > 0) == labels).all()
    assert fit_logistic(x, labels, ridge=1.0).abs().max() < weights.abs().max()
