"""Sequences of many lengths in one cache: each says what it would alone."""

from __future__ import annotations

import pytest
import torch
from engines import tiny_host
from transformers import DynamicCache

import tiny
from memoir.errors import NotServable
from memoir.host import Host
from memoir.host.tokens import Encoded
from memoir.server.engine import batch as batches
from memoir.server.engine.batch import Batch, RoomyLayer

PROMPTS = ["The quick brown fox jumps over the lazy dog", "Bees", "1 2 3 4 5 6 7 8 9", "Zz?"]
NEW = 24
"""Enough to leave every sliding window of the tiny models."""


def alone(host: Host, prompt: str) -> list[int]:
    return host.generate([host.encode(prompt)], NEW)[0]


def begun(host: Host, *prompts: str) -> tuple[Batch, list[list[int]]]:
    batch, logits = batches.begin(host, [host.encode(prompt) for prompt in prompts])
    ids = logits.argmax(-1)
    return batch._replace(newest=ids), [[id] for id in ids.tolist()]


def go_on(host: Host, batch: Batch, said: list[list[int]], steps: int) -> Batch:
    for _ in range(steps):
        batch, logits = batches.step(host, batch)
        batch = batch._replace(newest=logits.argmax(-1))
        for row, id in zip(said, batch.newest.tolist(), strict=True):
            row.append(id)
    return batch


@pytest.mark.parametrize("family", sorted(tiny.CONFIGS))
def test_rows_that_come_and_go_say_what_they_say_alone(family: str) -> None:
    host = tiny_host(family)
    first, said = begun(host, *PROMPTS[:2])
    first = go_on(host, first, said, 3)
    late, more = begun(host, PROMPTS[2])
    batch = batches.joined([(first, [0, 1]), (late, [0])])
    said += more
    batch = go_on(host, batch, said, 5)
    assert batch.attention.shape[1] == len(host.encode(PROMPTS[0]).prompt) + 8
    long = said.pop(0)
    batch = batches.joined([(batch, [1, 2])])
    assert batch.attention.shape[1] == len(host.encode(PROMPTS[2]).prompt) + 5, "padding is gone"
    last, more = begun(host, PROMPTS[3])
    batch = batches.joined([(last, [0]), (batch, [1, 0])])
    said = [*more, said[1], said[0]]
    go_on(host, batch, said, NEW)
    for prompt, ids in zip([PROMPTS[3], PROMPTS[2], PROMPTS[1]], said, strict=True):
        assert ids[:NEW] == alone(host, prompt), prompt
    assert long == alone(host, PROMPTS[0])[: len(long)]


def test_a_batch_that_joins_leaves_the_parts_alone() -> None:
    host = tiny_host()
    batch, said = begun(host, PROMPTS[0])
    before = [layer.keys.clone() for layer in batch.cache.layers]
    both = batches.joined([(batch, [0]), (batch, [0])])
    go_on(host, both, [[], []], 3)
    assert all(torch.equal(*pair) for pair in zip(before, _keys(batch), strict=True))
    go_on(host, batch, said, NEW - 1)
    assert said == [alone(host, PROMPTS[0])]


def _keys(batch: Batch) -> list[torch.Tensor]:
    return [layer.keys for layer in batch.cache.layers]


def test_a_step_copies_nothing_until_the_room_is_used_up() -> None:
    host = tiny_host()
    batch, said = begun(host, PROMPTS[1])
    batch = go_on(host, batch, said, 1)
    places = [keys.data_ptr() for keys in _keys(batch)]
    batch = go_on(host, batch, said, batches.ROOM)
    assert [keys.data_ptr() for keys in _keys(batch)] == places
    batch = go_on(host, batch, said, 1)
    assert [keys.data_ptr() for keys in _keys(batch)] != places
    assert said == [host.generate([host.encode(PROMPTS[1])], batches.ROOM + 3)[0]]


def test_a_layer_holds_what_transformers_own_would() -> None:
    mine, theirs = RoomyLayer(), DynamicCache()
    for columns in (3, 1, 1, 70, 1):
        keys, values = torch.randn(2, 2, columns, 4), torch.randn(2, 2, columns, 5)
        found = mine.update(keys, values)
        expected = theirs.update(keys, values, 0)
        assert all(torch.equal(*pair) for pair in zip(found, expected, strict=True))
        assert mine.get_seq_length() == theirs.get_seq_length()


def test_only_prompts_are_read() -> None:
    host = tiny_host()
    encoded = host.encode(PROMPTS[1])
    with_target, _ = batches.begin(host, [Encoded(encoded.prompt, [7, 8])])
    assert with_target.attention.shape[1] == len(encoded.prompt)


def test_a_model_with_a_running_state_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    host = tiny_host()
    batches.check_cache(host)
    monkeypatch.setattr(host.model.config, "layer_types", ["linear_attention"] * 4, raising=False)
    with pytest.raises(NotServable, match=r"tiny keeps what it has read as LinearAttentionLayer"):
        batches.check_cache(host)
