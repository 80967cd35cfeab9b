"""LocFT-BF: its steps beside torch's Adam, its order, and what it is for: no edit undoes another."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

from facts import demo_edits
from memoir.editor import Editor
from memoir.errors import LossNotFinite
from memoir.host import Host
from memoir.host.patch import Update, from_tensors
from memoir.host.tokens import Encoded
from memoir.methods.base import Change
from memoir.methods.ft import FineTuning, FineTuningConfig
from memoir.methods.locft import LocFT, LocFTConfig, _Lesson
from memoir.store import Store
from memoir.types import Edit

NAMES = ["Ada", "Bo", "Cy", "Di", "Ed", "Flo", "Gus", "Hal"]
EDITS = [Edit(f"The keeper of hive number {i} is", name) for i, name in enumerate(NAMES)]


def bound(host: Host, **settings: object) -> LocFT:
    config = replace(LocFTConfig(lr=0.02, epochs=40), **settings)  # type: ignore[arg-type]
    return LocFT(host, LocFT.prepare(host, config))


def fitted(method: LocFT | FineTuning, edits: list[Edit]) -> list[Change]:
    changes = method.fit(edits)
    assert all(isinstance(change, Change) for change in changes), changes
    return changes  # type: ignore[return-value]


def share(change: Change) -> torch.Tensor:
    return from_tensors(change.tensors)[2].dense()


def losses(host: Host, edits: list[Edit], ends: bool = False) -> list[float]:
    found = []
    for edit in edits:
        row = host.encode(edit.prompt, edit.target)
        if ends:
            row = Encoded(row.prompt, [*row.target, host.tokenizer.eos_token_id])
        logits = host.logits(host.batch([row]), len(row.target) + 1)[0, :-1]
        found.append(float(F.cross_entropy(logits, torch.tensor(row.target))))
    return found


def test_shares_add_up_to_what_torchs_adam_makes_of_the_weight_itself(host: Host) -> None:
    """The whole of it against the plain way: batches of the model, and its weight as a parameter."""
    epochs, steps = 4, 3
    method = bound(host, epochs=epochs, steps=steps, lr=0.005, seed=5)
    changes = fitted(method, EDITS)
    own = host.site.weight.data.clone()
    weight = host.site.module.weight.requires_grad_()
    adam = torch.optim.Adam([weight], lr=0.005)
    order = torch.Generator().manual_seed(5)
    for _ in range(epochs):
        drawn = torch.randperm(len(EDITS), generator=order).tolist()
        for batch in (drawn[0:3], drawn[3:6], drawn[6:8]):
            each = []
            for i in batch:
                row = host.encode(EDITS[i].prompt, EDITS[i].target)
                target = [*row.target, host.tokenizer.eos_token_id]
                tokens = host.batch([Encoded(row.prompt, target)])
                logits = host.logits(tokens, len(target) + 1)[0, :-1]
                each.append(F.cross_entropy(logits, torch.tensor(target)))
            adam.zero_grad()
            torch.stack(each).mean().backward()
            adam.step()
    total = weight.detach() - own
    assert float(total.abs().mean()) > 0.005
    close = (sum(map(share, changes)) - total).abs() < 0.02 * epochs * steps * 0.005
    assert close.float().mean() > 0.99  # Adam turns rounding into steps where gradients vanish


def test_every_edit_is_seen_once_an_epoch_in_an_order_from_the_seed(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    learn = _Lesson.learn

    def noted(lesson: _Lesson, batch: list[int], change: torch.Tensor) -> object:
        seen.extend(batch)
        assert len(batch) <= 2
        return learn(lesson, batch, change)

    monkeypatch.setattr(_Lesson, "learn", noted)
    orders = []
    for seed in (1, 1, 2):
        seen.clear()
        fitted(bound(host, epochs=3, steps=5, seed=seed, stop_loss=0.0), EDITS)
        epochs = [seen[start : start + 8] for start in range(0, 24, 8)]
        assert all(Counter(each) == Counter(range(8)) for each in epochs)
        assert epochs[0] != epochs[1]
        orders.append(list(seen))
    assert orders[0] == orders[1] != orders[2]


def test_all_edits_are_learnt_where_one_after_the_other_forgets_the_first(host: Host) -> None:
    edits = EDITS[:4]
    method = bound(host, epochs=80)
    changes = fitted(method, edits)
    total = torch.stack([share(change) for change in changes]).sum(0)
    with method.attachment.tried({2: Update(total)}):
        together = losses(host, edits)
        ended = losses(host, edits, ends=True)
    assert [change.losses[-1] for change in changes] == pytest.approx(ended, rel=1e-3, abs=1e-4)
    assert max(together) < 0.5
    assert all(change.said for change in changes)
    method.close()
    in_turn = FineTuning(host, FineTuning.prepare(host, FineTuningConfig(lr=0.02, max_steps=100)))
    for i, change in enumerate(fitted(in_turn, edits)):
        assert change.losses[-1] < 0.5  # learnt when it was made
        in_turn.apply(str(i), change.edit, change.tensors)
    assert losses(host, edits)[0] > 2.0


def test_an_edit_taken_back_leaves_the_others_parts(host: Host) -> None:
    method = bound(host)
    changes = fitted(method, EDITS)
    own = host.site.weight.data.clone()
    for i, change in enumerate(changes):
        method.apply(str(i), change.edit, change.tensors)
    method.remove("3")
    expected = own.clone()
    for i, change in enumerate(changes):
        if i != 3:
            expected += share(change)
    assert torch.equal(host.site.weight.data, expected)


def test_the_end_token_is_taught_if_so_set(host: Host) -> None:
    for ends in (True, False):
        method = bound(host, ends=ends, epochs=60)
        changes = fitted(method, EDITS[:2])
        for i, change in enumerate(changes):
            method.apply(str(i), change.edit, change.tensors)
        for edit in EDITS[:2]:
            row = host.encode(edit.prompt, edit.target)
            after = int(host.logits(host.batch([row]), 1)[0, 0].argmax())
            assert (after == host.tokenizer.eos_token_id) == ends
        method.close()


def test_a_loss_that_is_not_finite_is_refused_and_nothing_changes(host: Host) -> None:
    method = bound(host, lr=float("inf"))
    before = host.site.weight.data.clone()
    for result in method.fit(EDITS[:2]):
        assert isinstance(result, LossNotFinite)
        assert "is not finite; nothing was written. Lower the learning rate (lr)" in str(result)
    assert torch.equal(host.site.weight.data, before)


@pytest.mark.slow
def test_the_default_model_says_facts_that_were_taught_together(
    smollm2: Host, tmp_path: Path
) -> None:
    edits = demo_edits(3)
    with Editor(smollm2, Store.create(tmp_path / "locft"), "locft") as editor:
        editor.edit_many(edits)
        said = [
            editor.ask(edit.prompt, max_new_tokens=8).text.startswith(edit.target) for edit in edits
        ]
    assert sum(said) >= 2
