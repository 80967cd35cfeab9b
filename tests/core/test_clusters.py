"""What is alike shares a cluster, what pulls the same way shares a memory."""

from __future__ import annotations

import math

import pytest
import torch

from memoir.core.clusters import (
    Hyperplanes,
    Page,
    agreement,
    agrees,
    first_codes,
    joined,
    nearest_cluster,
)

D_IN, D_OUT, BITS = 64, 8, 64


def turned(direction: torch.Tensor, other: torch.Tensor, degrees: float) -> torch.Tensor:
    """A direction at an angle to another, in the plane with a third."""
    across = other - (other @ direction) * direction / direction.square().sum()
    angle = math.radians(degrees)
    return math.cos(angle) * direction / direction.norm() + math.sin(angle) * across / across.norm()


def page(cluster: int = 0, gradients: torch.Tensor | None = None, seed: int = 0) -> Page:
    generator = torch.Generator().manual_seed(seed)
    keys = torch.randn(3, D_IN, generator=generator)
    given = torch.randn(3, D_OUT, generator=generator) if gradients is None else gradients
    code = torch.rand(BITS, generator=generator) > 0.5
    return Page(cluster, 0, True, code, keys, torch.ones(3, D_OUT), given)


def test_near_duplicates_share_a_cluster_and_far_ones_do_not() -> None:
    generator = torch.Generator().manual_seed(1)
    first, other, third = torch.randn(3, D_IN, generator=generator)
    planes = Hyperplanes(D_IN, BITS, seed=0)
    clusters = {0: planes(first), 1: planes(other)}
    for degrees in (0, 5, 20):
        assert nearest_cluster(planes(turned(first, third, degrees)), clusters, 0.25) == 0
        assert nearest_cluster(planes(turned(other, third, degrees)), clusters, 0.25) == 1
    for degrees in (80, 120, 180):
        assert (
            nearest_cluster(planes(turned(first, third, degrees)), {0: clusters[0]}, 0.25) is None
        )
    assert nearest_cluster(planes(first), {}, 0.25) is None


def test_the_share_of_bits_that_differ_is_the_angle() -> None:
    generator = torch.Generator().manual_seed(2)
    first, third = torch.randn(2, D_IN, generator=generator)
    planes = Hyperplanes(D_IN, 20_000, seed=0)
    for degrees in (10, 45, 90, 170):
        differing = planes(first) ^ planes(turned(first, third, degrees))
        assert float(differing.float().mean()) == pytest.approx(degrees / 180, abs=0.01)


def test_codes_depend_on_the_seed_alone() -> None:
    torch.manual_seed(3)
    first = Hyperplanes(D_IN, BITS, seed=5)
    torch.manual_seed(4)
    again, other = Hyperplanes(D_IN, BITS, seed=5), Hyperplanes(D_IN, BITS, seed=6)
    direction = torch.randn(D_IN, generator=torch.Generator().manual_seed(0))
    assert torch.equal(first(direction), again(direction))
    assert not torch.equal(first(direction), other(direction))


def test_agreement_is_the_cosine_of_the_whole_gradients() -> None:
    a, b = page(seed=1), page(seed=2)
    whole = [(each.gradients.T @ each.keys).flatten() for each in (a, b)]
    expected = torch.nn.functional.cosine_similarity(whole[0], whole[1], dim=0)
    found = agreement(a.keys, a.gradients, b.keys, b.gradients)
    assert found == pytest.approx(float(expected), rel=1e-4)
    assert agreement(a.keys, 0 * a.gradients, b.keys, b.gradients) == 0.0


def test_conflicting_gradients_go_apart_and_agreeing_ones_together() -> None:
    given = torch.randn(3, D_OUT, generator=torch.Generator().manual_seed(0))
    first, same, against = page(gradients=given), page(gradients=2 * given), page(gradients=-given)
    assert agrees(same, [first], 0.0)
    assert not agrees(against, [first], 0.0)
    assert agrees(first, [against, page(gradients=3 * given)], 0.0)  # their sum decides
    assert not agrees(same, [first], 1.01)


def test_a_cluster_has_the_code_of_its_oldest_member() -> None:
    pages = [page(0, seed=1), page(1, seed=2), page(0, seed=3)]
    codes = first_codes(pages)
    assert list(codes) == [0, 1]
    assert torch.equal(codes[0], pages[0].code)
    assert torch.equal(first_codes(pages[1:])[0], pages[2].code)


def test_pages_survive_being_stored_and_join_to_a_memory() -> None:
    first, second = page(seed=1), page(seed=2)
    again = Page.from_tensors({**first.tensors(), "directions": torch.zeros(1)})
    assert again[:3] == first[:3]
    assert all(torch.equal(one, two) for one, two in zip(again[3:], first[3:], strict=True))
    keys, coefficients = joined([first, second])
    whole = sum(each.coefficients.T @ each.keys for each in (first, second))
    torch.testing.assert_close(coefficients.T @ keys, whole)
