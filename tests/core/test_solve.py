"""Closed forms against the papers' own, solved densely; and what each of them promises."""

from __future__ import annotations

import torch
from torch import Tensor

from memoir.core.solve import null_projector, projected_rows, rank_one, ridge_rows

D_IN, D_OUT, EDITS = 24, 10, 4


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def moment(tokens: int = 200) -> Tensor:
    keys = drawn(tokens, D_IN, seed=9) @ drawn(D_IN, D_IN, seed=8)
    return keys.T @ keys / tokens


def test_romes_update_gives_the_key_its_value_and_is_the_papers() -> None:
    weight, key, value, c = drawn(D_OUT, D_IN), drawn(D_IN, seed=1), drawn(D_OUT, seed=2), moment()
    missing = value - weight @ key
    update = torch.outer(missing, rank_one(key, c))
    torch.testing.assert_close((weight + update) @ key, value)
    inverse = torch.linalg.inv(c)
    theirs = torch.outer(missing / (inverse @ key @ key), inverse @ key)
    torch.testing.assert_close(update, theirs, rtol=1e-4, atol=1e-5)


def test_memits_update_is_the_papers() -> None:
    keys, residuals, c = drawn(EDITS, D_IN), drawn(D_OUT, EDITS, seed=1), moment()
    for weight in (0.5, 15.0, 15_000.0):
        update = residuals @ ridge_rows(keys, c, weight)
        theirs = residuals @ keys @ torch.linalg.inv(weight * c + keys.T @ keys)
        torch.testing.assert_close(update, theirs, rtol=1e-4, atol=1e-5)


def test_without_a_weight_memit_gives_every_key_its_whole_residual() -> None:
    keys, residuals, c = drawn(EDITS, D_IN), drawn(D_OUT, EDITS, seed=1), moment()
    torch.testing.assert_close(residuals @ ridge_rows(keys, c, 1e-12) @ keys.T, residuals)
    less = residuals @ ridge_rows(keys, c, 100.0) @ keys.T
    assert (less.norm(dim=0) < residuals.norm(dim=0)).all()


def test_a_moment_of_too_few_tokens_can_still_be_solved() -> None:
    key, c = drawn(D_IN), moment(tokens=5)
    row = rank_one(key, c)
    torch.testing.assert_close(row @ key, torch.ones((), dtype=torch.float64))


def test_alphaedits_update_is_the_papers() -> None:
    keys, past, residuals = drawn(EDITS, D_IN), drawn(7, D_IN, seed=3), drawn(D_OUT, EDITS, seed=1)
    c = moment()
    projector = null_projector(c, float(torch.linalg.eigvalsh(c)[D_IN // 2]))
    update = residuals @ projected_rows(keys, past, projector, 10.0)
    both = keys.T @ keys + past.T @ past
    left = projector @ both + 10.0 * torch.eye(D_IN).double()
    theirs = torch.linalg.solve(left, projector @ keys.T @ residuals.T).T
    torch.testing.assert_close(update, theirs)
    assert not torch.allclose(update, residuals @ projected_rows(keys, past[:0], projector, 10.0))


def test_the_projector_is_one_and_keeps_the_directions_below_the_bound() -> None:
    c = moment()
    values = torch.linalg.svdvals(c)
    bound = float(values[5] + values[6]) / 2
    projector = null_projector(c, bound)
    torch.testing.assert_close(projector @ projector, projector)
    assert round(float(projector.trace())) == D_IN - 6
    assert float(torch.linalg.matrix_norm(projector @ c @ projector, 2)) < bound


def test_alphaedit_leaves_the_values_of_preserved_keys() -> None:
    preserved = drawn(12, D_IN, seed=4)  # they leave D_IN - 12 directions free
    projector = null_projector(preserved.T @ preserved / 12, 1e-8)
    keys, residuals = drawn(EDITS, D_IN), drawn(D_OUT, EDITS, seed=1)
    update = residuals @ projected_rows(keys, keys[:0], projector, 1e-3)
    assert float((update @ preserved.T).abs().max()) < 1e-6
    torch.testing.assert_close(update @ keys.T, residuals, rtol=0.01, atol=0.01)
