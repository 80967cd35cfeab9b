"""DEFER: the gate's arithmetic by hand, its hard switch, and its steps beside dense ones."""

from __future__ import annotations

import pytest
import torch

from memoir.host import Host
from memoir.host.last_token import LastTokenLesson
from memoir.methods.base import Change
from memoir.methods.defer import Adapter, Defer, DeferConfig
from memoir.types import Edit

EDIT = Edit("The code of the door is", "xyz")


def change(key: torch.Tensor, value: torch.Tensor, gate: float) -> dict[str, torch.Tensor]:
    return {"key": key, "value": value, "gate": torch.tensor([gate])}


def bound(host: Host, lr_for: int | None = None, **settings: float) -> Defer:
    return Defer(host, Defer.prepare(host, DeferConfig(lr_for=lr_for, **settings)))


def test_changes_add_up_to_one_gate_and_one_value() -> None:
    adapter = Adapter(3, 2)
    adapter.add(change(torch.tensor([2.0, -0.5, 0.0]), torch.tensor([1.0, 3.0]), 0.5))
    assert adapter.value.tolist() == [[1.0, -1.0, 0.0], [3.0, -3.0, 0.0]]
    assert adapter.gate.tolist() == [0.5, -0.5, 0.0]
    adapter.add(change(torch.tensor([1.0, 1.0, -1.0]), torch.tensor([0.0, 1.0]), -1.0))
    assert adapter.value.tolist() == [[1.0, -1.0, 0.0], [4.0, -2.0, -1.0]]
    assert adapter.gate.tolist() == [-0.5, -1.5, 1.0]
    gates, values = adapter(torch.tensor([[2.0, 1.0, 2.5]]))
    torch.testing.assert_close(gates, torch.tensor([0.5]))  # −1 − 1.5 + 2.5 = 0
    assert values.tolist() == [[1.0, 3.5]]


@pytest.mark.parametrize("gate", [0.01, -0.01, 0.0])
def test_the_gate_is_a_hard_switch_in_use(host: Host, gate: float) -> None:
    row = host.encode(EDIT.prompt)
    lesson = LastTokenLesson(host, [EDIT])
    before = host.logits(host.batch([row]))
    method = bound(host)
    value = torch.linspace(-1, 1, host.site.d_out)
    method.apply("a", EDIT, change(lesson.keys[0], value, gate))
    with method.attachment.scope() as scope:
        after = host.logits(host.batch([row]))
    (match,) = method.verdicts(scope.route)
    size = float(lesson.keys[0].abs().sum())
    assert match.score == pytest.approx(float(torch.sigmoid(torch.tensor(gate * size))), abs=1e-5)
    assert match.fired == (gate > 0)
    assert torch.equal(after, before) == (gate <= 0)
    if gate > 0:  # all of V q, not g of it
        put = host.read(host.batch([row]))
        added = torch.zeros(1, put.last, host.site.d_out)
        added[0, -1] = value * size - lesson.outputs[0]
        torch.testing.assert_close(after, host.replay(put, added), rtol=1e-3, atol=1e-3)


def test_its_steps_are_those_of_adam_on_the_whole_gate_and_value(host: Host) -> None:
    steps, lr = 20, 0.003
    method = bound(host, lr=lr, max_steps=steps, stop_loss=0.0)
    (result,) = method.fit([EDIT])
    assert isinstance(result, Change)
    found = Adapter(host.site.d_in, host.site.d_out)
    found.add(result.tensors)

    lesson = LastTokenLesson(host, [EDIT])
    q = lesson.keys[0]
    value = torch.zeros_like(found.value, requires_grad=True)
    gate = torch.zeros_like(found.gate, requires_grad=True)
    adam = torch.optim.Adam([value, gate], lr=lr)
    losses = []
    for _ in range(steps):
        g = torch.sigmoid(gate @ q)
        (loss,), _ = lesson.loss(g * (value @ q) + (1 - g) * lesson.outputs)
        losses.append(loss.item())
        adam.zero_grad()
        loss.backward()
        adam.step()
    torch.testing.assert_close(
        torch.tensor(result.losses[:steps]), torch.tensor(losses), rtol=1e-3, atol=0
    )
    assert losses[-1] < losses[0]
    close = (found.value - value.detach()).abs() < 0.05 * steps * lr
    assert close.float().mean() > 0.99  # where ε does not show
    torch.testing.assert_close(found.gate, gate.detach(), rtol=1e-2, atol=1e-4)


def test_fewer_inputs_take_larger_steps(host: Host) -> None:
    (change,) = bound(host, lr_for=10 * host.site.d_in, lr=0.003, max_steps=1).fit([EDIT])
    assert isinstance(change, Change)
    assert float(change.tensors["value"].abs().median()) == pytest.approx(0.03, rel=1e-3)


def test_edits_share_one_value_so_the_next_is_fitted_on_top_of_the_last(host: Host) -> None:
    other = Edit("Who keeps the bees?", "Ada")
    method = bound(host, lr=0.01, max_steps=30)
    (alone,) = method.fit([other])
    first, second = method.fit([EDIT, other])
    assert isinstance(alone, Change)
    assert isinstance(first, Change)
    assert isinstance(second, Change)
    assert second.losses[0] != alone.losses[0]
    method.apply("first", first.edit, first.tensors)
    (again,) = method.fit([other])
    assert isinstance(again, Change)
    assert again.losses == second.losses
