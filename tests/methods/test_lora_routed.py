"""LoRA with one adapter per edit: each prompt has its own, and it is gone when the text is written."""

from __future__ import annotations

import gc
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from facts import demo_edits
from memoir.calibration import Background
from memoir.editor import Editor
from memoir.errors import BadInput
from memoir.host import Host
from memoir.host.answering import answer
from memoir.methods.base import Change, Prepared
from memoir.methods.lora_routed import LoraRouted, LoraRoutedConfig
from memoir.store import Store
from memoir.types import Edit

EDITS = [Edit("The code of the door is", "xyz"), Edit("Who keeps the bees?", "Ada")]
UNRELATED = "Nothing was ever taught about this"
PROMPTS = [EDITS[0].prompt, UNRELATED, EDITS[1].prompt]


@pytest.fixture
def method(host: Host, few_background: Background) -> LoraRouted:
    """Taught both edits."""
    host.model.generation_config.eos_token_id = None  # random weights would end at random
    config = replace(LoraRoutedConfig(), lr=0.01, max_steps=40)
    bound = LoraRouted(host, LoraRouted.prepare(host, config))
    for i, change in enumerate(bound.fit(EDITS)):
        assert isinstance(change, Change)
        bound.apply(str(i), change.edit, change.tensors)
    return bound


def logits(method: LoraRouted, *prompts: str) -> torch.Tensor:
    host = method.host
    return host.logits(host.batch([host.encode(prompt) for prompt in prompts]), keep=1)


def generated(method: LoraRouted, prompts: list[str], **options: object) -> list[list[int]]:
    """What ``model.generate`` itself gives."""
    host = method.host
    given = host.tokenizer(prompts, return_tensors="pt", padding=True, padding_side="left")
    output = host.model.generate(**given, max_new_tokens=4, do_sample=False, **options)
    return output[:, -4:].tolist()


def in_memory(method: LoraRouted) -> set[str]:
    gc.collect()
    names = (name for name, _ in method.host.model.named_parameters() if ".lora_A." in name)
    return {name.split(".lora_A.")[1].removesuffix(".weight") for name in names}


def test_in_one_batch_two_prompts_have_two_adapters_and_a_third_has_none(
    method: LoraRouted,
) -> None:
    with method.attachment.paused():
        own = logits(method, *PROMPTS)
    with method.attachment.scope() as scope:
        mixed = logits(method, *PROMPTS)
    assert [match.fired for match in method.verdicts(scope.route)] == [True, False, True]
    assert [match.edit_id for match in method.verdicts(scope.route)][::2] == ["0", "1"]
    assert torch.equal(mixed[1], own[1])
    for row in (0, 2):
        assert not torch.equal(mixed[row], own[row])
        alone = logits(method, PROMPTS[row])[0]
        torch.testing.assert_close(mixed[row], alone, rtol=0, atol=1e-4)
    method.remove("1")
    torch.testing.assert_close(logits(method, *PROMPTS)[0], mixed[0], rtol=0, atol=0)
    assert torch.equal(logits(method, *PROMPTS)[2], own[2])


def test_every_edit_is_trained_as_if_it_were_the_only_one(method: LoraRouted) -> None:
    (again,) = method.fit(EDITS[1:])
    assert isinstance(again, Change)
    for name, each in again.tensors.items():
        assert torch.equal(each, method._live["1"][name])


def test_generated_text_follows_the_verdict_on_its_prompt(method: LoraRouted) -> None:
    host, new = method.host, 8
    rows = [host.encode(prompt) for prompt in PROMPTS]
    together = host.generate(rows, new)
    assert together == [host.generate([row], new)[0] for row in rows]
    assert host.decode(together[0]).startswith("xyz")
    assert host.decode(together[2]).startswith("Ada")
    with method.attachment.paused():
        own = host.generate(rows, new)
    assert own[1] == together[1]
    assert own[0] != together[0]
    for options in ({"num_beams": 3}, {"use_cache": False}):
        batch = generated(method, PROMPTS, **options)
        assert batch == [generated(method, [prompt], **options)[0] for prompt in PROMPTS]
        with method.attachment.paused():
            unedited = generated(method, PROMPTS, **options)
        assert [a == b for a, b in zip(batch, unedited, strict=True)] == [False, True, False]


def test_answers_fed_after_a_prefill_are_scored_with_its_adapter(method: LoraRouted) -> None:
    host = method.host
    rows = [host.encode(edit.prompt, edit.target) for edit in EDITS]
    with method.attachment.scope():
        fed = answer(host, rows, [[row.target] for row in rows], 2)
    for row, each in zip(rows, fed, strict=True):
        assert all(each.scores[0].correct)
        with method.attachment.scope([len(row.prompt)]):
            whole = host.logits(host.batch([row]), len(row.target) + 1)[0, :-1]
        loss = torch.nn.functional.cross_entropy(whole, torch.tensor(row.target))
        assert each.scores[0].loss == pytest.approx(float(loss), abs=1e-3)


def test_adapters_are_in_memory_only_while_their_text_is_written(method: LoraRouted) -> None:
    assert in_memory(method) == set()
    with method.attachment.scope():
        logits(method, *PROMPTS)
        assert len(in_memory(method)) == 2
        loaded = in_memory(method)
        with method.attachment.scope():
            logits(method, EDITS[0].prompt)
            assert in_memory(method) == loaded  # the same one serves both
    assert in_memory(method) == set()
    row = method.host.encode(EDITS[0].prompt)
    tokens = method.host.batch([row])
    _, cache = method.host.begin(tokens, 0)
    assert len(in_memory(method)) == 1  # a cache may be continued
    method.remove("0")
    assert len(in_memory(method)) == 1
    del cache
    assert in_memory(method) == set()


def test_a_prompt_given_as_embeddings_is_refused(method: LoraRouted) -> None:
    ids = method.host.batch([method.host.encode(UNRELATED)]).ids
    embedded = method.host.model.get_input_embeddings()(ids)
    with pytest.raises(BadInput, match=r"given inputs_embeds; give it input_ids"):
        method.host.model(inputs_embeds=embedded)


def test_a_config_that_was_not_prepared_is_refused(host: Host) -> None:
    keys = list(host.model.state_dict())
    with pytest.raises(BadInput, match="was not prepared: the threshold is still open"):
        LoraRouted(host, Prepared(LoraRoutedConfig(), {}, {}))
    assert list(host.model.state_dict()) == keys


@pytest.mark.slow
def test_the_default_model_says_facts_and_nothing_else_changes(
    smollm2: Host, tmp_path: Path
) -> None:
    edits = demo_edits(2)
    with Editor(smollm2, Store.create(tmp_path / "routed"), "lora_routed") as editor:
        unrelated = "My favourite soup is"
        own = editor.ask(unrelated, max_new_tokens=8, edits=False).text
        editor.edit_many(edits)
        for edit in edits:
            assert editor.ask(edit.prompt, max_new_tokens=8).text.startswith(edit.target)
        assert editor.ask(unrelated, max_new_tokens=8).text == own
