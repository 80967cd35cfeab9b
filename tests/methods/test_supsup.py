"""SupSup: exact masks over weights that never change, and inference by entropy."""

from __future__ import annotations

import pytest
import torch

from memoir.calibration import Background
from memoir.core.sparse import pack, unpack
from memoir.errors import BadInput
from memoir.host import Host
from memoir.host.entropy import entropy_gradient
from memoir.methods.supsup import NEITHER, SupSup
from residuals import EDITS, UNRELATED, bound, learnt, logits, with_weight

SETTINGS = {"size": 2.0, "max_steps": 40}


@pytest.mark.parametrize("density", [0.1, 0.5])
def test_masks_keep_exactly_their_share_and_weights_stay(
    host: Host, few_background: Background, density: float
) -> None:
    method = bound(SupSup, host, **SETTINGS, density=density)
    random = method._random.clone()
    changes = learnt(method, EDITS)
    assert torch.equal(method._random, random)
    shape = random.shape
    masks = [unpack(change.tensors["mask"], shape) for change in changes]
    assert {int(mask.sum()) for mask in masks} == {round(density * random.numel())}
    assert not torch.equal(masks[0], masks[1])
    assert method._random.abs().unique().numel() == 1
    sigma = 2.0 * float(host.site.weight.std()) / density**0.5
    assert float(method._random.abs().max()) == pytest.approx(sigma)


def test_an_edit_is_answered_with_its_mask_whatever_came_later(
    host: Host, few_background: Background
) -> None:
    method = bound(SupSup, host, **SETTINGS)
    (first,) = learnt(method, EDITS[:1])
    before = logits(host, EDITS[0].prompt)
    learnt(method, EDITS[1:])
    assert torch.equal(logits(host, EDITS[0].prompt), before)
    weight = method._random * unpack(first.tensors["mask"], method._random.shape)
    expected = with_weight(method, EDITS[0].prompt, weight)
    torch.testing.assert_close(before, expected, rtol=1e-3, atol=1e-3)


def test_edits_do_not_see_each_other(host: Host, few_background: Background) -> None:
    method = bound(SupSup, host, **SETTINGS)
    alone = method.fit(EDITS[1:2])[0]
    learnt(method, EDITS[:1])
    beside = method.fit(EDITS[1:2])[0]
    assert torch.equal(alone.tensors["mask"], beside.tensors["mask"])


def test_the_gradient_of_the_entropy_is_that_of_autograd(host: Host) -> None:
    weight = 0.1 * torch.randn(
        host.site.d_out, host.site.d_in, generator=torch.Generator().manual_seed(0)
    )
    rows = [host.encode(edit.prompt) for edit in EDITS[:2]]
    found = entropy_gradient(host, rows, weight)
    own = host.site.weight
    before, own.data = own.data, own.data + weight
    own.requires_grad_()
    for row, each in zip(rows, found, strict=True):
        chances = host.logits(host.batch([row]), keep=1)[0, -1].log_softmax(-1)
        (expected,) = torch.autograd.grad(-(chances.exp() * chances).sum(), own)
        torch.testing.assert_close(each, expected, rtol=1e-3, atol=1e-5)
    own.requires_grad_(False)
    own.data = before


def test_entropy_finds_the_mask_that_makes_a_prompt_sure(
    host: Host, few_background: Background
) -> None:
    """Made for it: one mask keeps the weights that lower the entropy, the other those that raise it."""
    method = bound(SupSup, host, size=0.05, infer="entropy")
    row = host.encode(EDITS[0].prompt)
    nothing = torch.zeros_like(method._random)
    slope = entropy_gradient(host, [row], nothing)[0] * method._random
    for id, mask in {"raises": slope > 0, "lowers": slope < 0}.items():
        relation = method._router.keys(EDITS[:1])[0]
        method.apply(id, EDITS[0], {"mask": pack(mask), **relation})
    with method.attachment.scope() as scope:
        host.logits(host.batch([row]))
    (match,) = method.verdicts(scope.route)
    assert match.edit_id == "lowers"
    assert match.fired
    method.remove("lowers")
    before = method.attachment.paused
    with method.attachment.scope() as scope:
        raised = logits(host, EDITS[0].prompt)
    (match,) = method.verdicts(scope.route)
    assert not match.fired  # the zero mask is the better one
    with before():
        assert torch.equal(raised, logits(host, EDITS[0].prompt))


def test_entropy_without_edits_leaves_everything_alone(
    host: Host, few_background: Background
) -> None:
    before = logits(host, UNRELATED)
    method = bound(SupSup, host, infer="entropy")
    assert not method.spares_others
    assert method.foresee([host.encode(UNRELATED)]) is None
    with method.attachment.scope() as scope:
        assert torch.equal(logits(host, UNRELATED), before)
    (match,) = method.verdicts(scope.route)
    assert (match.edit_id, match.threshold) == (None, NEITHER)


@torch.inference_mode()
def test_entropy_works_in_batches_in_generation_and_in_inference_mode(
    host: Host, few_background: Background
) -> None:
    with torch.inference_mode(False):
        method = bound(SupSup, host, **SETTINGS, infer="entropy")
        learnt(method, EDITS)
    rows = [host.encode(edit.prompt) for edit in EDITS]
    together = host.generate(rows, 4)
    assert [host.generate([row], 4)[0] for row in rows] == together


def test_entropy_needs_tokens(host: Host, few_background: Background) -> None:
    method = bound(SupSup, host, **SETTINGS, infer="entropy")
    learnt(method, EDITS[:1])
    with pytest.raises(BadInput, match=r"it was given inputs_embeds; give it input_ids"):
        host.model(inputs_embeds=torch.zeros(1, 3, 32))
