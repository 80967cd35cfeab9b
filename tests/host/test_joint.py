"""Rows that were begun apart go on side by side; users of one model keep out of each other's way."""

from __future__ import annotations

import sys
import threading

import torch

import tiny
from memoir.host import Attachment, Fed, Host
from memoir.host.scoped import Scope, joint


class Adds:
    """Adds to rows whose first token is its mark; what was decided is how much."""

    def __init__(self, mark: str, amount: float) -> None:
        self.mark = mark
        self.amount = amount
        self.acted: list[int] = []

    def decide(self, activations: torch.Tensor, fed: Fed) -> list[float]:
        assert fed.ids is not None
        (first,) = tiny.tokenizer()(self.mark)["input_ids"]
        begins = [int(ids[real][0]) == first for ids, real in zip(fed.ids, fed.prompt, strict=True)]
        return [self.amount if each else 0.0 for each in begins]

    def act(
        self, activations: torch.Tensor, output: torch.Tensor, route: list[float], fed: Fed
    ) -> torch.Tensor | None:
        self.acted.append(len(output))
        return output + torch.tensor(route).reshape(-1, 1, 1) if any(route) else None


def logits(host: Host, *prompts: str) -> torch.Tensor:
    return host.logits(host.batch([host.encode(prompt) for prompt in prompts]), 1)


def test_each_row_of_a_joint_pass_has_the_route_of_its_own_scope(host: Host) -> None:
    one, other = Attachment(host, Adds("a", 5.0)), Attachment(host, Adds("b", 7.0))
    prompts = ["a b", "b and more", "a", "b"]
    with one.paused(), other.paused():
        plain = logits(host, *prompts)
    scopes = {one: {0: Scope(), 1: Scope()}, other: {3: Scope()}}
    with joint(scopes):
        found = logits(host, *prompts)
    assert [scope.route for scope in scopes[one].values()] == [[5.0], [0.0]]
    assert scopes[other][3].route == [7.0]
    assert torch.equal(found[1:3], plain[1:3]), "rows without an edit keep every bit"
    with other.paused():
        assert torch.allclose(found[0], logits(host, prompts[0])[0], atol=1e-4)
    with one.paused():
        assert torch.allclose(found[3], logits(host, prompts[3])[0], atol=1e-4)
    assert not torch.allclose(found[0], plain[0], atol=1e-2)


def test_a_row_goes_on_elsewhere_in_another_batch(host: Host) -> None:
    module = Adds("a", 5.0)
    attachment = Attachment(host, module)
    scope = Scope()
    with joint({attachment: {1: scope}}):
        logits(host, "x", "a")
    with joint({attachment: {0: scope}}):
        found = logits(host, "x", "a")  # what was decided holds, whatever stands there now
    with attachment.paused():
        plain = logits(host, "x", "a")
    assert torch.equal(found[1], plain[1])
    assert not torch.allclose(found[0], plain[0], atol=1e-2)


def test_rows_that_need_a_route_are_decided_on_at_once(host: Host) -> None:
    module = Adds("a", 5.0)
    asked: list[int] = []

    def decide_each(activations: torch.Tensor, fed: Fed) -> list[list[float]]:
        asked.append(len(activations))
        return [[amount] for amount in module.decide(activations, fed)]

    attachment = Attachment(host, module, decide_each)
    scopes = {0: Scope(), 1: Scope(), 3: Scope(route=[1.0])}
    with joint({attachment: scopes}):
        logits(host, "a", "b and more", "x", "a")
    assert asked == [2]
    assert [scope.route for scope in scopes.values()] == [[5.0], [0.0], [1.0]]


def test_a_pass_in_which_nothing_acts_calls_no_module(host: Host) -> None:
    module = Adds("a", 5.0)
    Attachment(host, module)
    with joint({}):
        logits(host, "a", "b")
    assert module.acted == []


def test_generate_is_as_it_was_in_whatever_order_attachments_go(host: Host) -> None:
    assert "generate" not in vars(host.model)
    one, other = Attachment(host, Adds("a", 5.0)), Attachment(host, Adds("a", 5.0))
    one.undo()
    ids = torch.tensor([host.encode("a").prompt])
    with other.scope() as scope:
        host.model.generate(ids, max_new_tokens=2, do_sample=False)
    assert scope.route == [5.0]
    other.undo()
    assert "generate" not in vars(host.model)


def test_two_threads_replay_the_same_model_and_leave_no_trace(host: Host) -> None:
    reading = host.read(host.batch([host.encode("a prompt")]))
    expected = host.replay(reading)
    failures: list[str] = []

    def replay() -> None:
        same = [torch.equal(host.replay(reading), expected) for _ in range(60)]
        failures.extend("other logits" for each in same if not each)

    threads = [threading.Thread(target=replay) for _ in range(3)]
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    assert not failures
    assert not any("forward" in vars(block) for block in host.site.blocks)
