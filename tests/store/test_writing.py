"""One process writes at a time, and what it fails to write leaves nothing behind."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

import unfitted
from memoir.errors import (
    MemoirError,
    StoreBusy,
    StoreFull,
)
from memoir.store import Row, Store
from memoir.store.log import Log
from memoir.store.tensors import UNFINISHED
from unfitted import teach


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store.create(tmp_path / "store")
    yield store
    store.close()


def prompts(store: Store) -> list[str]:
    """Of all edits that were ever stored, in order."""
    return [row.body["prompt"] for row in store.log.rows(kind="edit")]


HOLD = """
import sys
from memoir.store import Store

store = Store(sys.argv[1])
with store.writing():
    print("held", flush=True)
    sys.stdin.read()
    store.commit([store.row("edit", {"prompt": "theirs", "target": "t", "subject": None})])
"""


@contextmanager
def another_writer(folder: Path) -> Iterator[Callable[[], None]]:
    """Another process that writes; call what this gives to let it append a row and end."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    with process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process.stdin.close
    assert process.returncode == 0


def test_a_second_writer_is_refused_in_the_end_but_may_read(store: Store) -> None:
    row = teach(store)
    before = store.log.rows()
    impatient = Store(store.folder, patience=0.2)
    with another_writer(store.folder):
        with pytest.raises(StoreBusy) as refused:
            teach(impatient)
        with pytest.raises(StoreBusy):
            impatient.move("tag/v1", row.id, "tag")
        assert impatient.log.rows() == before
        assert impatient.live() == [row]
        assert [entry.status for entry in impatient.entries()] == ["live"]
    assert str(refused.value) == (
        f"another process has been writing to {store.folder} for over 0.2 s; nothing was added. "
        "Try again when it is done."
    )
    assert not list(store.folder.rglob("*" + UNFINISHED))
    teach(impatient)
    assert prompts(store) == ["p", "theirs", "p"]
    impatient.close()


def test_a_second_writer_waits_and_then_proceeds(store: Store) -> None:
    with another_writer(store.folder) as let_go:
        threading.Timer(0.3, let_go).start()
        teach(store, "ours")
    assert prompts(store) == ["theirs", "ours"]


def test_writing_may_be_nested(store: Store) -> None:
    with store.writing(), store.writing():
        teach(store)
    assert prompts(store) == ["p"]


def test_an_error_while_writing_gives_the_lock_back(store: Store) -> None:
    with pytest.raises(MemoirError, match="on purpose"), store.writing():
        raise MemoirError("on purpose")
    teach(store)
    assert prompts(store) == ["p"]


def test_what_a_dead_process_was_writing_is_swept_at_the_next_write(store: Store) -> None:
    row = teach(store)
    left = store.folder / "tensors" / ("0123456789.safetensors" + UNFINISHED)
    left.write_bytes(b"half a ten")
    assert len(Store(store.folder).entries()) == 1
    never_acknowledged = store.folder / "tensors" / "fedcba9876.safetensors"
    never_acknowledged.write_bytes(b"whole, but the process died before its row")
    assert left.exists()  # reading changes nothing
    teach(Store(store.folder))
    assert not left.exists()
    assert not never_acknowledged.exists()
    assert unfitted.file(store, row).exists()


def test_a_log_that_takes_no_row_leaves_no_tensor_file_but_those_of_others(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = teach(store, "kept", 1.0)

    def refuse(*_args: object) -> list[Row]:
        raise StoreFull("no space")

    monkeypatch.setattr(store.log, "append", refuse)
    for value in (2.0, 1.0):  # the second's tensors are those of an edit that is in force
        with pytest.raises(StoreFull):
            teach(store, "p", value)
    assert list((store.folder / "tensors").iterdir()) == [unfitted.file(store, kept)]
    assert store.live() == [kept]


def test_what_was_written_stays_until_the_outermost_change_gave_up(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    with store.writing():
        row = unfitted.row(store)
        with monkeypatch.context() as patch:
            patch.setattr(
                Log, "append", lambda *_args: (_ for _ in ()).throw(StoreFull("no space"))
            )
            with pytest.raises(StoreFull):
                store.commit([row])
        store.commit([row])  # somebody made room
    assert [entry.status for entry in store.entries()] == ["live"]


def test_a_row_is_not_made_where_another_process_may_sweep_its_file(store: Store) -> None:
    with pytest.raises(AssertionError, match=r"rows are made inside Store\.writing\(\)"):
        unfitted.row(store)
