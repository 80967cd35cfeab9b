"""Processes killed at any moment: what was acknowledged stays, and nothing is half there."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from memoir.store import Store
from memoir.store.tensors import UNFINISHED
from workers import Warm, errors, tiny_editor

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def warm() -> Iterator[Warm]:
    with Warm() as warm:
        yield warm


def test_no_acknowledged_edit_is_lost_to_sixty_kills(
    warm: Warm, tmp_path: Path, few_background: object
) -> None:
    folder, chance, kills = tmp_path / "store", random.Random(20), 60
    tiny_editor(folder).close()
    acknowledged: dict[str, str] = {}
    for seed in range(kills):
        after, delay = chance.randrange(6), chance.uniform(0.0, 0.05)
        acknowledged |= warm.killed("edits", folder, seed, after, delay)

    store = Store(folder)
    assert {entry.status for entry in store.entries()} == {"live"}
    ids = {row.id for row in store.log.rows(kind="edit")}
    assert [row.id for row in store.live()] == [row.id for row in store.log.rows(kind="edit")]
    assert errors(store) == []
    assert acknowledged.keys() <= ids
    assert len(ids - acknowledged.keys()) <= kills  # at most one was under way at each kill
    assert len(acknowledged) > kills

    # In a fresh process every edit acts, bit for bit, as it did when it was acknowledged.
    again = warm.finished("reopened", folder)
    assert {id: again[id] for id in acknowledged} == acknowledged
    assert len(set(acknowledged.values())) == len(acknowledged)

    editor = tiny_editor(folder)
    assert len(editor) == len(ids)
    editor.edit("after all this", "red")
    assert len(editor) == len(ids) + 1
    assert not list(folder.rglob("*" + UNFINISHED))
    editor.close()


def test_no_acknowledged_row_is_lost_to_three_hundred_kills(warm: Warm, tmp_path: Path) -> None:
    folder, chance, kills = tmp_path / "store", random.Random(21), 300
    Store.create(folder).close()
    acknowledged: dict[str, str] = {}
    for seed in range(kills):
        after, delay = chance.randrange(4), chance.uniform(0.0, 0.02)
        acknowledged |= warm.killed("rows", folder, seed, after, delay)

    store = Store(folder)
    assert {entry.status for entry in store.entries()} == {"live"}  # every file verifies
    ids = [row.id for row in store.live()]
    assert len(set(ids)) == len(ids)
    assert acknowledged.keys() <= set(ids)
    assert len(ids) - len(acknowledged) <= kills
    assert len(acknowledged) > kills
    assert [row.seq for row in store.log.rows()] == list(range(1, 2 * len(ids) + 1))
    assert errors(store) == []


def test_no_acknowledged_commit_or_name_is_lost_to_two_hundred_kills(
    warm: Warm, tmp_path: Path
) -> None:
    folder, chance, kills = tmp_path / "store", random.Random(22), 200
    Store.create(folder).close()
    acknowledged: dict[str, str] = {}
    for seed in range(kills):
        after, delay = chance.randrange(6), chance.uniform(0.0, 0.02)
        acknowledged |= warm.killed("moves", folder, seed, after, delay)

    store = Store(folder)
    assert errors(store) == []  # among others, that the moves are one unbroken chain
    moves = {str(move.seq): move.chain for move in store.log.moves()}
    assert {seq: moves[seq] for seq in acknowledged} == acknowledged
    assert len(moves) - len(acknowledged) <= kills
    assert len(acknowledged) > kills
    assert list(moves) == [str(number) for number in range(1, len(moves) + 1)]
    # A commit and the move to it are there together or not at all.
    commits = store.log.rows(kind="commit")
    assert [row.id for row in commits] == [
        move.target for move in store.log.moves() if move.why == "commit"
    ]
    assert len(store.log.rows(kind="edit")) == len(commits) > 20
    assert len(store.history.branches) > 3
    for branch in store.history.branches:
        assert {entry.status for entry in store.entries(store.history.tip(branch))} == {"live"}
