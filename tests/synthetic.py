"""Stores with a history that no model was needed for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from memoir.store import Row, Store
from memoir.types import Note

IDENTITY = {"model": "tiny", "site": "layers.2", "dtype": "float32", "hash": "ab" * 32}


def bound(folder: Path, weights: str = "ab" * 32) -> Store:
    """A new store that is bound to a model with these weights."""
    store = Store.create(folder)
    body = {
        **{"method": "memoir", "config": {}, "site": "layers.2", "evidence": {}},
        "identity": {**IDENTITY, "hash": weights},
    }
    with store.writing():
        settings = store.row("settings", body, {"mean": torch.zeros(4)})
        store.commit(settings=settings, note=Note("Bind", "ada"), why="init")
    return store


def teach(store: Store, *prompts: str) -> list[Row]:
    """A commit for each prompt; returns the edits' rows."""
    made = []
    for prompt in prompts:
        with store.writing():
            body = {"prompt": prompt, "target": "t", "subject": None, "losses": [2.0, 0.1]}
            made.append(store.row("edit", body, {"value": torch.full((8,), float(len(prompt)))}))
            store.commit([made[-1]], note=Note(f"Teach {prompt}", "ada"), why="edit")
    return made


def branch(store: Store, name: str) -> None:
    """Make a branch at the tip and switch to it."""
    store.move(f"branch/{name}", store.history.tip(), "branch")
    store.move("HEAD", name, "switch")


def prompts(store: Store, commit: str | None = None) -> list[str]:
    """What is in force, in order."""
    return [row.body["prompt"] for row in store.live(commit)]


def state(store: Store) -> tuple[object, ...]:
    """All that a store holds, to be compared."""
    files = sorted(path.name for path in (store.folder / "tensors").iterdir())
    return store.log.rows(), store.log.moves(), store.log.signatures(), files


def ids(rows: Sequence[Row]) -> set[str]:
    """Ids of rows."""
    return {row.id for row in rows}
