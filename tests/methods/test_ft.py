"""Fine-tuning beside torch's Adam on the weight itself: FT-M, FT-L and its bound."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from memoir.host import Host
from memoir.host.patch import from_tensors
from memoir.methods.base import Change
from memoir.methods.ft import FineTuning, FineTuningConfig
from memoir.types import Edit

EDIT = Edit("The code of the door is", "xyz")
STEPS = 3


def bound(host: Host, **settings: object) -> FineTuning:
    config = replace(FineTuningConfig(max_steps=STEPS), **settings)  # type: ignore[arg-type]
    return FineTuning(host, FineTuning.prepare(host, config))


def fitted(method: FineTuning, edits: list[Edit]) -> list[Change]:
    changes = method.fit(edits)
    assert all(isinstance(change, Change) for change in changes), changes
    return changes  # type: ignore[return-value]


def moved(change: Change) -> torch.Tensor:
    return from_tensors(change.tensors)[2].dense()


def losses(host: Host, edit: Edit, read_at: str) -> list[torch.Tensor]:
    """Of every target token: where it stands, or at the last prompt token."""
    row = host.encode(edit.prompt, edit.target)
    logits = host.logits(host.batch([row]), len(row.target) + 1)[0, :-1]
    if read_at == "prompt":
        logits = torch.stack([logits[0]] * len(row.target))
    each = zip(logits, row.target, strict=True)
    return [F.cross_entropy(one, torch.tensor(token)) for one, token in each]


@pytest.mark.parametrize("read_at", ["target", "prompt"])
def test_its_steps_are_those_of_adam_on_the_weight(host: Host, read_at: str) -> None:
    (change,) = fitted(bound(host, read_at=read_at, lr=0.003), [EDIT])
    own = host.site.weight.data.clone()
    weight = host.site.module.weight.requires_grad_()
    adam = torch.optim.Adam([weight], lr=0.003)
    for step in range(STEPS):
        loss = torch.stack(losses(host, EDIT, read_at)).mean()
        assert change.losses[step] == pytest.approx(float(loss.detach()), rel=1e-3)
        adam.zero_grad()
        loss.backward()
        adam.step()
    total = weight.detach() - own
    assert float(total.abs().mean()) > 0.003
    close = (moved(change) - total).abs() < 0.02 * STEPS * 0.003
    assert close.float().mean() > 0.99  # Adam turns rounding into steps where gradients vanish


def test_ft_l_teaches_the_last_prompt_token_every_target_token(host: Host) -> None:
    """So that only the first can come out well; FT-M teaches each where it stands."""
    apart = {}
    for read_at in ("target", "prompt"):
        method = bound(host, read_at=read_at, lr=0.02, max_steps=60)
        (change,) = fitted(method, [EDIT])
        method.apply("a", EDIT, change.tensors)
        with torch.no_grad():
            apart[read_at] = [float(loss) for loss in losses(host, EDIT, "target")]
        method.remove("a")
    assert max(apart["target"]) < 0.1
    assert apart["prompt"][0] < apart["prompt"][1]
    assert apart["prompt"][1] > 1


def test_no_number_moves_beyond_the_bound(host: Host) -> None:
    (free,) = fitted(bound(host, lr=0.003, max_steps=5), [EDIT])
    (held,) = fitted(bound(host, lr=0.003, max_steps=5, clamp=0.005), [EDIT])
    assert float(moved(free).abs().max()) > 0.01
    assert float(moved(held).abs().max()) == pytest.approx(0.005)


def test_it_ends_below_its_loss(host: Host) -> None:
    (change,) = fitted(bound(host, lr=0.02, max_steps=200, stop_loss=0.5), [EDIT])
    *before, last = change.losses
    assert last < 0.5 <= min(before)
    assert len(before) < 200


def test_the_next_edit_starts_from_what_the_last_one_left(host: Host) -> None:
    other = Edit("The gate's word is", "abc")
    first, second = fitted(bound(host, lr=0.02, max_steps=20), [EDIT, other])
    alone = bound(host, lr=0.02, max_steps=20)
    alone.apply("a", EDIT, first.tensors)
    (after,) = fitted(alone, [other])
    torch.testing.assert_close(moved(after), moved(second))
    alone.remove("a")
    (without,) = fitted(alone, [other])
    assert not torch.allclose(moved(without), moved(second))
