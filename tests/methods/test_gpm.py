"""GPM: changes are orthogonal to what earlier edits put into the site, and room ends."""

from __future__ import annotations

import pytest
import torch

from memoir.calibration import Background
from memoir.errors import MemoryFull
from memoir.host import Host
from memoir.host.recital import Recital
from memoir.methods.gpm import HIGHEST, Gpm
from residuals import EDITS, bound, learnt, logits, with_weight

SETTINGS = {"max_steps": 30, "stop_loss": 0.5}


def test_every_change_is_orthogonal_to_the_basis_before_it(
    host: Host, few_background: Background
) -> None:
    method = bound(Gpm, host, **SETTINGS, edits=8)
    for edit in EDITS:
        basis = method._memory.basis
        before = method._memory.total
        learnt(method, [edit])
        change = method._memory.total - before
        assert float((change @ basis.T).abs().max() if len(basis) else 0) < 1e-6
        grown = method._memory.basis
        assert len(basis) < len(grown) <= len(basis) + 64 // 8
        torch.testing.assert_close(grown @ grown.T, torch.eye(len(grown)), rtol=0, atol=1e-6)


def test_inputs_in_the_span_keep_their_outputs(host: Host, few_background: Background) -> None:
    """Exactly those that the basis holds; so with a high threshold all but a little of an edit's."""
    method = bound(Gpm, host, **SETTINGS, most=None)
    learnt(method, EDITS[:1])
    keys, basis = Recital(host, EDITS[:1]).keys[0], method._memory.basis
    before = method._memory.total
    learnt(method, EDITS[1:3])
    moved = method._memory.total - before
    held = keys @ basis.T @ basis
    assert float(held.square().sum()) > 0.97 * float(keys.square().sum())
    assert float(moved.abs().max()) > 1e-2
    assert float((held @ moved.T).abs().max()) < 1e-5


def test_without_a_basis_the_next_edit_moves_them(host: Host, few_background: Background) -> None:
    """So the test before this one tests something."""
    method = bound(Gpm, host, **SETTINGS, threshold_first=0.0, threshold_rise=0.0)
    learnt(method, EDITS[:1])
    keys = Recital(host, EDITS[:1]).keys[0]
    own = keys @ method._memory.total.T
    learnt(method, EDITS[1:3])
    assert len(method._memory.basis) == 0
    assert float((keys @ method._memory.total.T - own).abs().max()) > 1e-2


def test_prompts_that_fire_are_answered_by_the_sum_of_all_edits(
    host: Host, few_background: Background
) -> None:
    method = bound(Gpm, host, **SETTINGS)
    changes = learnt(method, EDITS[:3])
    total = sum(change.tensors["left"] @ change.tensors["right"] for change in changes)
    for edit in EDITS[:3]:
        expected = with_weight(method, edit.prompt, total)
        torch.testing.assert_close(logits(host, edit.prompt), expected, rtol=1e-3, atol=1e-3)


def test_one_step_is_the_projected_gradient(host: Host, few_background: Background) -> None:
    """Of the loss, taken here by autograd on the whole matrix."""
    method = bound(Gpm, host, max_steps=1, stop_loss=0.0, lr=0.1)
    learnt(method, EDITS[:1])
    recital, basis = Recital(host, EDITS[1:2]), method._memory.basis
    weight = method._memory.total.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(recital.recite(recital.keys @ weight.T).loss.sum(), weight)
    projected = (gradient - gradient @ basis.T @ basis) * recital.gain
    step = 0.1 * recital.gain * projected / max(1.0, float(projected.norm()))
    (change,) = method.fit(EDITS[1:2])
    found = change.tensors["left"] @ change.tensors["right"]
    torch.testing.assert_close(found, -step, rtol=1e-3, atol=1e-6)


def test_the_threshold_rises_with_the_tasks_and_stays_below_one(
    host: Host, few_background: Background
) -> None:
    paper = bound(Gpm, host, edits=10, most=None)
    assert [paper._threshold(task) for task in (0, 1, 5)] == pytest.approx([0.97, 0.973, 0.985])
    assert paper._threshold(50) == HIGHEST < 1
    assert paper._most() == 64
    assert bound(Gpm, host, edits=16)._most() == 4
    assert bound(Gpm, host, edits=500)._most() == 1


def test_a_full_basis_refuses_and_leaves_everything_as_it_was(
    host: Host, few_background: Background
) -> None:
    method = bound(Gpm, host, threshold_first=1.0, most=None, least_free=0.9, max_steps=5)
    learnt(method, EDITS[:1])
    before = logits(host, EDITS[0].prompt)
    (refused,) = method.fit(EDITS[1:2])
    assert isinstance(refused, MemoryFull)
    text = str(refused)
    assert text.startswith("there is no room for 'Who keeps the bees?' → 'Ada': only ")
    size = len(method._memory.basis)
    assert f"% of what it puts into the site lies outside the {size} of 64 directions" in text
    assert "least_free asks for 90.00%; nothing was written. Take edits back, or make" in text
    assert torch.equal(logits(host, EDITS[0].prompt), before)
