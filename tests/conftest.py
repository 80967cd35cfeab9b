"""Fixtures: tiny random models for fast tests, the default model for ``slow`` ones."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import tiny
from memoir import moments
from memoir.calibration import Background
from memoir.editor import Editor
from memoir.host import Host
from memoir.host.loading import load_host
from memoir.routing import pairs, remembered
from memoir.store import Store

# Tiny models are slower with more threads than one, above all on a busy machine.
torch.set_num_threads(int(os.environ.get("MEMOIR_TEST_THREADS", "1")))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests come first: where processes share the tests, none is left with one of
    them when the others are through."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)


@pytest.fixture
def host() -> Host:
    """A tiny LLaMA with its site at layer 2."""
    return Host(tiny.model("llama"), tiny.tokenizer(), 2, name="tiny")


@pytest.fixture(scope="session")
def learnt_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Keeps what routers learn of tiny models, for all tests."""
    return tmp_path_factory.mktemp("learnt")


@pytest.fixture
def few_background(monkeypatch: pytest.MonkeyPatch, learnt_folder: Path) -> Background:
    """Calibrate and learn from little: a tiny model learns nothing from more."""
    whole = Background.shipped()
    few = Background(whole.prompts[:12], whole.rephrases[:12], whole.neighbours[:12])
    monkeypatch.setattr(Background, "shipped", classmethod(lambda cls: few))
    lines = pairs._lines

    def few_lines(resource: str) -> list[Any]:
        every = lines(resource)
        return every[::24] if resource == "relations.jsonl" else every

    monkeypatch.setattr(pairs, "_lines", few_lines)
    for module in (remembered, moments):
        monkeypatch.setattr(module, "cache_folder", lambda: learnt_folder)
    return few


@pytest.fixture
def make_editor(tmp_path: Path, few_background: Background) -> Iterator[Callable[..., Editor]]:
    """Makes editors of a tiny model, on stores below ``tmp_path``; closes them at the end."""
    from memoir.methods.memoir import MemoirConfig

    opened: list[Editor] = []

    def make(
        name: str = "store", family: str = "llama", at: str | None = None, **settings: object
    ) -> Editor:
        folder = tmp_path / name
        store = Store(folder) if Store.exists(folder) else Store.create(folder)
        defaults = {
            "router": "overlap",
            "contexts": "bare",
            "threshold": 0.9,
            "max_steps": 200,
            "lr": 0.5,
        }
        config = MemoirConfig(**{**defaults, **settings})  # type: ignore[arg-type]
        tiny_host = Host(tiny.model(family), tiny.tokenizer(), 2, name="tiny")
        editor = Editor(tiny_host, store, config=config, at=at)
        opened.append(editor)
        return editor

    yield make
    for editor in opened:
        editor.close()


@pytest.fixture(scope="session")
def smollm2() -> Host:
    """The default model at the default site, so that what a router learnt of it is in the user's
    cache. Loaded once: tests must leave it as they found it."""
    from memoir.methods.memoir import MemoirConfig

    return load_host("smollm2", MemoirConfig().depth)
