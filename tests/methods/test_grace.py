"""GRACE: what a ball's value does to a prompt, and how it is trained. The balls themselves are worked
by hand in tests/core/test_codebook.py."""

from __future__ import annotations

import pytest
import torch

from memoir.host import Host
from memoir.host.last_token import LastTokenLesson
from memoir.methods.base import Change
from memoir.methods.grace import AT_THE_EDGE, Grace, GraceConfig
from memoir.types import Edit, Match

EDIT = Edit("The code of the door is", "xyz")


def bound(host: Host, **settings: float) -> Grace:
    return Grace(host, Grace.prepare(host, GraceConfig(**settings)))  # type: ignore[arg-type]


def asked(method: Grace, prompt: str) -> tuple[torch.Tensor, Match]:
    host = method.host
    with method.attachment.scope() as scope:
        logits = host.logits(host.batch([host.encode(prompt)]))
    (match,) = method.verdicts(scope.route)
    return logits, match


def key_and_value(host: Host) -> dict[str, torch.Tensor]:
    value = torch.linspace(-1, 1, host.site.d_out)
    return {"key": LastTokenLesson(host, [EDIT]).keys[0], "value": value}


def test_the_value_stands_in_place_of_the_output_at_the_last_token(host: Host) -> None:
    method = bound(host)
    tensors = key_and_value(host)
    own = LastTokenLesson(host, [EDIT]).outputs[0]
    put = host.read(host.batch([host.encode(EDIT.prompt)]))
    added = torch.zeros(1, put.last, host.site.d_out)
    added[0, -1] = tensors["value"] - own
    wanted = host.replay(put, added)
    method.apply("a", EDIT, tensors)
    logits, match = asked(method, EDIT.prompt)
    torch.testing.assert_close(logits, wanted, rtol=1e-3, atol=1e-3)
    assert match.edit_id == "a"
    assert match.evidence["distance"] == pytest.approx(0.0, abs=1e-4)


def test_only_a_prompt_inside_the_ball_is_answered(host: Host) -> None:
    other = "The code of the gate is"
    apart = LastTokenLesson(host, [EDIT, Edit(other, "xyz")]).keys
    distance = float((apart[0] - apart[1]).norm())
    assert distance > 0.01
    with torch.no_grad():
        before = host.logits(host.batch([host.encode(other)]))
    for radius, inside in ((0.9 * distance, False), (1.1 * distance, True)):
        method = bound(host, radius=radius)
        method.apply("a", EDIT, key_and_value(host))
        logits, match = asked(method, other)
        assert match.fired == inside
        assert torch.equal(logits, before) == (not inside)
        assert match.evidence["distance"] == pytest.approx(distance, rel=1e-3)
        assert match.score == pytest.approx(AT_THE_EDGE ** (distance / radius), rel=1e-3)
        method.remove("a")


def test_its_steps_are_those_of_adam_from_the_sites_own_output(host: Host) -> None:
    steps = 6
    (change,) = bound(host, max_steps=steps, stop_loss=0.0, lr=0.1).fit([EDIT])
    assert isinstance(change, Change)
    lesson = LastTokenLesson(host, [EDIT])
    value = lesson.outputs.clone().requires_grad_()
    adam = torch.optim.Adam([value], lr=0.1)
    for step in range(steps):
        (loss,) = lesson.loss(value)[0]
        assert change.losses[step] == pytest.approx(float(loss.detach()), rel=1e-3)
        adam.zero_grad()
        loss.backward()
        adam.step()
    close = (change.tensors["value"] - value.detach()[0]).abs() < 0.02 * steps * 0.1
    assert close.float().mean() > 0.99  # Adam turns rounding into steps where gradients vanish
    torch.testing.assert_close(change.tensors["key"], lesson.keys[0])


def test_a_ball_another_edit_holds_is_its_own_once_that_one_is_gone(host: Host) -> None:
    method = bound(host)
    tensors = key_and_value(host)
    other = {**tensors, "value": -tensors["value"]}
    method.apply("b", EDIT, other)
    alone = asked(method, EDIT.prompt)[0]
    method.remove("b")
    method.apply("a", EDIT, tensors)
    method.apply("b", EDIT, other)
    logits, match = asked(method, EDIT.prompt)
    assert match.edit_id == "a"
    assert not torch.allclose(logits, alone)
    method.remove("a")
    logits, match = asked(method, EDIT.prompt)
    assert match.edit_id == "b"
    assert torch.equal(logits, alone)
