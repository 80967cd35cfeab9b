"""SparCL: sparse at every step, few gradients applied, and what is replayed is kept."""

from __future__ import annotations

import pytest
import torch

from memoir.calibration import Background
from memoir.core.sparse import unpack
from memoir.host import Host
from memoir.methods.sparcl import Masks, Rehearsal, SparCL, SparCLConfig
from residuals import EDITS, bound, learnt, loss

SETTINGS = {"max_steps": 40, "stop_loss": 0.3, "lr": 0.5}


def density(weight: torch.Tensor) -> float:
    return float((weight != 0).float().mean())


@pytest.mark.parametrize("sparsity", [0.75, 0.95])
def test_the_sparsity_holds_at_every_step_and_few_gradients_are_applied(
    host: Host, few_background: Background, monkeypatch: pytest.MonkeyPatch, sparsity: float
) -> None:
    steps = []
    inner = Masks.update

    def watched(self: Masks, weight: torch.Tensor, gradient: torch.Tensor) -> torch.Tensor:
        after = inner(self, weight, gradient)
        steps.append((weight * self.active, after, self.active))
        return after

    monkeypatch.setattr(Masks, "update", watched)
    method = bound(SparCL, host, **SETTINGS, sparsity=sparsity)
    learnt(method, EDITS[:3])
    assert len(steps) > 10
    used = set()
    for before, after, active in steps:
        assert int(active.sum()) == round((1 - sparsity) * active.numel())
        assert density(after) <= 1 - sparsity + 1e-3
        assert not after[~active].any()
        assert density(after - before) <= 0.2 + 1e-3
        used.add(active.sum(1).tolist().__repr__())
    assert len(used) > 2  # the weights in use were exchanged
    assert density(method._memory.values) <= 1 - sparsity + 1e-3


def test_the_sparsity_holds_when_an_edit_is_taken_back(
    host: Host, few_background: Background
) -> None:
    method = bound(SparCL, host, **SETTINGS)
    changes = learnt(method, EDITS[:3])
    method.remove("0")
    assert density(method._memory.values) <= 0.25
    last = unpack(changes[2].tensors["active"], method._memory.values.shape)
    assert not method._memory.values[~last].any()
    (after,) = method.fit(EDITS[3:])
    method.apply("3", EDITS[3], after.tensors)
    assert density(method._memory.values) <= 0.25
    # What left the weights in use is gone also where the edit taken back had held it in check.
    assert not (method._memory.total * ~method._memory.active).any()


def test_an_adjustment_is_due_every_few_steps_but_for_the_last() -> None:
    masks = Masks(torch.ones(4, 4, dtype=torch.bool), 1.0, SparCLConfig(max_steps=20), 0)
    due = []
    for _ in range(20):
        due.append(masks.due)
        masks.update(torch.zeros(4, 4), torch.zeros(4, 4))
    assert [step for step, each in enumerate(due) if each] == [0, 5, 10, 15]


def test_what_is_replayed_is_kept_better(host: Host, few_background: Background) -> None:
    found = {}
    for name, settings in {"with": {}, "without": {"alpha": 0.0, "beta": 0.0}}.items():
        method = bound(SparCL, host, **SETTINGS, **settings)
        learnt(method, EDITS)
        found[name] = sum(loss(method, edit) for edit in EDITS[:-1])
        method.close()
    assert found["with"] < 0.7 * found["without"]


@pytest.mark.parametrize("term", ["alpha", "beta"])
def test_either_term_alone_holds_back_as_well(
    host: Host, few_background: Background, term: str
) -> None:
    found = {}
    for weight in (0.0, 1.0):
        method = bound(SparCL, host, **{**SETTINGS, "alpha": 0.0, "beta": 0.0, term: weight})
        learnt(method, EDITS)
        found[weight] = sum(loss(method, edit) for edit in EDITS[:-1])
        method.close()
    assert found[1.0] < 0.9 * found[0.0]


def test_what_is_replayed_follows_from_the_edits_in_force(
    host: Host, few_background: Background
) -> None:
    one, two = (bound(SparCL, host, **SETTINGS, replayed=2) for _ in range(2))
    changes = learnt(one, EDITS[:3])
    for number, change in enumerate(changes):
        two.apply(str(number), change.edit, change.tensors)
    drawn = [[each.edit for each in method._drawn(method._memory.past)] for method in (one, two)]
    assert drawn[0] == drawn[1]
    assert len(drawn[0]) == 2
    ours, theirs = one.fit(EDITS[3:])[0], two.fit(EDITS[3:])[0]
    assert torch.equal(ours.tensors["difference"], theirs.tensors["difference"])


def test_edits_learnt_well_rest(host: Host, few_background: Background) -> None:
    method = bound(SparCL, host, **SETTINGS)
    learnt(method, EDITS[:2])
    values = method._memory.values
    strict = Rehearsal(host, method._memory.past, SparCLConfig(stop_loss=0.0))
    strict.wake(values)
    assert float(strict.loss(values)) > 0
    easy = Rehearsal(host, method._memory.past, SparCLConfig(stop_loss=1e6))
    assert float(easy.loss(values)) > 0
    easy.wake(values)  # whatever is said rests
    said = [change for change in method.fit(EDITS[:2]) if change.said]
    assert said
    assert float(easy.loss(values)) < float(strict.loss(values))
    easy.wake(torch.zeros_like(values))
    assert float(easy.loss(torch.zeros_like(values))) > 0  # forgotten, so it is replayed again
