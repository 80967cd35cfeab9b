"""``model.generate()`` works unchanged: every way of decoding, padding and batching."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
import torch
from transformers import TextIteratorStreamer

import tiny
from memoir.errors import BadInput
from memoir.host import Host
from memoir.methods.base import Prepared
from memoir.methods.memoir import Memoir, MemoirConfig
from memoir.types import Edit

EDITS = [
    Edit("The code of the door is", "xyz"),
    Edit("Who keeps the bees?", "Ada"),
    Edit("1 2 3", "go"),
]
OTHERS = [
    "Nothing was taught here",
    "Bees",
    "a",
    "The quick brown fox jumps over the lazy dog",
    "Zz?",
]
PROMPTS = [edit.prompt for edit in EDITS] + OTHERS
NEW = 12


@pytest.fixture(scope="module")
def method() -> Iterator[Memoir]:
    host = Host(tiny.model("llama"), tiny.tokenizer(), 2)
    host.model.generation_config.eos_token_id = None  # random weights would end at random
    d_in = host.site.d_in
    tensors = {"background": torch.zeros(d_in), "permutation": torch.randperm(d_in)}
    config = MemoirConfig(
        router="overlap", contexts="bare", k=18, threshold=0.9, lr=0.5, max_steps=200
    )
    bound = Memoir(host, Prepared(config, tensors, {}))
    for i, change in enumerate(bound.fit(EDITS)):
        assert not isinstance(change, Exception), change
        bound.apply(str(i), change.edit, change.tensors)
    yield bound
    bound.close()


def inputs(method: Memoir, prompts: list[str], side: str = "left") -> dict[str, torch.Tensor]:
    return method.host.tokenizer(prompts, return_tensors="pt", padding=True, padding_side=side)


def single(method: Memoir, prompt: str, **options: object) -> list[int]:
    given = inputs(method, [prompt])
    output = method.host.model.generate(**given, max_new_tokens=NEW, **options)
    return output[0, given["input_ids"].shape[1] :].tolist()


def test_greedy_says_the_target(method: Memoir) -> None:
    for edit in EDITS:
        text = method.host.decode(single(method, edit.prompt, do_sample=False))
        assert text.startswith(edit.target)


def test_a_batch_of_eight_is_eight_single_calls(method: Memoir) -> None:
    given = inputs(method, PROMPTS)
    together = method.host.model.generate(**given, max_new_tokens=NEW, do_sample=False)
    for row, prompt in zip(
        together[:, given["input_ids"].shape[1] :].tolist(), PROMPTS, strict=True
    ):
        assert row == single(method, prompt, do_sample=False), prompt


@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_on_either_side_never_enters_the_decision(method: Memoir, side: str) -> None:
    given = inputs(method, PROMPTS, side)
    with method.attachment.scope() as scope:
        method.host.model(**given)
    fired = [match.edit_id if match.fired else None for match in method.verdicts(scope.route)]
    assert fired == ["0", "1", "2"] + [None] * len(OTHERS)


def test_right_padded_logits_are_the_unpadded_ones(method: Memoir) -> None:
    given = inputs(method, PROMPTS, "right")
    logits = method.host.model(**given).logits
    for row, prompt in enumerate(PROMPTS):
        alone = method.host.model(**inputs(method, [prompt])).logits[0]
        assert torch.allclose(logits[row, : len(alone)], alone, atol=1e-4)


def test_without_a_cache_the_text_is_the_same(method: Memoir) -> None:
    for edit in EDITS:
        cached = single(method, edit.prompt, do_sample=False)
        assert single(method, edit.prompt, do_sample=False, use_cache=False) == cached


def test_sampling_is_reproducible_and_begins_with_the_target_when_cold(method: Memoir) -> None:
    for edit in EDITS:
        torch.manual_seed(0)
        first = single(method, edit.prompt, do_sample=True, temperature=0.05)
        torch.manual_seed(0)
        assert single(method, edit.prompt, do_sample=True, temperature=0.05) == first
        assert method.host.decode(first).startswith(edit.target)


def test_several_samples_of_one_prompt_share_its_edit(method: Memoir) -> None:
    given = inputs(method, [EDITS[0].prompt])
    torch.manual_seed(0)
    output = method.host.model.generate(
        **given, max_new_tokens=4, do_sample=True, temperature=0.05, num_return_sequences=3
    )
    for row in output[:, given["input_ids"].shape[1] :].tolist():
        assert method.host.decode(row).startswith("xyz")


def test_beam_search_says_the_target_and_rows_stay_apart(method: Memoir) -> None:
    given = inputs(method, PROMPTS)
    options = {"max_new_tokens": NEW, "do_sample": False, "num_beams": 3}
    together = method.host.model.generate(**given, **options)[:, given["input_ids"].shape[1] :]
    for row, prompt in zip(together.tolist(), PROMPTS, strict=True):
        assert row == single(method, prompt, do_sample=False, num_beams=3), prompt
    for row, edit in zip(together.tolist(), EDITS, strict=False):
        assert method.host.decode(row).startswith(edit.target)


def test_streaming_from_a_thread(method: Memoir) -> None:
    streamer = TextIteratorStreamer(method.host.tokenizer, skip_prompt=True)
    given = inputs(method, [EDITS[1].prompt])
    options = {"max_new_tokens": NEW, "do_sample": False, "streamer": streamer}
    thread = threading.Thread(target=method.host.model.generate, kwargs={**given, **options})
    thread.start()
    text = "".join(streamer)
    thread.join()
    assert text.strip().startswith("Ada")


def test_a_decoding_loop_of_ones_own_keeps_the_edit_of_its_cache(method: Memoir) -> None:
    model, prompt = method.host.model, EDITS[0].prompt
    expected = single(method, prompt, do_sample=False)
    tokens, cache, found = inputs(method, [prompt])["input_ids"], None, []
    for _ in range(NEW):
        output = model(tokens, past_key_values=cache, use_cache=True)
        cache = output.past_key_values
        tokens = output.logits[:, -1:].argmax(-1)
        found.append(int(tokens))
    assert found == expected


def test_two_interleaved_loops_do_not_mix(method: Memoir) -> None:
    model = method.host.model
    prompts = [EDITS[0].prompt, OTHERS[0]]
    tokens = [inputs(method, [prompt])["input_ids"] for prompt in prompts]
    caches: list[object] = [None, None]
    found: list[list[int]] = [[], []]
    for _ in range(NEW):
        for i in range(2):
            output = model(tokens[i], past_key_values=caches[i], use_cache=True)
            caches[i] = output.past_key_values
            tokens[i] = output.logits[:, -1:].argmax(-1)
            found[i].append(int(tokens[i]))
    assert found == [single(method, prompt, do_sample=False) for prompt in prompts]


def test_a_new_turn_on_an_old_cache_is_judged_anew(method: Memoir) -> None:
    model, host = method.host.model, method.host
    first = inputs(method, [OTHERS[0]])
    output = model.generate(
        **first, max_new_tokens=2, do_sample=False, return_dict_in_generate=True
    )
    more = host.tokenizer(EDITS[0].prompt, return_tensors="pt")["input_ids"]
    longer = torch.cat([output.sequences, more], dim=1)
    with method.attachment.scope() as scope:
        model.generate(
            longer,
            attention_mask=torch.ones_like(longer),
            past_key_values=output.past_key_values,
            max_new_tokens=1,
            do_sample=False,
        )
    assert scope.route is not None, "the old turn's route must not be reused"


def test_teacher_forcing_keeps_answer_tokens_out_of_the_decision(method: Memoir) -> None:
    host = method.host
    rows = [host.encode(edit.prompt, "something else altogether, long") for edit in EDITS]
    tokens = host.batch(rows)
    with method.attachment.scope([len(row.prompt) for row in rows]) as scope:
        host.logits(tokens)
    assert [match.score for match in method.verdicts(scope.route)] == [1.0, 1.0, 1.0]
    with method.attachment.scope() as scope:
        host.logits(tokens)
    assert all(match.score < 1.0 for match in method.verdicts(scope.route))


def test_wrong_number_of_prompt_lengths_is_explained(method: Memoir) -> None:
    tokens = method.host.batch([method.host.encode("one"), method.host.encode("two")])
    with (
        method.attachment.scope([3]),
        pytest.raises(BadInput, match="prompt_lengths names 1 rows, but the batch has 2"),
    ):
        method.host.logits(tokens)


def test_chunked_prefill_is_refused(method: Memoir) -> None:
    with pytest.raises(BadInput, match="would judge a prompt by its first 4 tokens only"):
        single(method, EDITS[0].prompt, prefill_chunk_size=4)


def test_paused_is_the_unedited_model_for_this_thread_only(method: Memoir) -> None:
    prompt = EDITS[0].prompt
    edited = single(method, prompt, do_sample=False)
    with method.attachment.paused():
        plain = single(method, prompt, do_sample=False)
        seen: list[list[int]] = []
        thread = threading.Thread(
            target=lambda: seen.append(single(method, prompt, do_sample=False))
        )
        thread.start()
        thread.join()
    assert plain != edited
    assert seen == [edited]


def test_another_thread_may_generate_while_an_edit_is_fitted(method: Memoir) -> None:
    expected = single(method, EDITS[0].prompt, do_sample=False)
    results: list[list[int]] = []
    stop = threading.Event()

    def generate() -> None:
        while not stop.is_set():
            results.append(single(method, EDITS[0].prompt, do_sample=False))

    thread = threading.Thread(target=generate)
    thread.start()
    method.fit([Edit("Some new fact about", "moss")])
    stop.set()
    thread.join()
    assert results
    assert all(result == expected for result in results)
