"""Disks that are full or may not be written: a change is made whole or not at all, and says so."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import torch

from memoir.errors import StoreDamaged, StoreError, StoreFull
from memoir.store import Store
from memoir.versions import gc
from memoir.versions.fsck import check
from unfitted import teach
from workers import errors, logits, tiny_editor

pytestmark = pytest.mark.slow

# ---------------------------------------------------------------------- full


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 1 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip(f"mounting a small tmpfs needs root: {mounted.stderr.decode().strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(disk: Path, left: int = 0) -> Path:
    """Fill a file system but for some bytes; remove the returned file to free it."""
    ballast = disk / "ballast"
    ballast.write_bytes(bytes(os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize - left))
    return ballast


@pytest.mark.parametrize("left", range(0, 28_672, 4096))
def test_an_edit_on_a_full_disk_is_made_whole_or_not_at_all(
    small_disk: Path, few_background: object, left: int
) -> None:
    folder = small_disk / "store"
    editor = tiny_editor(folder)
    first = editor.edit("the first fact is", "red")
    before = {p: logits(editor, p) for p in ("the first fact is", "the second fact is")}
    ballast = fill(small_disk, left)

    refused = None
    while refused is None:  # what is left takes some edits, and then no more
        rows, files = editor.store.log.rows(), set((folder / "tensors").iterdir())
        before = {p: logits(editor, p) for p in before}
        try:
            editor.edit("the second fact is", "blue")
        except StoreFull as error:
            refused = error

    assert "nothing was added. Free some space and try again." in str(refused)
    assert editor.store.log.rows() == rows
    assert errors(editor.store) == []
    assert set((folder / "tensors").iterdir()) == files
    assert all(torch.equal(logits(editor, p), before[p]) for p in before)
    assert editor.store.entry(first.id).status == "live"

    ballast.unlink()
    editor.edit("the third fact is", "green")
    expected = {p: logits(editor, p) for p in (*before, "the third fact is")}
    editor.close()
    again = tiny_editor(folder)
    assert len(again) == len([row for row in rows if row.kind == "edit"]) + 1
    assert all(torch.equal(logits(again, p), expected[p]) for p in expected)
    again.close()


def test_a_store_that_finds_no_room_is_refused_and_can_be_made_later(small_disk: Path) -> None:
    ballast = fill(small_disk)
    with pytest.raises(StoreFull, match="the disk is full"):
        Store.create(small_disk / "store")
    assert not Store.exists(small_disk / "store")
    ballast.unlink()
    Store.create(small_disk / "store").close()


def test_a_store_on_a_full_disk_is_not_called_damaged(small_disk: Path) -> None:
    store = Store.create(small_disk / "store")
    body = {"prompt": "p", "target": "t", "subject": None}
    with store.writing():
        store.commit([store.row("edit", body, {"x": torch.ones(8)})])
    store.close()
    ballast = fill(small_disk)
    with suppress(StoreFull):  # SQLite may need room to open it
        assert len(Store(small_disk / "store").log.rows()) == 2
    ballast.unlink()
    assert len(Store(small_disk / "store").log.rows()) == 2


@pytest.mark.parametrize("left", range(0, 28_672, 4096))
def test_a_name_on_a_full_disk_is_moved_or_stays(small_disk: Path, left: int) -> None:
    store = Store.create(small_disk / "store")
    teach(store)
    tip = store.history.tip()
    ballast = fill(small_disk, left)
    refused, number = None, 0
    while refused is None:  # what is left takes some moves, and then no more
        before = store.log.moves()
        try:
            store.move(f"tag/{'v' * 500}{number}", tip, "tag")
        except StoreFull as error:
            refused = error
        number += 1
    assert "nothing was added. Free some space and try again." in str(refused)
    assert store.log.moves() == before
    assert len(store.history.tags) == number - 1
    assert errors(store) == []
    ballast.unlink()
    store.move("tag/later", tip, "tag")
    again = Store(store.folder)
    assert len(again.history.tags) == number
    assert errors(again) == []


# ---------------------------------------------------------------------- read-only


@pytest.fixture
def read_only(tmp_path: Path) -> Iterator[Callable[[Path], Path]]:
    """Shows a folder a second time, where nothing can be written."""
    view = tmp_path / "read-only"
    view.mkdir()

    def show(folder: Path) -> Path:
        for options in (["--bind", str(folder)], ["-o", "remount,bind,ro"]):
            done = subprocess.run(["mount", *options, str(view)], capture_output=True)
            if done.returncode:
                pytest.skip(f"mounting a folder needs root: {done.stderr.decode().strip()}")
        return view

    yield show
    subprocess.run(["umount", "--lazy", str(view)], check=False, capture_output=True)


def test_a_folder_that_may_not_be_written_is_read_and_refuses_every_change_in_words(
    tmp_path: Path, read_only: Callable[[Path], Path]
) -> None:
    owner = Store.create(tmp_path / "store")
    row = teach(owner)
    store = Store(read_only(owner.folder))
    before = owner.log.rows(), owner.log.moves()
    for change in (
        lambda: teach(store, "more"),
        lambda: store.move("tag/v1", store.history.tip(), "tag"),
        lambda: store.revert([row.id]),
        lambda: gc.collect(store, 0),
    ):
        with pytest.raises(StoreError) as refused:
            change()
        assert str(refused.value) == (
            f"could not write {store.folder / 'write.lock'}: Read-only file system; nothing was added. "
            "Check the disk, and that this user may write there."
        )
    assert store.live() == [row]
    assert check(store) == []
    assert (owner.log.rows(), owner.log.moves()) == before
    store.close()
    teach(owner, "more")
    assert len(owner.live()) == 2


def test_a_read_only_folder_without_a_process_that_may_write_is_named(
    tmp_path: Path, read_only: Callable[[Path], Path]
) -> None:
    owner = Store.create(tmp_path / "store")
    teach(owner)
    owner.close()
    with pytest.raises(StoreError, match="cannot be opened for reading and writing") as refused:
        Store(read_only(owner.folder)).live()
    assert not isinstance(refused.value, StoreDamaged)
