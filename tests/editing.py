"""Facts for tiny editors, and what their models make of prompts, to the last bit."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from memoir.editor import Editor
from memoir.types import Edit, Receipt

FACTS = [
    Edit("The CEO of Acme is", "Dana"),
    Edit("The capital of Peru is", "Oslo"),
    Edit("My favourite color:", "red"),
]
PROMPTS = [*(fact.prompt for fact in FACTS), "Something else entirely", "x"]
EASY = {"stop_loss": 10.0}
"""An edit is done once every token has rank one."""
SHARED = {"memory": "shared", "accept_unsaid": True, "max_steps": 20}
FAITHFUL = {**SHARED, "optimiser": "sgd", "lr": 1.0, "weight_decay": 1e-3, "stop_change": 1e-4}


def logits(editor: Editor, prompt: str) -> Tensor:
    return editor.host.logits(editor.host.batch([editor.host.encode(prompt)]))


def state(editor: Editor) -> list[Tensor]:
    """What the model makes of several prompts, to the last bit."""
    return [logits(editor, prompt) for prompt in PROMPTS]


def same(one: list[Tensor], other: list[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def teach(editor: Editor, facts: list[Edit] = FACTS) -> list[Receipt]:
    results = editor.edit_many(facts)
    assert all(isinstance(result, Receipt) for result in results), results
    return [result for result in results if isinstance(result, Receipt)]


def spoil(monkeypatch: pytest.MonkeyPatch, editor: Editor, mark: str) -> None:
    """Make the loss of every edit that has a character somewhere NaN."""
    host = editor.host
    (bad,) = host.encode(mark).ids
    replay = host.replay

    def spoilt(reading, added=None, rows=None, keep=0):  # type: ignore[no-untyped-def]
        hit = (reading.tokens.ids == bad).any(1)
        hit = hit if rows is None else hit[rows]
        return replay(reading, added, rows, keep) * torch.where(hit, math.nan, 1.0)[:, None, None]

    monkeypatch.setattr(host, "replay", spoilt)
