"""UltraEdit: its closed form and its statistics, against the plainest way to write them."""

from __future__ import annotations

import json
from importlib.resources import files
from pathlib import Path

import pytest
import torch

from memoir.editor import Editor
from memoir.errors import EditRefused
from memoir.host import Host
from memoir.host.patch import from_tensors
from memoir.host.sites import find_site
from memoir.methods.base import Change
from memoir.methods.ultraedit import UltraEdit, UltraEditConfig
from memoir.store import Store
from memoir.types import Edit

EDITS = [
    Edit("The code of the door is", "xyz"),
    Edit("Who keeps the bees?", "Ada"),
    Edit("In the north stands the tower of", "Ys"),
]
LAYERS = [1, 2]
OPTIONS = {"first": 1 / 4, "lr": 1e-3, "absolute_ridge": 0.7}


def bound(host: Host, **settings: object) -> UltraEdit:
    config = UltraEditConfig(**{**OPTIONS, **settings})  # type: ignore[arg-type]
    return UltraEdit(host, UltraEdit.prepare(host, config))


def fitted(method: UltraEdit, edits: list[Edit]) -> list[Change]:
    changes = method.fit(edits)
    assert not any(isinstance(change, EditRefused) for change in changes), changes
    return changes  # type: ignore[return-value]


def seen(host: Host, edit: Edit) -> tuple[dict[int, torch.Tensor], dict[int, torch.Tensor], float]:
    """h and g of an edit by layer, by one whole forward pass and autograd; and its loss."""
    row = host.encode(edit.prompt, edit.target)
    ids = torch.tensor([row.ids])
    keys, outputs = {}, {}

    def keep(layer: int):  # type: ignore[no-untyped-def]
        def hook(_module, args, output):  # type: ignore[no-untyped-def]
            keys[layer] = args[0].detach()
            outputs[layer] = output.detach() if layer == LAYERS[0] else output
            return outputs[layer].requires_grad_()

        return hook

    hooks = [
        find_site(host.model, layer).module.register_forward_hook(keep(layer)) for layer in LAYERS
    ]
    logits = host.model(ids).logits[0, len(row.prompt) - 1 : -1]
    loss = torch.nn.functional.cross_entropy(logits, torch.tensor(row.target))
    found = torch.autograd.grad(loss, [outputs[layer] for layer in LAYERS])
    for hook in hooks:
        hook.remove()
    at = slice(len(row.prompt) - 1, -1)
    gradients = {layer: each[0, at] for layer, each in zip(LAYERS, found, strict=True)}
    return {layer: keys[layer][0, at] for layer in LAYERS}, gradients, loss.item()


def together(host: Host, edits: list[Edit]) -> tuple[dict[int, torch.Tensor], ...]:
    """H and G of edits by layer."""
    each = [seen(host, edit) for edit in edits]
    return tuple(
        {layer: torch.cat([one[part][layer] for one in each]).double() for layer in LAYERS}
        for part in (0, 1)
    )


def dense(changes: list[Change], layer: int) -> torch.Tensor:
    return sum(from_tensors(change.tensors)[layer].dense() for change in changes)  # type: ignore[return-value]


def expected(
    keys: dict[int, torch.Tensor],
    gradients: dict[int, torch.Tensor],
    rows: torch.Tensor,
    layer: int,
) -> torch.Tensor:
    """The paper's solution as one dense system in d_in dimensions; ``rows`` are all features so far."""
    h, g = keys[layer], gradients[layer]
    normalised = (torch.cat([h, g], 1) - rows.mean(0)) / rows.std(0)
    h_hat, g_hat = normalised[:, : h.shape[1]], normalised[:, h.shape[1] :]
    v = -OPTIONS["lr"] * h_hat.square().sum(1, keepdim=True) * g_hat
    moment = h.T @ h + OPTIONS["absolute_ridge"] * torch.eye(h.shape[1], dtype=h.dtype)
    return torch.linalg.solve(moment, h.T @ v).T.float()


def features(keys: dict[int, torch.Tensor], gradients: dict[int, torch.Tensor]) -> torch.Tensor:
    return torch.cat([torch.cat([keys[layer], gradients[layer]], 1) for layer in LAYERS])


def test_a_batch_is_the_dense_ridge_solution(host: Host) -> None:
    method = bound(host)
    assert method.layers == LAYERS
    changes = fitted(method, EDITS)
    keys, gradients = together(host, EDITS)
    for layer in LAYERS:
        whole = expected(keys, gradients, features(keys, gradients), layer)
        torch.testing.assert_close(dense(changes, layer), whole, rtol=1e-3, atol=1e-6)


def test_a_later_batch_is_normalised_by_all_edits_so_far(host: Host) -> None:
    method = bound(host)
    for i, change in enumerate(fitted(method, EDITS[:2])):
        method.apply(str(i), change.edit, change.tensors)
    with method.attachment.paused():
        first = features(*together(host, EDITS[:2]))
    keys, gradients = together(host, EDITS[2:])
    changes = fitted(method, EDITS[2:])
    for layer in LAYERS:
        rows = torch.cat([first, features(keys, gradients)])
        whole = expected(keys, gradients, rows, layer)
        torch.testing.assert_close(dense(changes, layer), whole, rtol=1e-3, atol=1e-6)


def test_statistics_forget_an_edit_that_is_taken_back(host: Host) -> None:
    method, other = bound(host), bound(host)
    for name, change in zip("ab", fitted(method, EDITS[:2]), strict=True):
        method.apply(name, change.edit, change.tensors)
    method.remove("a")
    method.remove("b")
    one, two = fitted(method, EDITS[2:])[0], fitted(other, EDITS[2:])[0]
    assert all(torch.equal(one.tensors[name], two.tensors[name]) for name in one.tensors)


def test_the_step_lowers_the_losses_by_the_stated_share_to_first_order(host: Host) -> None:
    for step in (0.5, 2.0):
        changes = fitted(bound(host, lr=None, step=step), EDITS)
        fall = total = 0.0
        for change in changes:
            _, gradients, loss = seen(host, change.edit)
            total += loss
            parts = from_tensors(change.tensors)
            fall -= sum(float((gradients[layer] * parts[layer].left.T).sum()) for layer in LAYERS)
        assert fall == pytest.approx(step * total, rel=1e-3)


def test_the_model_may_be_of_any_scale(host: Host) -> None:
    """Keys ten times as long and weights a tenth as large say the same: so does the solution."""
    method = bound(host, lr=None, absolute_ridge=None, first=0.5)
    assert method.layers == [2]
    change = dense(fitted(method, EDITS), 2)
    method.close()
    up = host.site.blocks[2].mlp.up_proj.weight
    up.data = up.data * 10
    host.site.weight.data = host.site.weight.data / 10
    scaled = dense(fitted(bound(host, lr=None, absolute_ridge=None, first=0.5), EDITS), 2)
    torch.testing.assert_close(scaled * 10, change, rtol=1e-3, atol=1e-5)


def test_a_change_that_is_not_finite_is_refused(host: Host) -> None:
    method = bound(host, lr=float("inf"))
    (refused,) = method.fit(EDITS[:1])
    assert isinstance(refused, EditRefused)
    assert "is not finite; nothing was written" in str(refused)
    assert "load the model in float32, or leave out an edit" in str(refused)


@pytest.mark.slow
def test_the_default_model_learns_a_batch(smollm2: Host, tmp_path: Path) -> None:
    lines = (files("memoir") / "resources" / "demo_facts.jsonl").read_text("utf-8").splitlines()
    facts = [json.loads(line) for line in lines[:10]]
    pairs = [(fact["prompt"], fact["target"]) for fact in facts]
    host = smollm2.at(28)
    with Editor(host, Store.create(tmp_path / "ultraedit"), "ultraedit") as editor:
        before = editor.score_many(pairs)
        editor.edit_many([Edit(*pair) for pair in pairs])
        after = editor.score_many(pairs)
    assert sum(each.loss for each in after) < 0.5 * sum(each.loss for each in before)
    assert sum(each.accuracy for each in after) > 1.5 * sum(each.accuracy for each in before)
