"""Edits that nobody fitted: rows and commits as an editor makes them, without a model."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Any

import torch

from memoir.store import Row, Store

_values = itertools.count(1.0)


def row(store: Store, prompt: str = "p", value: float | None = None, kind: str = "edit") -> Row:
    """A row to be committed; its tensors are its own unless a value is given."""
    body: dict[str, Any] = {"prompt": prompt, "target": "t", "subject": None}
    x = torch.full((8,), next(_values) if value is None else value)
    return store.row(kind, body, {"x": x})


def teach(store: Store, prompt: str = "p", value: float | None = None) -> Row:
    """Commit one edit; its row."""
    with store.writing():
        commit = store.commit([row(store, prompt, value)], why="edit")
    return store.find(commit.body["add"][0])


def bind(store: Store) -> Row:
    """Commit settings; their row."""
    with store.writing():
        commit = store.commit(settings=store.row("settings", {"method": "memoir"}), why="init")
    return store.find(commit.body["settings"])


def file(store: Store, edit: Row) -> Path:
    """The tensor file of an edit."""
    assert edit.sha256 is not None
    return store.file(edit.sha256)
