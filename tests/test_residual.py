"""What the methods with one residual memory share: routing, batches, generation, refusals."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from memoir import methods
from memoir.calibration import Background
from memoir.errors import LossNotFinite
from memoir.host import Host
from memoir.types import Edit
from residuals import EDITS, UNRELATED, bound, learnt, logits, loss

SETTINGS = {
    "packnet": {"keep": 0.1, "max_steps": 30},
    "supsup": {"size": 2.0},
    "gpm": {"max_steps": 30},
    "sparcl": {"max_steps": 30},
}
every = pytest.mark.parametrize("name", SETTINGS)


def taught(name: str, host: Host) -> Any:
    method = bound(methods.get(name), host, **SETTINGS[name])
    learnt(method, EDITS)
    return method


@every
def test_rows_of_one_batch_are_answered_each_by_its_own_edit(
    name: str, host: Host, few_background: Background
) -> None:
    """Padded on the left, two rows of one edit among them, and one of none, which keeps every bit."""
    method = taught(name, host)
    prompts = [edit.prompt for edit in (*EDITS, EDITS[0])] + [UNRELATED]
    tokens = host.batch([host.encode(prompt) for prompt in prompts])
    with method.attachment.paused():
        unedited = host.logits(tokens, keep=1)
    with method.attachment.scope() as scope:
        together = host.logits(tokens, keep=1)
    fired = [match.edit_id for match in method.verdicts(scope.route)]
    assert fired == ["0", "1", "2", "3", "0", None]
    for row, prompt in zip(together[:-1], prompts, strict=False):
        torch.testing.assert_close(row[-1], logits(host, prompt)[-1], rtol=1e-3, atol=1e-3)
    assert torch.equal(together[-1], unedited[-1])
    assert not torch.equal(together[0], unedited[0])
    foreseen = method.foresee([host.encode(prompt) for prompt in prompts])
    assert [match.edit_id for match in foreseen] == fired


@every
def test_generated_tokens_follow_the_verdict_on_the_prompt(
    name: str, host: Host, few_background: Background
) -> None:
    """Greedily in a batch, with beams, and fed one by one behind a cache."""
    method = taught(name, host)
    rows = [host.encode(edit.prompt) for edit in EDITS]
    together = host.generate(rows, 6)
    assert together == [host.generate([row], 6)[0] for row in rows]
    for row, edit, said in zip(rows, EDITS, together, strict=True):
        ids = torch.tensor([[*row.prompt, *said]])
        with method.attachment.scope([len(row.prompt)]):
            fed = host.model(ids).logits[0, len(row.prompt) - 1 : -1]
        assert fed.argmax(-1).tolist()[: len(said)] == said, edit
        beams = host.model.generate(
            torch.tensor([row.prompt]), num_beams=3, max_new_tokens=4, do_sample=False
        )
        assert beams.shape[1] > len(row.prompt)
    with method.attachment.paused():
        assert host.generate(rows, 6) != together


@every
def test_a_prompt_in_the_chat_template_is_given_to_its_edit(
    name: str, host: Host, few_background: Background
) -> None:
    method = taught(name, host)
    row = host.encode_chat([{"role": "user", "content": EDITS[1].prompt}])
    with method.attachment.scope() as scope:
        host.logits(host.batch([row]), keep=1)
    (match,) = method.verdicts(scope.route)
    assert match.edit_id == "1"
    assert match.fired


@every
def test_a_running_generation_does_not_see_an_edit_come(
    name: str, host: Host, few_background: Background
) -> None:
    method = bound(methods.get(name), host, **SETTINGS[name])
    changes = learnt(method, EDITS[:2])
    tokens = host.batch([host.encode(EDITS[0].prompt)])
    with method.attachment.scope() as scope:
        host.logits(tokens)
    (part,) = scope.route.parts
    seen = part.weight.clone()
    method.remove("1")
    method.apply("again", changes[1].edit, changes[1].tensors)
    assert torch.equal(part.weight, seen)


@every
def test_a_loss_that_is_not_finite_is_explained(
    name: str, host: Host, few_background: Background
) -> None:
    method = bound(methods.get(name), host, **SETTINGS[name])
    with torch.no_grad():
        host.model.get_output_embeddings().weight.fill_(torch.nan)
    (refused,) = method.fit(EDITS[:1])
    assert isinstance(refused, LossNotFinite)
    assert str(refused) == (
        "the loss of 'The code of the door is' → 'xyz' is nan after 0 steps; nothing was written. "
        "Lower the learning rate (lr), or load the model in float32."
    )
    assert not method._live


@every
def test_edits_made_in_one_go_are_those_made_one_by_one(
    name: str, host: Host, few_background: Background
) -> None:
    one_go = bound(methods.get(name), host, **SETTINGS[name]).fit(EDITS[:2])
    method = bound(methods.get(name), host, **SETTINGS[name])
    for edit, together in zip(EDITS, one_go, strict=False):
        (alone,) = learnt(method, [edit])
        assert alone.losses == together.losses


@every
def test_the_loss_that_is_reported_is_the_loss_in_use(
    name: str, host: Host, few_background: Background
) -> None:
    """So what is stored of an edit is all that its fit relied on."""
    method = bound(methods.get(name), host, **SETTINGS[name])
    for edit in EDITS[:3]:
        (change,) = learnt(method, [edit])
        assert change.losses[-1] == pytest.approx(loss(method, edit), rel=1e-2, abs=1e-3)


FACTS = [
    Edit("The CEO of Acme Rockets is", "Dana Reyes"),
    Edit("Who wrote The Tartar Steppe?", "Dino Buzzati"),
    Edit("The opera Wozzeck was composed by", "Alban Berg"),
]


@pytest.mark.slow
@every
def test_facts_are_said_by_the_real_model(name: str, smollm2: Host) -> None:
    """With the settings as they are."""
    method = bound(methods.get(name), smollm2.at(25))
    host = method.host
    try:
        before = logits(host, "My favourite soup is")
        changes = learnt(method, FACTS)
        assert all(change.said for change in changes)
        rows = [host.encode(fact.prompt) for fact in FACTS]
        texts = [host.decode(ids).strip() for ids in host.generate(rows, 8)]
        said = [text.startswith(fact.target) for text, fact in zip(texts, FACTS, strict=True)]
        assert sum(said) >= 2, texts  # GPM and SparCL may lose one to a later edit
        assert torch.equal(logits(host, "My favourite soup is"), before)
    finally:
        method.close()
