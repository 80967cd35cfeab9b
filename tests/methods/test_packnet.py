"""PackNet: nobody writes an owned weight, earlier edits keep every bit, and room ends."""

from __future__ import annotations

import pytest
import torch

from memoir.calibration import Background
from memoir.errors import MemoryFull
from memoir.host import Host
from memoir.methods.base import Change
from memoir.methods.packnet import FREE, PackedMemory, PackNet
from memoir.types import Edit
from residuals import EDITS, bound, learnt, logits, with_weight

SETTINGS = {"keep": 0.1, "max_steps": 60, "stop_loss": 0.5}


def test_no_edit_writes_a_weight_that_another_owns(host: Host, few_background: Background) -> None:
    method = bound(PackNet, host, **SETTINGS)
    owned: set[int] = set()
    size = host.site.d_in * host.site.d_out
    for edit in EDITS:
        before = method._memory.values.clone()
        (change,) = learnt(method, [edit])
        mine = set(change.tensors["index"].tolist())
        assert len(mine) == round(0.1 * size)
        assert not mine & owned
        owned |= mine
        moved = (method._memory.values != before).flatten().nonzero().flatten().tolist()
        assert set(moved) <= mine
    assert int((method._memory.owner != FREE).sum()) == len(owned)


def test_what_later_edits_do_moves_no_bit_of_an_earlier_one(
    host: Host, few_background: Background
) -> None:
    method = bound(PackNet, host, **SETTINGS)
    seen = []
    for number, edit in enumerate(EDITS):
        learnt(method, [edit])
        seen.append(logits(host, edit.prompt))
        for earlier in range(number + 1):
            assert torch.equal(logits(host, EDITS[earlier].prompt), seen[earlier])
    # But a later edit builds on the earlier ones.
    method.remove("0")
    assert not torch.equal(logits(host, EDITS[1].prompt), seen[1])


def test_an_edit_is_answered_with_its_own_weights_and_those_before_it(
    host: Host, few_background: Background
) -> None:
    method = bound(PackNet, host, **SETTINGS)
    changes = learnt(method, EDITS[:3])
    weight = torch.zeros(host.site.d_out, host.site.d_in)
    for edit, change in zip(EDITS, changes, strict=False):
        weight.view(-1)[change.tensors["index"].long()] = change.tensors["value"]
        expected = with_weight(method, edit.prompt, weight)
        torch.testing.assert_close(logits(host, edit.prompt), expected, rtol=1e-3, atol=1e-4)


def test_it_keeps_the_largest_weights_and_trains_only_those_again(
    host: Host, few_background: Background
) -> None:
    """Without retraining, what is kept are the largest of the trained weights."""
    trained = bound(PackNet, host, **{**SETTINGS, "keep": 1.0, "max_steps": 1})
    (whole,) = trained.fit(EDITS[:1])
    pruned = bound(PackNet, host, **{**SETTINGS, "max_steps": 1})
    (change,) = pruned.fit(EDITS[:1])
    assert isinstance(whole, Change)
    assert isinstance(change, Change)
    first_step = bound(PackNet, host, **{**SETTINGS, "keep": 1.0, "max_steps": 1, "lr": 0.5})
    (half,) = first_step.fit(EDITS[:1])
    assert isinstance(half, Change)
    size = half.tensors["value"].abs()
    kept = torch.zeros(len(size), dtype=torch.bool)
    kept[change.tensors["index"].long()] = True
    assert change.losses[0] == pytest.approx(half.losses[0])
    assert float(size[kept].median()) > float(size[~kept].max())


def test_a_full_memory_says_so_and_stays_as_it_was(host: Host, few_background: Background) -> None:
    method = bound(PackNet, host, **{**SETTINGS, "keep": 0.4, "max_steps": 5})
    learnt(method, EDITS[:2])
    before = logits(host, EDITS[0].prompt)
    (refused,) = method.fit(EDITS[2:3])
    assert isinstance(refused, MemoryFull)
    assert str(refused) == (
        "there is no room for 'In the north stands the tower of' → 'Ys': with keep=0.4 of all weights "
        "it would own 819, but 410 of 2048 are free and an edit needs at least 32, one for each "
        "output; nothing was written. Take edits back, or make a store with another keep (memoir "
        "methods shows the settings)."
    )
    assert torch.equal(logits(host, EDITS[0].prompt), before)
    method.remove("0")
    learnt(method, EDITS[2:3])  # there is room again


def test_as_in_the_paper_the_share_is_of_the_free_weights(
    host: Host, few_background: Background
) -> None:
    method = bound(PackNet, host, keep=0.25, of="free", max_steps=3)
    counts = [len(change.tensors["index"]) for change in learnt(method, EDITS[:3])]
    assert counts == [512, 384, 288]
    small = bound(PackNet, host, keep=0.012, of="free")
    (refused,) = small.fit(EDITS[:1])
    assert isinstance(refused, MemoryFull)
    assert "of free weights it would own 25" in str(refused)


def test_owners_are_counted_among_the_edits_in_force() -> None:
    memory = PackedMemory((2, 2))
    edit = Edit("a", "b")
    for number, id in enumerate("xyz"):
        tensors = {"index": torch.tensor([number]), "value": torch.tensor([number + 1.0])}
        memory.add(id, edit, tensors)
    assert memory.weight("x").tolist() == [[1.0, 0.0], [0.0, 0.0]]
    assert memory.weight("y").tolist() == [[1.0, 2.0], [0.0, 0.0]]
    assert memory.weight("z").tolist() == [[1.0, 2.0], [3.0, 0.0]]
