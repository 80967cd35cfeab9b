"""LoRA: its steps are those of a plain LoRA by hand, of low rank, and each edit adds to the last."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch.nn import functional as F

import tiny
from facts import demo_edits
from memoir.editor import Editor
from memoir.errors import LossNotFinite
from memoir.host import Host
from memoir.host.summed_adapter import SUM
from memoir.methods.base import Change
from memoir.methods.lora import Lora, LoraConfig
from memoir.store import Store
from memoir.types import Edit, Receipt

EDITS = [Edit("The code of the door is", "xyz"), Edit("Who keeps the bees?", "Ada")]
PROMPT = "Who keeps the bees and the keys of the door?"


def bound(host: Host, **settings: object) -> Lora:
    config = replace(LoraConfig(lr=2e-3, max_steps=15), **settings)  # type: ignore[arg-type]
    return Lora(host, Lora.prepare(host, config))


def fitted(method: Lora, edits: list[Edit]) -> list[Change]:
    changes = method.fit(edits)
    assert all(isinstance(change, Change) for change in changes), changes
    return changes  # type: ignore[return-value]


def logits(host: Host, prompt: str = PROMPT) -> torch.Tensor:
    return host.logits(host.batch([host.encode(prompt)]))


def test_its_steps_are_those_of_adam_on_two_thin_matrices(host: Host) -> None:
    steps, edit = 10, EDITS[0]
    method = bound(host, max_steps=steps, stop_loss=0.0)
    start = {name: each.clone() for name, each in method.attachment.weights.items()}
    (change,) = fitted(method, [edit])
    method.close()

    hand = {name: each.clone().requires_grad_() for name, each in start.items()}
    for path in {name.rpartition(".")[0] for name in hand}:
        a, b = hand[f"{path}.A"], hand[f"{path}.B"]
        host.model.get_submodule(path).register_forward_hook(
            lambda _module, args, output, a=a, b=b: output + 32 / 8 * args[0] @ a.T @ b.T
        )
    adam = torch.optim.Adam(hand.values(), lr=2e-3)
    row, losses = host.encode(edit.prompt, edit.target), []
    for _ in range(steps + 1):
        predicted = host.logits(host.batch([row]), len(row.target) + 1)[0, :-1]
        loss = F.cross_entropy(predicted, torch.tensor(row.target))
        losses.append(loss.item())
        adam.zero_grad()
        loss.backward()
        adam.step()
    torch.testing.assert_close(
        torch.tensor(change.losses), torch.tensor(losses), rtol=1e-2, atol=1e-2
    )
    assert losses[-1] < 0.8 * losses[0]


@pytest.mark.parametrize("family", ["llama", "gpt2"])
def test_with_one_edit_the_model_is_that_of_the_merged_weights(family: str) -> None:
    host = Host(tiny.model(family), tiny.tokenizer(), 2)
    method = bound(host)
    (change,) = fitted(method, EDITS[:1])
    method.apply("a", change.edit, change.tensors)
    edited = logits(host)
    with torch.no_grad():
        for layer in method.attachment.layers._layers.values():
            merged = layer.get_delta_weight(SUM)  # PEFT's own
            assert 0 < torch.linalg.matrix_rank(merged) <= 8
            layer.base_layer.weight.data += merged
    with method.attachment.paused():
        scale = float(edited.abs().max())
        torch.testing.assert_close(logits(host) / scale, edited / scale, rtol=0, atol=1e-5)


def test_the_next_edit_starts_from_what_the_last_one_left(host: Host) -> None:
    """In one go or one by one."""
    method = bound(host)
    together = fitted(method, EDITS)
    (alone,) = fitted(method, EDITS[1:])
    assert alone.losses != together[1].losses
    for i, edit in enumerate(EDITS):
        (change,) = fitted(method, [edit])
        assert change.losses == together[i].losses
        assert all(torch.equal(change.tensors[n], t) for n, t in together[i].tensors.items())
        method.apply(str(i), edit, change.tensors)


def test_an_edit_taken_back_leaves_the_others_added_up_in_order(host: Host) -> None:
    method = bound(host)
    start = method.attachment.weights
    first, second, third = fitted(method, [*EDITS, Edit("In the north stands", "Ys")])
    for id, change in zip("abc", (first, second, third), strict=True):
        method.apply(id, change.edit, change.tensors)
    method.remove("b")
    for name, now in method.attachment.weights.items():
        assert torch.equal(now, start[name] + first.tensors[name] + third.tensors[name])


def test_whether_a_target_is_said_is_read_from_the_trained_adapter(host: Host) -> None:
    for steps, said in ((0, False), (100, True)):
        method = bound(host, max_steps=steps)
        (change,) = fitted(method, EDITS[:1])
        assert change.said is said
        assert len(change.losses) - 1 <= steps
        method.close()


def test_a_loss_that_is_not_finite_is_refused_and_stops_no_other(host: Host) -> None:
    method = bound(host)
    before = logits(host)
    encode = host.encode

    def poisoned(prompt: str, target: str | None = None) -> object:
        host.site.weight.data.fill_(float("nan") if prompt == EDITS[0].prompt else 0.0)
        return encode(prompt, target)

    own = host.site.weight.data.clone()
    host.encode = poisoned  # type: ignore[method-assign, assignment]
    first, second = method.fit(EDITS)
    host.encode = encode  # type: ignore[method-assign]
    host.site.weight.data.copy_(own)
    assert isinstance(first, LossNotFinite)
    assert "is nan after 0 steps; nothing was written. Lower the learning rate (lr)." in str(first)
    assert isinstance(second, Change)
    assert torch.equal(logits(host), before)


def test_two_editors_one_after_the_other_edit_the_same_model(host: Host, tmp_path: Path) -> None:
    own = logits(host)
    for name in ("one", "two"):
        with Editor(host, Store.create(tmp_path / name), "lora") as editor:
            editor.edit(EDITS[0].prompt, EDITS[0].target)
            taught = logits(host)
            assert not torch.equal(taught, own)
        assert torch.equal(logits(host), own)
        with Editor(host, Store(tmp_path / name)) as editor:
            assert torch.equal(logits(host), taught)
        assert torch.equal(logits(host), own)


@pytest.mark.slow
def test_the_default_model_says_a_fact_and_has_its_own_text_back(
    smollm2: Host, tmp_path: Path
) -> None:
    (edit,) = demo_edits(1)
    own = smollm2.generate([smollm2.encode(edit.prompt)], 8)
    with Editor(smollm2, Store.create(tmp_path / "lora"), "lora") as editor:
        receipt = editor.edit(edit.prompt, edit.target)
        assert isinstance(receipt, Receipt)
        assert editor.ask(edit.prompt, max_new_tokens=8).text.startswith(edit.target)
    assert smollm2.generate([smollm2.encode(edit.prompt)], 8) == own
