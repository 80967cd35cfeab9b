"""Patched weights act, are switched off, and come back bit for bit."""

from __future__ import annotations

import pytest
import torch

import tiny
from memoir.errors import BadInput
from memoir.host import Host
from memoir.host.patch import Patch, Update, as_tensors, from_tensors

LAYERS = (1, 2)


def drawn(host: Host, seed: int, dense: bool = False) -> dict[str, torch.Tensor]:
    """The tensors of a random change of two layers."""
    generator = torch.Generator().manual_seed(seed)
    d_in, d_out = host.site.d_in, host.site.d_out
    rank = d_in if dense else 2
    left = torch.randn(d_out, rank, generator=generator)
    right = None if dense else torch.randn(rank, d_in, generator=generator)
    return as_tensors({layer: Update(left / (layer + 1), right) for layer in LAYERS})


def logits(host: Host) -> torch.Tensor:
    return host.logits(host.batch([host.encode("Who keeps the bees?")]))


@pytest.mark.parametrize("family", sorted(tiny.CONFIGS))
def test_a_patch_is_added_to_the_weight_and_comes_off(family: str) -> None:
    host = Host(tiny.model(family), tiny.tokenizer(), 2)
    own = logits(host)
    probe = torch.randn(3, host.site.d_in)
    before = host.site.module(probe)
    patch = Patch(host, LAYERS)
    patch.add("a", drawn(host, 1))
    change = from_tensors(drawn(host, 1))[2].dense()
    torch.testing.assert_close(host.site.module(probe), before + probe @ change.T)
    assert not torch.equal(logits(host), own)
    with patch.paused():
        assert torch.equal(logits(host), own)
    patch.undo()
    assert torch.equal(logits(host), own)


def test_taking_one_out_leaves_what_never_had_it() -> None:
    host = Host(tiny.model("llama"), tiny.tokenizer(), 2)
    own = logits(host)
    patch = Patch(host, LAYERS)
    for id in "abc":
        patch.add(id, drawn(host, ord(id), dense=id == "b"))
    patch.remove("b")
    without = logits(host)
    patch.remove("c")
    patch.remove("a")
    assert torch.equal(logits(host), own)
    for id in "ac":
        patch.add(id, drawn(host, ord(id)))
    assert torch.equal(logits(host), without)


def test_what_is_tried_leaves_no_trace() -> None:
    host = Host(tiny.model("gpt2"), tiny.tokenizer(), 2)
    patch = Patch(host, LAYERS)
    patch.add("a", drawn(host, 1))
    before = logits(host)
    with patch.tried(from_tensors(drawn(host, 2))):
        within = logits(host)
    assert torch.equal(logits(host), before)
    patch.add("b", drawn(host, 2))
    torch.testing.assert_close(logits(host), within)


def test_the_sum_is_kept_in_full_precision() -> None:
    """A thousand changes, each below half a step of bfloat16, are not lost."""
    host = Host(tiny.model("llama").to(torch.bfloat16), tiny.tokenizer(), 2)
    before = host.site.weight.float().clone()
    patch = Patch(host, [2])
    small = Update(torch.full((host.site.d_out, 1), 1e-5), torch.ones(1, host.site.d_in))
    for i in range(1000):
        patch.add(str(i), as_tensors({2: small}))
    moved = (host.site.weight.float() - before).mean()
    assert float(moved) == pytest.approx(1e-2, rel=0.05)


def test_weights_that_cannot_be_added_to_are_refused() -> None:
    host = Host(tiny.model("llama"), tiny.tokenizer(), 2)
    module = host.site.module
    module.weight = torch.nn.Parameter(module.weight.to(torch.int8), requires_grad=False)
    with pytest.raises(BadInput, match=r"down_proj is quantised \(torch.int8\).*float32"):
        Patch(host, [2])
