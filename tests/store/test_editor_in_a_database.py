"""An editor on a store in a database says what one on a folder does, bit for bit."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise

import pytest
import torch

import tiny
from memoir.calibration import Background
from memoir.editor import Editor
from memoir.host import Host
from memoir.store import Store
from server import Server

PROMPTS = ["The capital of Foo is", "The capital of Bar is", "Something else"]
SETTINGS = {"router": "overlap", "contexts": "bare", "threshold": 0.9, "max_steps": 200, "lr": 0.5}


@pytest.fixture
def address(postgres: Server, schema: str, few_background: Background) -> str:
    """Where a store can be made."""
    return postgres.url(schema)


@pytest.fixture
def open_editor(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Editor]]:
    """Editor.open, with a tiny model in place of the one that is named."""

    def host(*_given: object) -> Host:
        return Host(tiny.model("llama"), tiny.tokenizer(), 2, name="tiny")

    monkeypatch.setattr("memoir.editor.load_host", host)
    opened: list[Editor] = []

    def open(store: str, at: str | None = None) -> Editor:
        opened.append(Editor.open("tiny", store, settings=SETTINGS, at=at))
        return opened[-1]

    yield open
    for editor in opened:
        editor.close()


def logits(editor: Editor) -> torch.Tensor:
    """What the model says to all prompts."""
    host = editor.host
    return torch.cat([host.logits(host.batch([host.encode(prompt)]))[0, -1:] for prompt in PROMPTS])


def copied(store: Store, address: str) -> None:
    """The same commits in a new store."""
    copy = Store.create(address)
    with copy.writing():
        for row in store.log.rows():
            if row.sha256 is not None:
                assert copy.files.store(store.file(row.sha256).read_bytes()) == row.sha256
        moves = [(move.ref, move.target, move.why) for move in store.log.moves()]
        copy.log.append([replace(row, seq=0) for row in store.log.rows()], moves)
    copy.close()


def test_the_same_commits_give_the_same_logits(
    make_editor: Callable[..., Editor], open_editor: Callable[..., Editor], address: str
) -> None:
    there = make_editor("folder")
    states = [logits(there)]
    for prompt, target in zip(PROMPTS[:2], ("red", "blue"), strict=True):
        there.edit(prompt, target)
        states.append(logits(there))
    there.revert(there.live()[0].id)
    states.append(logits(there))
    copied(there.store, address)
    assert [row.id for row in open_editor(address).store.log.rows()] == [
        row.id for row in there.store.log.rows()
    ]
    assert not any(torch.equal(old, new) for old, new in pairwise(states))
    for back, state in enumerate(reversed(states)):
        at = "HEAD" if back == 0 else f"HEAD~{back}"
        editor = open_editor(address, at)
        with there.method.attachment.paused():
            assert torch.equal(logits(editor), state)


def test_edits_made_in_a_database_are_followed_and_stay(
    open_editor: Callable[..., Editor], address: str
) -> None:
    first, second = open_editor(address), open_editor(address)
    before = logits(second)
    receipt = first.edit(PROMPTS[0], "red")
    assert receipt.bytes > 32
    second.refresh()
    assert torch.equal(logits(second), logits(first))
    assert not torch.equal(logits(second), before)
    assert torch.equal(logits(open_editor(address)), logits(first))
    second.revert(receipt.id)
    first.refresh()
    assert torch.equal(logits(first), before)
