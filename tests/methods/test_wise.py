"""WISE: masks, shards, margins and the router's threshold, on a tiny model."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from memoir.calibration import Background
from memoir.core.side_memory import shard_mask, ties_merge
from memoir.errors import BadInput
from memoir.host import Host
from memoir.methods.base import Change
from memoir.methods.wise import Wise, WiseConfig
from memoir.types import Edit, Match

EDITS = [
    Edit("The code of the door is", "xyz"),
    Edit("Who keeps the bees?", "Ada"),
    Edit("In the north stands the tower of", "Ys"),
]
UNRELATED = "12 + 30 ="
UNIT = 0.05
NO_MARGINS = {"alpha": 1e6, "beta": -1e6, "gamma": -1e6}
"""What nothing violates."""


def bound(host: Host, **settings: object) -> Wise:
    config = replace(WiseConfig(max_steps=2, unit=UNIT), **settings)  # type: ignore[arg-type]
    return Wise(host, Wise.prepare(host, config))


def fitted(method: Wise, edits: list[Edit]) -> list[Change]:
    changes = method.fit(edits)
    assert all(isinstance(change, Change) for change in changes), changes
    return changes  # type: ignore[return-value]


def taught(host: Host, **settings: object) -> tuple[Wise, list[Change]]:
    method = bound(host, **settings)
    changes = fitted(method, EDITS)
    for i, change in enumerate(changes):
        method.apply(str(i), change.edit, change.tensors)
    return method, changes


def dense(method: Wise, change: Change, ratio: float = 0.2) -> torch.Tensor:
    """An edit's difference as a whole matrix."""
    site, shard = method.host.site, int(change.tensors["shard"])
    full = torch.zeros(site.d_out, site.d_in)
    full[shard_mask(site.d_out, site.d_in, ratio, shard, 0)] = change.tensors["difference"]
    return full


def asked(method: Wise, *prompts: str) -> tuple[list[Match], torch.Tensor]:
    host = method.host
    tokens = host.batch([host.encode(prompt) for prompt in prompts])
    with method.attachment.scope() as scope:
        logits = host.logits(tokens, keep=1)
    return method.verdicts(scope.route), logits


def loss(host: Host, edit: Edit) -> torch.Tensor:
    """Cross-entropy of a target, by the model's own weights."""
    row = host.encode(edit.prompt, edit.target)
    logits = host.logits(host.batch([row]), len(row.target) + 1)[0, :-1]
    return torch.nn.functional.cross_entropy(logits, torch.tensor(row.target))


def added(method: Wise, prompt: str, change: torch.Tensor) -> torch.Tensor:
    """Last logits of the model whose site's weight is W + τ."""
    host = method.host
    weight = host.site.weight
    before = weight.data
    weight.data = before + change
    try:
        with method.attachment.paused():
            return host.logits(host.batch([host.encode(prompt)]), keep=1)[0]
    finally:
        weight.data = before


def test_only_masked_elements_change_and_not_beyond_the_clamp(
    host: Host, few_background: Background
) -> None:
    method = bound(host, clamp=0.001)
    (change,) = fitted(method, EDITS[:1])
    difference = change.tensors["difference"]
    assert len(difference) == round(0.2 * host.site.d_in * host.site.d_out)
    assert (difference != 0).float().mean() > 0.9
    assert float(difference.abs().max()) == pytest.approx(0.001)


def test_one_step_is_the_masked_gradient(host: Host, few_background: Background) -> None:
    """With margins that nothing violates, of cross-entropy alone: taken here by autograd on W."""
    method = bound(host, max_steps=1, clamp=1e6, **NO_MARGINS)
    (change,) = fitted(method, EDITS[:1])
    weight = host.site.weight.requires_grad_()
    before = loss(host, EDITS[0])
    (gradient,) = torch.autograd.grad(before, weight)
    weight.requires_grad_(False)
    mask = shard_mask(host.site.d_out, host.site.d_in, 0.2, 0, 0)
    assert change.losses[0] == pytest.approx(before.item(), rel=1e-4)
    expected = -(UNIT**2) * gradient * mask
    torch.testing.assert_close(dense(method, change), expected, rtol=1e-3, atol=1e-6)


def test_gradients_outside_the_mask_are_never_applied(
    host: Host, few_background: Background
) -> None:
    """So what the masked elements hold is all that lowered the loss."""
    method = bound(host, max_steps=10, lr=3.0, **NO_MARGINS)
    (change,) = fitted(method, EDITS[:1])
    assert change.losses[-1] < 0.95 * change.losses[0]
    host.site.weight.data = host.site.weight.data + dense(method, change)
    assert change.losses[-1] == pytest.approx(loss(host, EDITS[0]).item(), rel=1e-4)


def test_the_margins_pull_an_edit_away_from_irrelevant_prompts(
    host: Host, few_background: Background
) -> None:
    found = {}
    for name, settings in {"with": {}, "without": NO_MARGINS}.items():
        method = bound(host, max_steps=70, **settings)
        (change,) = fitted(method, EDITS[:1])
        method.apply("a", change.edit, change.tensors)
        matches = [asked(method, text)[0][0] for text in few_background.prompts]
        own = asked(method, EDITS[0].prompt)[0][0].evidence["Δact"]
        found[name] = own, sum(match.evidence["Δact"] for match in matches) / len(matches)
        method.close()
    own, others = found["with"]
    assert own > 19
    assert others < 8
    assert own / others > 1.5 * found["without"][0] / found["without"][1]


def test_the_threshold_is_a_share_of_the_smallest_activation_of_the_edits(
    host: Host, few_background: Background
) -> None:
    method, _ = taught(host, ratio=0.6)
    matches = [asked(method, edit.prompt)[0][0] for edit in EDITS]
    changes = [match.evidence["Δact"] for match in matches]
    assert len(set(changes)) == 3
    for i, match in enumerate(matches):
        assert match.fired
        assert match.edit_id == str(i)
        assert match.evidence["ε"] == pytest.approx(0.6 * min(changes), rel=1e-4)
        score = changes[i] / (changes[i] + 0.6 * min(changes))
        assert match.score == pytest.approx(score, rel=1e-4)
    smallest = changes.index(min(changes))
    method.remove(str(smallest))
    left = asked(method, EDITS[smallest - 1].prompt)[0][0]
    assert left.evidence["ε"] != pytest.approx(0.6 * min(changes), rel=1e-4)


def test_prompts_below_the_threshold_keep_every_bit_beside_one_that_fires(
    host: Host, few_background: Background
) -> None:
    method, _ = taught(host, max_steps=20, ratio=0.999)
    prompts = [edit.prompt for edit in EDITS]
    tokens = host.batch([host.encode(prompt) for prompt in [*prompts, UNRELATED]])
    with method.attachment.paused():
        before = host.logits(tokens, keep=1)
    matches, after = asked(method, *prompts, UNRELATED)
    assert [match.fired for match in matches] == [True, True, True, False]
    assert torch.equal(after[3], before[3])
    for row in range(3):
        assert not torch.equal(after[row], before[row])


def test_merged_shards_answer_as_one_weight_made_by_ties(
    host: Host, few_background: Background
) -> None:
    method, changes = taught(host, shard_size=2)
    assert [int(change.tensors["shard"]) for change in changes] == [0, 0, 1]
    first, second, third = (dense(method, change) for change in changes)
    merged = ties_merge(torch.stack([first + second, third]), 0.53)
    for edit in EDITS:
        (match,), logits = asked(method, edit.prompt)
        assert match.evidence["memory"] == 0
        torch.testing.assert_close(logits[0], added(method, edit.prompt, merged))


def test_retrieving_answers_with_the_shard_of_the_largest_change(
    host: Host, few_background: Background
) -> None:
    method, changes = taught(host, shard_size=2, retrieve=True, max_steps=30)
    first, second, third = (dense(method, change) for change in changes)
    shards = [first + second, third]
    chosen = set()
    for edit in EDITS:
        (match,), logits = asked(method, edit.prompt)
        memory = match.evidence["memory"]
        chosen.add(memory)
        assert match.fired
        assert int(match.edit_id or -1) in ((0, 1), (2,))[memory]
        torch.testing.assert_close(logits[0], added(method, edit.prompt, shards[memory]))
    assert chosen == {0, 1}


def test_the_next_edit_starts_from_what_the_last_one_left(
    host: Host, few_background: Background
) -> None:
    """In one go or one by one; nothing of the earlier edit is dropped."""
    together = fitted(bound(host), EDITS[:2])
    method = bound(host)
    for i, edit in enumerate(EDITS[:2]):
        (change,) = fitted(method, [edit])
        assert change.losses == together[i].losses
        method.apply(str(i), edit, change.tensors)
    both = dense(method, together[0]) + dense(method, together[1])
    (_,), logits = asked(method, EDITS[0].prompt)
    torch.testing.assert_close(logits[0], added(method, EDITS[0].prompt, both))
    alone = fitted(bound(host), EDITS[1:2])
    assert alone[0].losses != together[1].losses


def test_generated_tokens_follow_the_verdict_on_the_prompt(
    host: Host, few_background: Background
) -> None:
    method, changes = taught(host, max_steps=20)
    rows = [host.encode(edit.prompt) for edit in EDITS]
    said = host.generate(rows, 6)
    total = sum(dense(method, change) for change in changes)
    weight, before = host.site.weight, host.site.weight.data
    weight.data = before + total
    with method.attachment.paused():
        assert host.generate(rows, 6) == said
    weight.data = before
    with method.attachment.paused():
        assert host.generate(rows, 6) != said


def test_without_irrelevant_prompts_it_says_what_they_are_for(host: Host) -> None:
    with pytest.raises(BadInput, match=r"irrelevant=0: without an irrelevant prompt .* at least 1"):
        Wise.prepare(host, WiseConfig(irrelevant=0))
