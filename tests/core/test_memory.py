"""Shared memory undoes exactly; isolated and shared memory agree on what an edit adds."""

from __future__ import annotations

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from memoir.core.memory import WEAKEST, Delta, IsolatedMemory, SharedMemory

D_IN, D_OUT, K = 48, 20, 12


def fitted(seed: int, tokens: int = 5) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Mask, keys and coefficients of an edit."""
    random = torch.Generator().manual_seed(seed)
    mask = torch.zeros(D_IN, dtype=torch.bool)
    mask[torch.rand(D_IN, generator=random).argsort()[:K]] = True
    keys = torch.randn(tokens, D_IN, generator=random) * 10 ** float(
        torch.rand(1, generator=random)
    )
    return mask, keys * mask, torch.randn(tokens, D_OUT, generator=random) * 1e-2


def delta(seed: int, tokens: int = 5, decay: float = 1.0) -> Delta:
    return Delta.of(*fitted(seed, tokens), decay)


def tensors(seed: int, tokens: int = 5, decay: float = 1.0) -> dict[str, torch.Tensor]:
    return delta(seed, tokens, decay).tensors()


@given(st.lists(st.integers(0, 10_000), min_size=2, max_size=8, unique=True), st.data())
@settings(max_examples=60, deadline=None)
def test_removal_leaves_not_one_bit_of_an_edit(seeds: list[int], data: st.DataObject) -> None:
    removed = data.draw(st.sets(st.sampled_from(seeds), min_size=1))
    order = data.draw(st.permutations(sorted(removed)))
    full, never = SharedMemory(D_IN, D_OUT), SharedMemory(D_IN, D_OUT)
    for seed in seeds:
        full.add(str(seed), tensors(seed))
    for seed in seeds:
        if seed not in removed:
            never.add(str(seed), tensors(seed))
    for seed in order:
        full.remove(str(seed))
    assert torch.equal(full.weight, never.weight)


def test_removal_with_weight_decay_gives_the_fold_of_the_remaining_edits() -> None:
    full, never = SharedMemory(D_IN, D_OUT), SharedMemory(D_IN, D_OUT)
    for seed in range(4):
        full.add(str(seed), tensors(seed, decay=0.9))
        if seed != 1:
            never.add(str(seed), tensors(seed, decay=0.9))
    full.remove("1")
    assert torch.equal(full.weight, never.weight)


def test_decay_shrinks_what_was_stored_before_and_not_the_new_edit() -> None:
    memory = SharedMemory(D_IN, D_OUT)
    memory.add("first", tensors(0))
    before = memory.weight.clone()
    memory.add("second", tensors(1, decay=0.5))
    alone = SharedMemory(D_IN, D_OUT)
    alone.add("second", tensors(1))
    assert torch.allclose(memory.weight, 0.5 * before + alone.weight, atol=1e-7)


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=5, unique=True))
@settings(max_examples=30, deadline=None)
def test_shared_memory_is_the_sum_of_isolated_edits(seeds: list[int]) -> None:
    """Σ_i C_iᵀ Ã_i applied to any input, whichever way the edits are kept."""
    shared, isolated = SharedMemory(D_IN, D_OUT), IsolatedMemory(D_IN, D_OUT)
    for seed in seeds:
        shared.add(str(seed), tensors(seed))
        isolated.add(str(seed), tensors(seed))
    activations = torch.randn(1, 7, D_IN, generator=torch.Generator().manual_seed(1))
    summed = sum(isolated.recall([str(seed)])(activations) for seed in seeds)
    assert isinstance(summed, torch.Tensor)
    whole = activations @ shared.weight.T
    assert torch.allclose(summed, whole, atol=1e-4 * float(whole.abs().max()))


def test_recall_uses_each_rows_own_edit_and_its_stored_mask() -> None:
    for memory in (SharedMemory(D_IN, D_OUT), IsolatedMemory(D_IN, D_OUT)):
        memory.add("a", tensors(0, tokens=3))
        memory.add("b", tensors(1, tokens=6))
        activations = torch.randn(3, 4, D_IN, generator=torch.Generator().manual_seed(2))
        together = memory.recall(["b", "a", "b"])(activations)
        for row, id in enumerate("bab"):
            alone = memory.recall([id])(activations[row : row + 1])
            assert torch.allclose(together[row : row + 1], alone, atol=1e-5)


def test_delta_survives_its_tensors_bit_for_bit() -> None:
    before = delta(7, decay=0.75)
    after = Delta.from_tensors(before.tensors())
    assert torch.equal(before.ledger_entry(), after.ledger_entry())
    assert (before.keys_exponent, before.coefficients_exponent) == (
        after.keys_exponent,
        after.coefficients_exponent,
    )
    assert after.decay == 0.75
    assert torch.equal(before.mask(D_IN), after.mask(D_IN))


def test_quantisation_error_is_below_a_ten_thousandth_of_the_peak() -> None:
    random = torch.Generator().manual_seed(3)
    keys, coefficients = (
        torch.randn(9, D_IN, generator=random),
        torch.randn(9, D_OUT, generator=random),
    )
    kept = Delta.of(torch.ones(D_IN, dtype=torch.bool), keys, coefficients)
    assert (kept.dense_keys(D_IN) - keys).abs().max() < 1e-4 * keys.abs().max()
    assert (kept.dense_coefficients() - coefficients).abs().max() < 1e-4 * coefficients.abs().max()


def test_tokens_that_contribute_nothing_are_not_stored() -> None:
    coefficients = torch.ones(4, D_OUT)
    coefficients[1] = 0
    kept = Delta.of(torch.ones(D_IN, dtype=torch.bool), torch.ones(4, D_IN), coefficients)
    assert len(kept.keys) == 3


@given(
    st.lists(st.integers(0, 10_000), min_size=1, max_size=6, unique=True),
    st.one_of(st.just(D_IN), st.integers(1, D_IN)),
)
@settings(max_examples=40, deadline=None)
def test_under_one_mask_both_memories_answer_alike(seeds: list[int], k: int) -> None:
    """Whoever is recalled: where edits share their mask, the shared memory gives the sum of all."""
    shared, isolated = SharedMemory(D_IN, D_OUT), IsolatedMemory(D_IN, D_OUT)
    mask = torch.arange(D_IN) < k
    for seed in seeds:
        random = torch.Generator().manual_seed(seed)
        keys, coefficients = (torch.randn(4, size, generator=random) for size in (D_IN, D_OUT))
        for memory in (shared, isolated):
            memory.add(str(seed), Delta.of(mask, keys * mask, coefficients).tensors())
    activations = torch.randn(len(seeds), 3, D_IN, generator=torch.Generator().manual_seed(1))
    ids = [str(seed) for seed in seeds]
    answer = shared.recall(ids)(activations)
    summed = torch.stack([isolated.recall([id] * len(ids))(activations) for id in ids]).sum(0)
    assert torch.allclose(answer, summed, atol=1e-4 * float(summed.abs().max()))


def two_places() -> IsolatedMemory:
    """One edit with a key per unit vector; the first answers before the target, the others in it."""
    memory = IsolatedMemory(3, 2)
    keys, coefficients = torch.eye(3) * 2, torch.tensor([[1.0, 0], [0, 1], [0, 1]])
    delta = Delta.of(
        torch.ones(3, dtype=torch.bool), keys, coefficients, 1.0, torch.tensor([0, 1, 1])
    )
    memory.add("a", delta.tensors())
    return memory


def test_a_key_answers_at_its_own_place_only() -> None:
    recall, stirred = two_places().recall(["a"]), torch.full((1, 2, 3), 2.0)
    added = recall(stirred, torch.tensor([[0, 1]]))
    assert torch.allclose(added, torch.tensor([[[4.0, 0], [0, 8]]]), atol=1e-3)
    assert torch.allclose(recall(stirred), torch.tensor([[[4.0, 8]] * 2]), atol=1e-3)


def test_a_weak_response_is_made_up_for_and_a_strong_one_left_alone() -> None:
    recall = two_places().recall(["a"])
    shares = torch.tensor([2.0, 1.0, 0.5, 0.1])
    activations = torch.tensor([2.0, 0, 0]) * shares[:, None]
    added = recall(activations.unsqueeze(0), torch.zeros(1, 4, dtype=torch.long))[0, :, 0]
    assert torch.allclose(added, torch.tensor([8.0, 4.0, 4.0, 4 * 0.1 / WEAKEST]), rtol=1e-3)
