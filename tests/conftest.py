"""Fixtures: tiny random models for fast tests, the default model for ``slow`` ones."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

import tiny
from memoir.calibration import Background
from memoir.editor import Editor
from memoir.host import Host
from memoir.host.loading import load_host
from memoir.store import Store

# Tiny models are slower with more threads than one, above all on a busy machine.
torch.set_num_threads(int(os.environ.get("MEMOIR_TEST_THREADS", "1")))


@pytest.fixture
def host() -> Host:
    """A tiny LLaMA with its site at layer 2."""
    return Host(tiny.model("llama"), tiny.tokenizer(), 2, name="tiny")


@pytest.fixture
def few_background(monkeypatch: pytest.MonkeyPatch) -> Background:
    """Calibrate on few records: a tiny model learns nothing from more."""
    whole = Background.shipped()
    few = Background(whole.prompts[:12], whole.rephrases[:12], whole.neighbours[:12])
    monkeypatch.setattr(Background, "shipped", classmethod(lambda cls: few))
    return few


@pytest.fixture
def make_editor(tmp_path: Path, few_background: Background) -> Iterator[Callable[..., Editor]]:
    """Makes editors of a tiny model, on stores below ``tmp_path``; closes them at the end."""
    from memoir.methods.memoir import MemoirConfig

    opened: list[Editor] = []

    def make(name: str = "store", family: str = "llama", **settings: object) -> Editor:
        folder = tmp_path / name
        store = Store(folder) if Store.exists(folder) else Store.create(folder)
        defaults = {"max_steps": 200, "lr": 0.5, "anchor_tokens": 0, "overlap_threshold": 0.9}
        config = MemoirConfig(**{**defaults, **settings})  # type: ignore[arg-type]
        tiny_host = Host(tiny.model(family), tiny.tokenizer(), 2, name="tiny")
        editor = Editor(tiny_host, store, config=config)
        opened.append(editor)
        return editor

    yield make
    for editor in opened:
        editor.close()


@pytest.fixture(scope="session")
def smollm2() -> Host:
    """The default model. Loaded once: tests must leave it as they found it."""
    return load_host("smollm2")
