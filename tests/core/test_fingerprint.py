"""TopHash keeps its promises: k ones, the largest deviations, permuted, padding ignored."""

from __future__ import annotations

import pytest
import torch

from memoir.core.fingerprint import TopHash, prompt_mean, random_permutation


def test_mask_marks_the_permuted_columns_of_the_largest_deviations() -> None:
    background = torch.tensor([1.0, 0.0, 0.0, 0.0])
    permutation = torch.tensor([2, 0, 3, 1])
    mean = torch.tensor([[1.1, -5.0, 0.2, 3.0]])  # deviations .1, 5, .2, 3: columns 1 and 3 win
    mask = TopHash(background, permutation, 2)(mean)
    assert mask.tolist() == [[True, True, False, False]]  # π[1] = 0, π[3] = 1


def test_every_mask_has_exactly_k_ones() -> None:
    mean = torch.randn(5, 64, generator=torch.Generator().manual_seed(0))
    mask = TopHash(torch.zeros(64), random_permutation(64, 0), 18)(mean)
    assert mask.sum(dim=1).tolist() == [18] * 5


def test_permutation_is_a_permutation_fixed_by_its_seed() -> None:
    assert random_permutation(50, 3).sort().values.tolist() == list(range(50))
    assert torch.equal(random_permutation(50, 3), random_permutation(50, 3))
    assert not torch.equal(random_permutation(50, 3), random_permutation(50, 4))


def test_prompt_mean_counts_prompt_tokens_only_and_computes_in_float32() -> None:
    activations = torch.tensor([[[100.0], [1.0], [3.0], [50.0]]], dtype=torch.bfloat16)
    prompt = torch.tensor([[False, True, True, False]])
    mean = prompt_mean(activations, prompt)
    assert mean.dtype == torch.float32
    assert mean.tolist() == [[2.0]]


def test_row_without_prompt_tokens_gets_a_zero_mean() -> None:
    assert prompt_mean(torch.ones(1, 3, 2), torch.zeros(1, 3, dtype=torch.bool)).tolist() == [
        [0, 0]
    ]


@pytest.mark.parametrize("k", [0, 9])
def test_k_out_of_range_is_refused(k: int) -> None:
    with pytest.raises(ValueError, match=r"k must lie in 1\.\.8"):
        TopHash(torch.zeros(8), random_permutation(8, 0), k)
