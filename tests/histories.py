"""Stores with a history, made without a model."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from memoir.store import Row, Store
from memoir.types import Note

SETTINGS = {
    "method": "memoir",
    "site": "model.layers.2",
    "identity": {"model": "tiny", "dtype": "float32", "hash": "0"},
    "config": {},
    "evidence": {},
}


def bound(folder: Path) -> Store:
    """A new store with settings, and no edits."""
    store = Store.create(folder)
    with store.writing():
        settings = store.row("settings", SETTINGS)
        store.commit(settings=settings, note=Note("Bind", "memoir"), why="init")
    return store


def edit(store: Store, prompt: str, target: str = "t", **more: Any) -> Row:
    """An edit's row, to be committed before the store's lock is given back."""
    body = {
        **{"prompt": prompt, "target": target, "subject": None, "phrasings": [], "aliases": []},
        **{"source": None, "expires": None, "tags": []},
        **{"losses": [2.0, 0.1], "said": True, "seconds": {"fit": 0.1}},
        **more,
    }
    return store.row("edit", body, {"value": torch.tensor([float(len(prompt))])})


def teach(
    store: Store, prompt: str, target: str = "t", note: Note | None = None, **more: Any
) -> Row:
    """Commit one edit, and return its row as it is stored."""
    with store.writing():
        row = edit(store, prompt, target, **more)
        store.commit([row], note=note or Note(f"{prompt} → {target}", "ann"), why="edit")
    return store.log.get([row.id])[row.id]


def prompts(store: Store, commit: str | None = None) -> list[str]:
    """What is in force, in order."""
    return [row.body["prompt"] for row in store.live(commit)]


def taught(folder: Path, said: Sequence[str]) -> tuple[Store, list[Row]]:
    """A store with edits of these prompts, a commit for each, and their rows."""
    store = bound(folder)
    return store, [teach(store, prompt) for prompt in said]
