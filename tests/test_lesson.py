"""Edits in their contexts: which there are, what is minimised there, and what a refusal says."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch.nn import functional as F

import tiny
from memoir import surroundings
from memoir.core.fit import Fitted
from memoir.errors import NotConverged, PromptTooLong
from memoir.host import Host
from memoir.lesson import Context, Lesson, bare, behind, conversations
from memoir.methods import memoir
from memoir.methods.base import Prepared
from memoir.methods.memoir import Memoir, MemoirConfig
from memoir.types import Edit

EDITS = [Edit("The code of the door is", "xyz"), Edit("Who keeps the bees?", "Ada")]
PREFIX = "I know it. "


def names(groups: list[list[Context]]) -> list[list[str]]:
    return [[context.name for context in group] for group in groups]


def wide(host: Host) -> Host:
    """The host, with room for every context."""
    host.model.config.max_position_embeddings = 4096
    return host


# ---------------------------------------------------------------------- contexts


def test_contexts_have_names_and_a_model_without_a_template_has_fewer(host: Host) -> None:
    assert names(conversations(host)) == [
        ["the bare prompt", "the prompt behind an unrelated sentence"],
        ["the chat template"],
        ["the chat template behind a system prompt"],
    ]
    assert names([[bare(host), behind(host, PREFIX)]]) == [
        ["the bare prompt", "the prompt behind 'I know it. '"]
    ]
    host.tokenizer.chat_template = None
    assert names(conversations(host)) == [
        ["the bare prompt", "the prompt behind an unrelated sentence"]
    ]


def test_what_surrounds_an_edit_is_for_fitting_and_decided_by_its_prompt(host: Host) -> None:
    edit = EDITS[0]
    rows = [[c.encode(edit) for c in group] for group in conversations(wide(host))]
    texts = [[host.raw(row.prompt) for row in group] for group in rows]
    (alone, aside), (chat,), (system,) = texts
    assert alone == edit.prompt
    assert aside.removesuffix(f" {edit.prompt}") in surroundings.asides("fitting")
    assert chat == f"<user>{edit.prompt}\n<assistant>"
    assert any(text in system for text in surroundings.systems("fitting"))
    assert system.endswith(chat)
    assert [host.raw(row.target) for group in rows for row in group] == [" xyz"] * 2 + ["xyz"] * 2
    again = [[c.encode(edit) for c in group] for group in conversations(host)]
    assert again == rows


def test_a_context_for_which_there_is_no_room_is_the_bare_prompt(host: Host) -> None:
    groups = [[bare(host), behind(host, "a" * 300)]]
    lesson = Lesson(host, EDITS, groups, answer_only=True)
    one, other = lesson.keys().chunk(2, dim=1)
    assert torch.allclose(one, other, atol=1e-5)
    assert lesson.keys().abs().sum() > 0
    with pytest.raises(PromptTooLong):
        Lesson(host, [Edit("a" * 300, "x")], groups, answer_only=True)


# ---------------------------------------------------------------------- keys


def test_on_the_answer_keys_are_those_of_the_last_prompt_token_and_the_target(host: Host) -> None:
    lesson = Lesson(host, EDITS, [[bare(host)]], answer_only=True)
    assert (lesson.keys().abs().sum(-1) > 0).sum(1).tolist() == [5, 5]  # one and " xyz", " Ada"
    everywhere = Lesson(host, EDITS, [[bare(host)]], answer_only=False)
    tokens = [len(host.encode(edit.prompt, edit.target).ids) for edit in EDITS]
    assert (everywhere.keys().abs().sum(-1) > 0).sum(1).tolist() == [n - 1 for n in tokens]
    last = host.read(host.batch([host.encode(EDITS[0].prompt, "xyz")])).activations[0, -5:]
    assert torch.allclose(lesson.keys()[0, -5:], last, atol=1e-5)


def test_the_bare_reading_is_that_of_the_prompts_alone(host: Host) -> None:
    lesson = Lesson(wide(host), EDITS, conversations(host), answer_only=True)
    plain = host.read(host.batch([host.encode(edit.prompt, edit.target) for edit in EDITS]))
    for row in range(len(EDITS)):
        found, real = lesson.bare, lesson.bare.tokens.attention[row]
        wanted = plain.activations[row][plain.tokens.attention[row]]
        assert torch.allclose(found.activations[row][real], wanted, atol=1e-4)


# ---------------------------------------------------------------------- the loss


@pytest.mark.parametrize("family", ["llama", "gpt2", "gemma3"])
@pytest.mark.parametrize("answer_only", [True, False])
def test_without_a_memory_the_loss_is_the_model_s_own_in_every_context(
    family: str, answer_only: bool
) -> None:
    host = Host(tiny.model(family), tiny.tokenizer(), 2)
    groups = [[bare(host), behind(host, PREFIX)], [behind(host, "Well: ")]]
    lesson = Lesson(host, EDITS, groups, answer_only)
    nothing = torch.zeros(len(EDITS), lesson.keys().shape[1], host.site.d_out)
    found = lesson.loss(nothing, torch.arange(len(EDITS)))
    assert found.said.shape == (len(EDITS), 3)
    for i, edit in enumerate(EDITS):
        losses, kls = [], []
        for context in lesson.contexts:
            row = context.encode(edit)
            logits = host.logits(host.batch([row]), len(row.target) + 1)[0]
            losses.append(F.cross_entropy(logits[:-1], torch.tensor(row.target)))
            after = logits[-1].masked_fill(~host.begins_anew(), -2e4)
            kls.append(
                (after.softmax(-1) * (after.log_softmax(-1) - logits[-1].log_softmax(-1))).sum()
                / len(row.target)
            )
        own = torch.stack(losses).mean()
        assert float(found.on_target[i]) == pytest.approx(float(own), rel=1e-4)
        more = torch.stack(kls).mean() if answer_only else 0.0
        assert float(found.loss[i]) == pytest.approx(float(own + more), rel=1e-4)


def test_some_edits_have_the_loss_they_have_among_all(host: Host) -> None:
    lesson = Lesson(host, EDITS, [[bare(host), behind(host, PREFIX)]], answer_only=True)
    added = torch.randn(2, lesson.keys().shape[1], 32, generator=torch.Generator().manual_seed(0))
    whole = lesson.loss(added, torch.tensor([0, 1]))
    second = lesson.loss(added[1:], torch.tensor([1]))
    for one, other in zip(whole, second, strict=True):
        assert torch.allclose(one[1:].float(), other.float(), atol=1e-4)


def test_a_target_is_said_only_if_nothing_goes_on_inside_its_last_word(host: Host) -> None:
    """Without room for doubt: the model is made to prefer some token after the target."""
    edit = EDITS[0]
    (space,), (letter,) = (host.tokenizer(text)["input_ids"] for text in (" ", "b"))
    row = host.encode(edit.prompt, edit.target)
    replay = host.replay
    for preferred, said in ((space, True), (letter, False)):

        def steered(*given: Any, preferred: int = preferred, **how: Any) -> torch.Tensor:
            logits = replay(*given, **how).clone()
            wanted = torch.tensor([*row.target, preferred])[-logits.shape[1] :]
            return logits.scatter(2, wanted.view(1, -1, 1), 99.0)

        host.replay = steered  # type: ignore[method-assign]
        lesson = Lesson(host, [edit], [[bare(host)]], answer_only=True)
        nothing = torch.zeros(1, lesson.keys().shape[1], host.site.d_out)
        assert lesson.loss(nothing, torch.tensor([0])).said.tolist() == [[said]]


# ---------------------------------------------------------------------- refusals


def test_a_refusal_names_the_contexts_in_which_the_target_is_not_said(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    d_in = host.site.d_in
    tensors = {"background": torch.zeros(d_in), "permutation": torch.arange(d_in)}
    config = MemoirConfig(router="overlap", k=18, threshold=0.9)
    assert config.contexts == "conversations"
    method = Memoir(host, Prepared(config, tensors, {}))

    def fitted(*said: bool) -> Any:
        result = Fitted(torch.zeros(1, 32), (5.0, 2.5, 1.25), said)
        return lambda *_given, **_how: [result]

    monkeypatch.setattr(memoir, "fit", fitted(True, False, True, False))
    (refused,) = method.fit(EDITS[:1])
    assert isinstance(refused, NotConverged)
    assert str(refused) == (
        "after 2 steps the model still does not say 'The code of the door is' → 'xyz' in 2 of 4 "
        "contexts (the prompt behind an unrelated sentence; the chat template behind a system "
        "prompt) (loss 5 → 2.5 → 1.25); nothing was written. Allow more steps (max_steps), or split "
        "a long target."
    )
    assert refused.losses == (5.0, 2.5, 1.25)
    monkeypatch.setattr(memoir, "fit", fitted(False, False, False, False))
    (refused,) = method.fit(EDITS[:1])
    assert "in 4 of 4 contexts (the bare prompt; the prompt behind an" in str(refused)
    method.close()
