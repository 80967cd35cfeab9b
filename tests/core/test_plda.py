"""PLDA tells classes apart that it never met, by the likelihood ratio it says it computes."""

from __future__ import annotations

import pytest
import torch
from torch.distributions import MultivariateNormal, Normal

from memoir.core.plda import Plda, fit_plda

FEATURES, MEANINGFUL = 40, 6


def mixture(classes: int, each: int, seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Classes that differ in a few directions, under noise that is much stronger in the others."""
    random = torch.Generator().manual_seed(seed)
    same = torch.Generator().manual_seed(9)
    turn = torch.linalg.qr(torch.randn(FEATURES, FEATURES, generator=same))[0]
    labels = torch.arange(classes).repeat_interleave(each)
    centres = torch.zeros(classes, FEATURES)
    centres[:, :MEANINGFUL] = 3 * torch.randn(classes, MEANINGFUL, generator=random)
    noise = torch.randn(len(labels), FEATURES, generator=random)
    noise[:, MEANINGFUL:] *= 6
    return (centres[labels] + noise) @ turn + 5.0, labels


def told_apart(scores: torch.Tensor, labels: torch.Tensor) -> float:
    """Share of (same, other) pairs in which the one of the same class scores higher."""
    i, j = torch.triu_indices(len(labels), len(labels), 1)
    same = labels[i] == labels[j]
    return float((scores[i, j][same, None] > scores[i, j][None, ~same]).float().mean())


def test_classes_never_met_in_fitting_are_told_apart() -> None:
    plda = fit_plda(*mixture(60, 8, seed=1), dims=MEANINGFUL)
    vectors, labels = mixture(30, 4, seed=2)
    kept = plda.project(vectors)
    plain = torch.nn.functional.normalize(vectors - vectors.mean(0), dim=-1)
    assert told_apart(plda.score(kept[:, None], kept[None]), labels) > 0.9
    assert told_apart(plain @ plain.T, labels) < 0.7


def test_the_score_is_the_log_likelihood_ratio_of_the_two_gaussians() -> None:
    """In one dimension, against torch's densities; up to the constant that the score leaves out."""
    between, within = 2.0, 0.5
    total = between + within
    plda = Plda(
        *(torch.zeros(1), torch.ones(1), torch.ones(1, 1), torch.tensor(1.0)),
        cross=torch.tensor([between / (total**2 - between**2)]),
        own=torch.tensor([0.5 * (1 / total - total / (total**2 - between**2))]),
    )
    x, y = torch.randn(2, 50, generator=torch.Generator().manual_seed(0)) * 2
    same = MultivariateNormal(
        torch.zeros(2), torch.tensor([[total, between], [between, total]])
    ).log_prob(torch.stack([x, y], dim=1))
    alone = Normal(0.0, total**0.5)
    ratio = same - alone.log_prob(x) - alone.log_prob(y)
    scores = plda.score(x[:, None], y[:, None]) / 2.5
    assert torch.allclose(scores - scores[0], ratio - ratio[0], atol=1e-4)


def test_the_variances_of_a_large_sample_are_found() -> None:
    """p and q of a single feature, against those of the variances it was drawn with."""
    random = torch.Generator().manual_seed(3)
    labels = torch.arange(4000).repeat_interleave(5)
    vectors = 2 * torch.randn(4000, 1, generator=random)[labels]
    vectors = vectors + torch.randn(len(labels), 1, generator=random)
    plda = fit_plda(vectors, labels, dims=1, ridge=0.0)
    scale = float(plda.directions[0, 0] / plda.spread[0])
    between, within = (variance * scale**2 for variance in (4.0, 1.0))
    total = between + within
    apart = total**2 - between**2
    assert float(plda.cross) == pytest.approx(between / apart, rel=0.1)
    assert float(plda.own) == pytest.approx(0.5 * (1 / total - total / apart), rel=0.1)


def test_length_does_not_count_and_there_are_fewer_directions_than_classes() -> None:
    vectors, labels = mixture(10, 5, seed=4)
    plda = fit_plda(vectors, labels, dims=128)
    assert plda.cross.numel() == 9
    longer = plda.centre + 3 * (vectors - plda.centre)
    assert torch.allclose(plda.project(longer), plda.project(vectors), atol=1e-4)


def test_it_survives_its_tensors_bit_for_bit() -> None:
    vectors, labels = mixture(10, 5, seed=5)
    plda = fit_plda(vectors, labels, dims=4)
    again = Plda.from_tensors({"another": torch.zeros(1), **plda.tensors()})
    kept = again.project(vectors)
    assert torch.equal(kept, plda.project(vectors))
    assert torch.equal(again.score(kept, kept.flip(0)), plda.score(kept, kept.flip(0)))
    with pytest.raises(KeyError):
        Plda.from_tensors({"centre": plda.centre})


def test_further_pairs_of_one_class_teach_which_differences_do_not_count() -> None:
    vectors, labels = mixture(40, 6, seed=6)
    before = fit_plda(vectors, labels, dims=MEANINGFUL)
    strongest = before.directions[:, -1] * before.spread
    apart = torch.randn(200, 1, generator=torch.Generator().manual_seed(7)) * strongest
    alike = torch.stack([apart, -apart], dim=1) * 20
    after = fit_plda(vectors, labels, dims=MEANINGFUL, alike=alike)
    base = vectors[:1]
    moved = base + 3 * strongest / strongest.norm()

    def difference(plda: Plda) -> float:
        one, other = plda.project(base), plda.project(moved)
        return float(plda.score(one, one) - plda.score(one, other))

    assert difference(after) < difference(before) / 4


def test_no_projected_vectors_score_higher_than_the_highest() -> None:
    plda = fit_plda(*mixture(60, 8, seed=1), dims=MEANINGFUL)
    random = torch.Generator().manual_seed(5)
    some = plda.project(3 * torch.randn(2000, FEATURES, generator=random))
    scores = torch.cat([plda.score(some, some), plda.score(some, some.roll(1, 0))])
    assert float(scores.max()) <= plda.highest * (1 + 1e-5)
    best = torch.zeros(1, MEANINGFUL)
    best[0, (plda.own + plda.cross / 2).argmax()] = plda.length
    assert float(plda.score(best, best)) == pytest.approx(plda.highest, rel=1e-5)
