"""One flipped bit in a stored row, a move or a tensor file: never unseen, whichever it is."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path

import pytest

import unfitted
from memoir.errors import MemoirError
from memoir.store import Store
from memoir.versions.fsck import check
from unfitted import teach

FLIPS = 16
"""Bits tried in each column."""


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A closed store with settings, edits, commits, a tag and a branch."""
    folder = tmp_path_factory.mktemp("flips") / "store"
    store = Store.create(folder)
    unfitted.bind(store)
    for name in ("first", "second", "third"):
        teach(store, f"the {name} prompt – “{name}”")
    store.revert([store.live()[1].id])
    store.move("tag/v1", store.history.tip(), "tag")
    store.move("branch/work", store.history.tip(), "branch")
    store.close()
    assert not damaged(folder)
    return folder


def damaged(folder: Path) -> bool:
    """Whether a store is told to be damaged: by fsck, or when it is opened."""
    try:
        store = Store(folder)
    except MemoirError:
        return True
    try:
        return any(finding.severity == "error" for finding in check(store))
    finally:
        store.close()


def unseen(whole: Path, copy: Path, file: str, begin: int, length: int) -> list[int]:
    """Bits of a part of a file that can be flipped without anybody telling."""
    content, found = (whole / file).read_bytes(), []
    for bit in random.Random(begin).sample(range(8 * length), min(FLIPS, 8 * length)):
        shutil.copytree(whole, copy)
        altered = bytearray(content)
        altered[begin + bit // 8] ^= 1 << bit % 8
        (copy / file).write_bytes(altered)
        if not damaged(copy):
            found.append(bit)
        shutil.rmtree(copy)
    return found


def columns(whole: Path, kind: str) -> dict[str, bytes]:
    """The columns of the last row of a kind, or of the last but one move, as they are stored."""
    store = Store(whole)
    if kind == "move":
        move = store.log.moves()[-2]
        texts = {"ref": move.ref, "target": str(move.target), "time": move.time}
        texts |= {"why": move.why, "chain": move.chain}
    else:
        row = store.log.rows(kind=kind)[-1]
        texts = {"id": row.id, "kind": row.kind, "time": row.time}
        texts |= {"body": json.dumps(row.body, ensure_ascii=False), "sha256": row.sha256 or ""}
    store.close()
    return {name: text.encode() for name, text in texts.items() if text}


@pytest.mark.parametrize("kind", ["settings", "edit", "commit", "move"])
def test_a_bit_flipped_in_a_stored_row_is_found(whole: Path, tmp_path: Path, kind: str) -> None:
    stored = columns(whole, kind)
    at = (whole / "log.sqlite").read_bytes().index(b"".join(stored.values()))
    for name, text in stored.items():
        assert unseen(whole, tmp_path / "copy", "log.sqlite", at, len(text)) == [], name
        at += len(text)


@pytest.mark.parametrize("number", range(3))
def test_a_bit_flipped_in_a_tensor_file_is_found(whole: Path, tmp_path: Path, number: int) -> None:
    path = sorted((whole / "tensors").iterdir())[number]
    size = path.stat().st_size
    assert unseen(whole, tmp_path / "copy", f"tensors/{path.name}", 0, size) == []
