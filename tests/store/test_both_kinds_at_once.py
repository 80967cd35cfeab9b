"""Several processes at one store of either kind: nothing is lost, nothing is half made."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import pairwise

import pytest
import torch

from memoir.errors import StoreBusy, UnknownName
from memoir.store import Store
from memoir.store.rows import chained
from memoir.store.tensors import checksum, serialized
from unfitted import teach


def prompts(store: Store) -> list[str]:
    return [row.body["prompt"] for row in store.live()]


WRITE = """
import sys, torch
from memoir.store import Store

store = Store(sys.argv[1])
for number in range(int(sys.argv[3])):
    with store.writing():
        body = {"prompt": f"{sys.argv[2]} {number}", "target": "t", "subject": None}
        store.commit([store.row("edit", body, {"x": torch.full((8,), float(number))})])
"""
HOLD = """
import sys
from memoir.store import Store
from memoir.types import Note

store = Store(sys.argv[1])
with store.writing():
    print("held", flush=True)
    sys.stdin.read()
    store.commit(note=Note("theirs"))
"""
DIE = """
import os, signal, sys, torch
from memoir.store import Store

store = Store(sys.argv[1])


def die(*_given):
    print("in the middle", flush=True)
    os.kill(os.getpid(), signal.SIGKILL)


type(store.log)._move = die  # the rows are inserted, and nothing is committed
with store.writing():
    body = {"prompt": "half", "target": "t", "subject": None}
    store.commit([store.row("edit", body, {"x": torch.full((8,), 7.0)})])
"""


def started(script: str, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", script, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


@contextmanager
def another_writer(where: str) -> Iterator[Callable[[], None]]:
    """Another process that writes; call what this gives to let it commit and end."""
    with started(HOLD, where) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process.stdin.close
    assert process.returncode == 0


def test_four_writers_at_once_lose_nothing(stored: Store, where: str) -> None:
    writers = [started(WRITE, where, name, "50") for name in "abcd"]
    for writer in writers:
        with writer:
            pass
        assert writer.returncode == 0
    taught = prompts(stored)
    assert sorted(taught) == sorted(f"{name} {number}" for name in "abcd" for number in range(50))
    for name in "abcd":
        own = [prompt for prompt in taught if prompt.startswith(name)]
        assert own == [f"{name} {number}" for number in range(50)]
    commits, moves = stored.log.rows(kind="commit"), stored.log.moves()
    assert [row.seq for row in stored.log.rows()] == list(range(1, 401))
    assert all(new.body["parents"] == [old.id] for old, new in pairwise(commits))
    chains = ["", *(move.chain for move in moves)]
    assert len(moves) == 200
    for before, move in zip(chains, moves, strict=False):
        assert move.chain == chained(before, move.ref, move.target, move.time, move.why)
    assert {entry.status for entry in stored.entries()} == {"live"}


def test_a_second_writer_is_refused_in_the_end_but_may_read(stored: Store, where: str) -> None:
    row = teach(stored)
    impatient = Store(where, patience=0.2)
    with another_writer(where):
        with pytest.raises(StoreBusy) as refused:
            teach(impatient)
        assert impatient.live() == [row]
    assert str(refused.value) == (
        f"another process has been writing to {where} for over 0.2 s; nothing was added. "
        "Try again when it is done."
    )
    teach(impatient)
    messages = [row.body["message"] for row in stored.log.rows(kind="commit")]
    assert messages == ["", "theirs", ""]
    impatient.close()


def test_a_second_writer_waits_and_then_proceeds(stored: Store, where: str) -> None:
    with another_writer(where) as let_go:
        threading.Timer(0.3, let_go).start()
        teach(stored, "ours")
    messages = [row.body["message"] for row in stored.log.rows(kind="commit")]
    assert messages == ["theirs", ""]


def test_writing_may_be_nested_and_an_error_gives_the_lock_back(stored: Store, where: str) -> None:
    with pytest.raises(UnknownName), stored.writing(), stored.writing():
        stored.find("ffffffffffff")
    other = Store(where, patience=1)
    teach(other, "after")
    assert prompts(stored) == ["after"]
    other.close()


def test_a_reader_sees_one_moment_while_another_writes(stored: Store, where: str) -> None:
    first = teach(stored, "first")
    reader = Store(where)
    with reader.log.snapshot(), reader.log.snapshot():
        assert reader.live() == [first]
        second = teach(stored, "second")
        assert reader.live() == [first]
        assert (len(reader.log.rows()), len(reader.log.moves())) == (2, 1)
    assert reader.live() == [first, second]
    reader.close()


def test_a_writer_that_is_killed_leaves_nothing_half_made(stored: Store, where: str) -> None:
    kept = teach(stored)
    rows, moves = stored.log.rows(), stored.log.moves()
    with started(DIE, where) as process:
        assert process.stdout is not None
        assert process.stdout.read() == "in the middle\n"
    assert process.returncode == -9
    assert (stored.log.rows(), stored.log.moves()) == (rows, moves)
    left = checksum(serialized({"x": torch.full((8,), 7.0)}))
    assert stored.files.size(left) > 0
    next_one = Store(where, patience=5)
    row = teach(next_one, "next", 3.0)
    assert stored.live() == [kept, row]
    assert stored.files.size(left) == 0  # tensors that no row names go with the next writer
    next_one.close()
