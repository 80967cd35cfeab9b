"""What the head is given: positions cut out of a batch are slow to multiply unless gathered first."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

import tiny
from memoir.host import Host

KEPT = 2


@pytest.fixture(params=sorted(tiny.CONFIGS))
def host(request: pytest.FixtureRequest) -> Host:
    """A model of each family."""
    return Host(tiny.model(request.param), tiny.tokenizer(), 2)


@pytest.fixture
def given(host: Host) -> Iterator[list[torch.Tensor]]:
    """What the head was given in each pass."""
    seen: list[torch.Tensor] = []
    head = host.model.get_output_embeddings()
    hook = head.register_forward_hook(lambda _head, args, _output: seen.append(args[0]))
    yield seen
    hook.remove()


def test_the_last_positions_of_a_batch_are_gathered_and_no_other(
    host: Host, given: list[torch.Tensor]
) -> None:
    rows = [host.encode(prompt, "xyz") for prompt in ("The code of the door is", "Who is it?")]
    tokens = host.batch(rows)
    host.logits(tokens, KEPT)
    host.replay(host.read(tokens), keep=KEPT)
    host.step(tokens.ids, tokens.attention, keep=KEPT)
    assert len(given) == 3
    assert all(each.shape[:2] == (2, KEPT) and each.is_contiguous() for each in given)
    given.clear()
    host.generate([host.encode(row) for row in ("The code", "Who")], 3)
    assert all(each.shape[:2] == (2, 1) and each.is_contiguous() for each in given)


def test_nothing_is_left_at_the_head(host: Host) -> None:
    head = host.model.get_output_embeddings()
    host.logits(host.batch([host.encode("The code of the door is"), host.encode("Who?")]), KEPT)
    with pytest.raises(IndexError):
        host.logits(host.batch([host.encode("Who?")])._replace(ids=torch.tensor([[10**6]])))
    assert not head._forward_pre_hooks
