"""A memory that acts on the answer only: before it and after it the model is the unedited one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch

import tiny
from memoir.host import Host
from memoir.host.answering import answer
from memoir.methods.base import Prepared
from memoir.methods.memoir import Memoir, MemoirConfig
from memoir.types import Edit

EDIT = Edit("The code of the door is", "xyz")
OTHER = "Nothing was taught here"
TARGET = 4
"""Tokens of the target: a space and three letters."""
NEW = 10


@pytest.fixture(scope="module", params=sorted(tiny.CONFIGS))
def method(request: pytest.FixtureRequest) -> Iterator[Memoir]:
    """The edit, taught to a model of each family."""
    host = Host(tiny.model(request.param), tiny.tokenizer(), 2)
    host.model.generation_config.eos_token_id = None  # random weights would end at random
    d_in = host.site.d_in
    tensors = {"background": torch.zeros(d_in), "permutation": torch.arange(d_in)}
    config = MemoirConfig(
        router="overlap", contexts="bare", k=18, threshold=0.9, lr=0.5, max_steps=200
    )
    assert config.acts_on == "answer"
    bound = Memoir(host, Prepared(config, tensors, {}))
    (change,) = bound.fit([EDIT])
    assert not isinstance(change, Exception), change
    bound.apply("0", EDIT, change.tensors)
    yield bound
    bound.close()


def inputs(method: Memoir, *prompts: str) -> dict[str, torch.Tensor]:
    return method.host.tokenizer(
        list(prompts), return_tensors="pt", padding=True, padding_side="left"
    )


@contextmanager
def watched(method: Memoir) -> Iterator[list[torch.Tensor]]:
    """For each pass in the block, by row and position: whether the site's output was changed."""
    changed: list[torch.Tensor] = []
    site = method.host.site.module

    def look(_module: Any, args: tuple[torch.Tensor], output: torch.Tensor) -> None:
        changed.append((output != type(site).forward(site, args[0])).any(-1))

    hook = site.register_forward_hook(look)
    try:
        yield changed
    finally:
        hook.remove()


def test_the_prompt_leaves_the_cache_of_the_unedited_model(method: Memoir) -> None:
    given = inputs(method, EDIT.prompt, OTHER, "Short")
    edited = method.host.model(**given, use_cache=True)
    with method.attachment.paused():
        plain = method.host.model(**given, use_cache=True)
    assert not torch.equal(edited.logits[0, -1], plain.logits[0, -1])
    assert torch.equal(edited.logits[:, :-1], plain.logits[:, :-1])
    assert torch.equal(edited.logits[1:], plain.logits[1:])
    layers = zip(edited.past_key_values.layers, plain.past_key_values.layers, strict=True)
    for one, other in layers:
        assert torch.equal(one.keys[:, :, :-1], other.keys[:, :, :-1])
        assert torch.equal(one.values[:, :, :-1], other.values[:, :, :-1])


def test_it_acts_from_the_prompt_s_last_token_until_the_target_is_said(method: Memoir) -> None:
    given = inputs(method, OTHER, EDIT.prompt)
    with watched(method) as changed:
        output = method.host.model.generate(**given, max_new_tokens=NEW, do_sample=False)
    assert method.host.decode(output[1, -NEW:]).startswith(EDIT.target)
    assert changed[0].sum(1).tolist() == [0, 1]
    assert bool(changed[0][1, -1])
    acted = [each.tolist() for each in changed[1:]]
    assert acted == [[[False], [step < TARGET]] for step in range(NEW - 1)]


def test_without_a_cache_each_token_is_treated_the_same(method: Memoir) -> None:
    given = inputs(method, EDIT.prompt)
    options = {"max_new_tokens": NEW, "do_sample": False}
    cached = method.host.model.generate(**given, **options)
    with watched(method) as changed:
        assert torch.equal(method.host.model.generate(**given, use_cache=False, **options), cached)
    before = given["input_ids"].shape[1] - 1
    for step, each in enumerate(changed):
        acted = min(step, TARGET) + 1
        assert each[0].tolist() == [False] * before + [True] * acted + [False] * (step + 1 - acted)


def test_answers_fed_into_a_cut_cache_score_as_fed_with_their_prompt(method: Memoir) -> None:
    host = method.host
    prompts = [host.encode(EDIT.prompt), host.encode(OTHER)]
    targets = [list(host.encode(EDIT.prompt, text).target) for text in ("xyz", "xyz and so on")]
    with method.attachment.scope():
        after_generating = answer(host, prompts, [targets, targets], NEW)
    for row, prompt in enumerate(prompts):
        for turn, target in enumerate(targets):
            whole = host.batch([prompt._replace(target=target)])
            with method.attachment.scope([len(prompt.prompt)]):
                logits = host.logits(whole, len(target) + 1)[0, :-1]
            score = after_generating[row].scores[turn]
            loss = torch.nn.functional.cross_entropy(logits, torch.tensor(target))
            assert score.loss == pytest.approx(float(loss), rel=1e-3)
            assert score.predicted == tuple(logits.argmax(-1).tolist())
    assert all(after_generating[0].scores[0].correct)


def test_beams_and_samples_run_and_say_the_target(method: Memoir) -> None:
    given = inputs(method, EDIT.prompt, OTHER)
    beams = method.host.model.generate(**given, max_new_tokens=NEW, do_sample=False, num_beams=3)
    assert method.host.decode(beams[0, -NEW:]).startswith(EDIT.target)
    torch.manual_seed(0)
    samples = method.host.model.generate(
        **given, max_new_tokens=NEW, do_sample=True, temperature=0.05, num_return_sequences=2
    )
    for row in samples[:2]:
        assert method.host.decode(row[-NEW:]).startswith(EDIT.target)
