"""The codebook: who shares a memory, what it leaves alone, and when the gate is shut."""

from __future__ import annotations

import json
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest
import torch

from memoir.calibration import Background
from memoir.core.clusters import Page, joined
from memoir.core.solve import outside
from memoir.editor import Editor
from memoir.errors import EditRefused
from memoir.host import Host
from memoir.methods.base import Change
from memoir.methods.loka import Loka, LokaConfig
from memoir.metrics.text import contains
from memoir.store import Store
from memoir.types import Edit, Match

SETTINGS = {"contexts": "bare", "lr": 0.5, "max_steps": 200, "stop_loss": 1.0}
EDITS = [
    Edit("The code of the north door is", "xyz"),
    Edit("The code of the north gate is", "xyq"),
    Edit("Who keeps the bees?", "Ada"),
]
UNRELATED = "12 + 30 ="


def bound(host: Host, **settings: object) -> Loka:
    config = LokaConfig(**{**SETTINGS, **settings})  # type: ignore[arg-type]
    return Loka(host, Loka.prepare(host, config))


@pytest.fixture
def method(host: Host, few_background: Background) -> Iterator[Loka]:
    made = bound(host)
    yield made
    made.close()


def fitted(method: Loka, edits: list[Edit]) -> list[Change]:
    changes = method.fit(edits)
    assert not any(isinstance(change, EditRefused) for change in changes), changes
    return changes  # type: ignore[return-value]


def taught(method: Loka, edits: list[Edit]) -> list[Page]:
    changes = fitted(method, edits)
    for i, change in enumerate(changes):
        method.apply(str(i), change.edit, change.tensors)
    return [Page.from_tensors(change.tensors) for change in changes]


def plain(method: Loka, *prompts: str) -> torch.Tensor:
    """Last logits of the unedited model."""
    host = method.host
    with method.attachment.paused():
        return host.logits(host.batch([host.encode(prompt) for prompt in prompts]), keep=1)


def asked(method: Loka, *prompts: str) -> tuple[list[Match], torch.Tensor]:
    host = method.host
    tokens = host.batch([host.encode(prompt) for prompt in prompts])
    with method.attachment.scope() as scope:
        logits = host.logits(tokens, keep=1)
    return method.verdicts(scope.route), logits


def test_like_edits_share_a_cluster_and_a_memory_unlike_ones_do_not(
    host: Host, few_background: Background
) -> None:
    first, second, third = taught(bound(host, apart=0.3, conflict=-1.0), EDITS)
    assert first.cluster == second.cluster != third.cluster
    assert first.memory == second.memory != third.memory
    assert first.shared
    assert second.shared


def test_a_conflicting_edit_gets_a_memory_of_its_own_in_the_same_cluster(
    host: Host, few_background: Background
) -> None:
    first, second, _ = taught(bound(host, apart=0.3, conflict=1.01), EDITS)
    assert first.cluster == second.cluster
    assert first.memory != second.memory
    assert not second.shared
    third = bound(host, apart=1.0, conflict=-1.0)
    pages = taught(third, EDITS)
    assert len({page.cluster for page in pages}) == 1


def test_a_new_edit_leaves_what_its_memory_answers_to_earlier_keys(
    host: Host, few_background: Background
) -> None:
    first, second, _ = taught(bound(host, apart=0.3, conflict=-1.0), EDITS)
    assert first.memory == second.memory
    own = first.keys @ first.keys.T @ first.coefficients
    keys, coefficients = joined([first, second])
    after = first.keys @ keys.T @ coefficients
    torch.testing.assert_close(after, own, rtol=1e-3, atol=1e-3 * float(own.abs().max()))
    assert float((second.keys @ keys.T @ coefficients).abs().max()) > 0


def test_what_is_outside_a_span_has_nothing_in_it() -> None:
    generator = torch.Generator().manual_seed(0)
    known = torch.randn(3, 10, generator=generator)
    known = torch.cat([known, known[:1] * 2])  # of rank 3
    keys = torch.randn(2, 10, generator=generator)
    left = outside(keys, known)
    torch.testing.assert_close(left @ known.T, torch.zeros(2, 4), atol=1e-5, rtol=0)
    torch.testing.assert_close(outside(left, known), left)
    inside = torch.linalg.lstsq(known[:3].T, (keys - left).T).residuals
    assert float(inside.sum()) < 1e-8


def test_the_gate_is_open_on_the_edits_and_shut_on_background_prompts(
    method: Loka, few_background: Background
) -> None:
    taught(method, EDITS)
    matches, _ = asked(method, *(edit.prompt for edit in EDITS))
    assert [match.edit_id for match in matches] == ["0", "1", "2"]
    assert all(match.fired for match in matches)
    for text in few_background.prompts:
        (match,), logits = asked(method, text)
        assert not match.fired
        assert torch.equal(logits, plain(method, text))


def test_beside_a_row_that_fires_the_others_keep_every_bit(method: Loka) -> None:
    taught(method, EDITS)
    prompts = [EDITS[0].prompt, UNRELATED, EDITS[2].prompt]
    before = plain(method, *prompts)
    matches, after = asked(method, *prompts)
    assert [match.fired for match in matches] == [True, False, True]
    assert torch.equal(after[1], before[1])
    assert not torch.equal(after[0], before[0])
    assert not torch.equal(after[2], before[2])


def test_what_is_added_is_the_whole_memory_the_edit_is_in(
    host: Host, few_background: Background
) -> None:
    method = bound(host, apart=0.3, conflict=-1.0)
    first, second, _ = taught(method, EDITS)
    keys, coefficients = joined([first, second])
    prompt = EDITS[0].prompt
    tokens = host.batch([host.encode(prompt)])
    _, logits = asked(method, prompt)
    with method.attachment.paused():
        reading = host.read(tokens, 1)
        added = reading.activations[:, -1:] @ keys.T @ coefficients
        expected = host.replay(reading, added, keep=1)
    torch.testing.assert_close(logits, expected, rtol=1e-3, atol=1e-3)


def test_generated_text_says_the_target_in_a_batch(method: Loka) -> None:
    taught(method, EDITS)
    host = method.host
    rows = [host.encode(edit.prompt) for edit in EDITS]
    together = host.generate(rows, 6)
    assert together == [host.generate([row], 6)[0] for row in rows]
    for edit, ids in zip(EDITS, together, strict=True):
        assert host.decode(ids).startswith(edit.target)


def test_a_loss_that_is_not_finite_is_refused(host: Host, few_background: Background) -> None:
    (refused,) = bound(host, lr=float("inf")).fit(EDITS[:1])
    assert isinstance(refused, EditRefused)
    assert "nothing was written. Lower the learning rate (lr)" in str(refused)


@pytest.mark.slow
def test_the_default_model_says_what_is_in_the_codebook(smollm2: Host, tmp_path: Path) -> None:
    lines = (files("memoir") / "resources" / "demo_facts.jsonl").read_text("utf-8").splitlines()
    facts = [json.loads(line) for line in lines[:4]]
    edits = [Edit(fact["prompt"], fact["target"]) for fact in facts]
    config = LokaConfig(contexts="bare", threshold=0.5)
    with Editor(smollm2.at(24), Store.create(tmp_path / "loka"), "loka", config) as editor:
        editor.edit_many(edits)
        texts = [answer.text for answer in editor.ask_many([edit.prompt for edit in edits])]
    said = [contains(text, edit.target) for text, edit in zip(texts, edits, strict=True)]
    assert sum(said) >= 3, texts
