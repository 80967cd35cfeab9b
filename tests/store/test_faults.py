"""Faults on purpose: killed processes, full disks, two writers. What was acknowledged stays."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from itertools import pairwise
from pathlib import Path
from types import TracebackType

import pytest
import torch

import tiny
from memoir.editor import Editor
from memoir.errors import StoreFull
from memoir.host import Host
from memoir.methods.memoir import MemoirConfig
from memoir.store import Store
from memoir.store.tensors import UNFINISHED

pytestmark = pytest.mark.slow

QUICK = MemoirConfig(
    router="overlap", contexts="bare", max_steps=3, lr=0.5, threshold=0.9, accept_unsaid=True
)
"""Edits of some milliseconds, so that kills hit the writing as often as the fitting."""

WARM = """
# Forks a worker for every line "KIND FOLDER SEED COUNT" it reads, and says how each one ended.
import hashlib, os, random, string, sys, time, traceback

import tiny, torch
from memoir.editor import Editor
from memoir.host import Host
from memoir.store import Store

torch.set_num_threads(1)
model, tokenizer = tiny.model("llama"), tiny.tokenizer()


def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\\n").encode())


def digest(editor, prompt):
    logits = editor.host.logits(editor.host.batch([editor.host.encode(prompt)]))
    return hashlib.sha256(logits.numpy().tobytes()).hexdigest()


def opened(folder):
    return Editor(Host(model, tokenizer, 2, name="tiny"), Store(folder))


def some_prompt(chance):
    return "".join(chance.choices(string.ascii_lowercase + " ", k=12)) + " is"


def edits(folder, chance, count):
    editor = opened(folder)
    for _ in range(count):
        prompt = some_prompt(chance)
        receipt = editor.edit(prompt, chance.choice(["red", "blue", "green"]))
        say("stored", receipt.id, digest(editor, prompt))


def rows(folder, chance, count):
    store = Store(folder)
    for _ in range(count):
        x = torch.full((256,), chance.random())
        body = {"prompt": "p", "target": "t", "subject": None}
        row = store.append("edit", body, {"x": x})
        say("stored", row.id, hashlib.sha256(x.numpy().tobytes()).hexdigest())


def reopened(folder, chance, count):
    editor = opened(folder)
    for entry in editor.log():
        say("stored", entry.row.id, digest(editor, entry.edit.prompt))
    say("live", len(editor))


def both(folder, chance, count):
    editor = opened(folder)
    say("ready")
    sys.stdin.readline()
    for _ in range(count):
        say("stored", editor.edit(some_prompt(chance), "red").id, "-")
        time.sleep(chance.uniform(0.0, 0.03))  # let the other one in
    say("ready")
    sys.stdin.readline()
    editor.refresh()
    for entry in editor.log():
        say("stored", entry.row.id, digest(editor, entry.edit.prompt))
    say("live", len(editor))


say("warm")
while line := sys.stdin.readline():
    kind, folder, seed, count = line.split()
    worker = os.fork()
    if worker == 0:
        try:
            {"edits": edits, "rows": rows, "reopened": reopened, "both": both}[kind](
                folder, random.Random(int(seed)), int(count)
            )
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    say("worker", worker)
    say("ended", os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1]))
"""


class Warm:
    """A process with torch and the model loaded, which forks workers; one at a time."""

    def __init__(self) -> None:
        folders = [str(Path(tiny.__file__).parent), *sys.path]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(folders), "OMP_NUM_THREADS": "1"}
        self._process = subprocess.Popen(
            [sys.executable, "-c", WARM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment,
        )
        self.until("warm")

    def say(self, line: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()

    def until(self, word: str) -> tuple[str, dict[str, str]]:
        """What follows that word, and what was said to be stored before it."""
        stored = {}
        while True:
            first, *rest = self._line()
            if first == word:
                return " ".join(rest), stored
            if first == "stored":
                stored[rest[0]] = rest[1]
            assert first != "ended", f"the worker ended before it said '{word}'"

    def _line(self) -> list[str]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line, "the warm process ended"
        return line.split()

    def killed(
        self, kind: str, folder: Path, seed: int, after: int, delay: float
    ) -> dict[str, str]:
        """Start a worker, kill it some seconds after so many acknowledgements; return all."""
        self.say(f"{kind} {folder} {seed} 1000000")
        worker, stored = self.until("worker")
        while len(stored) < after:
            id, digest = self.until("stored")[0].split()
            stored[id] = digest
        time.sleep(delay)
        os.kill(int(worker), signal.SIGKILL)
        how, late = self.until("ended")
        assert how == str(-signal.SIGKILL), "the worker must run until it is killed"
        return stored | late

    def finished(self, kind: str, folder: Path, seed: int = 0, count: int = 0) -> dict[str, str]:
        """Let a worker run to its end, and return what it said to be stored."""
        self.say(f"{kind} {folder} {seed} {count}")
        how, stored = self.until("ended")
        assert how == "0"
        return stored

    def __enter__(self) -> Warm:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._process.kill()
        self._process.communicate()


@pytest.fixture(scope="module")
def warm() -> Iterator[Warm]:
    with Warm() as warm:
        yield warm


def tiny_editor(folder: Path) -> Editor:
    store = Store(folder) if Store.exists(folder) else Store.create(folder)
    host = Host(tiny.model("llama"), tiny.tokenizer(), 2, name="tiny")
    return Editor(host, store, config=QUICK)


def logits(editor: Editor, prompt: str) -> torch.Tensor:
    return editor.host.logits(editor.host.batch([editor.host.encode(prompt)]))


# ---------------------------------------------------------------------- killed


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
    ids = {row.id for row in store.rows() if row.kind == "edit"}
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
    ids = [row.id for row in store.rows()]
    assert acknowledged.keys() <= set(ids)
    assert len(ids) - len(acknowledged) <= kills
    assert len(acknowledged) > kills
    assert [row.seq for row in store.rows()] == list(range(1, len(ids) + 1))


# ---------------------------------------------------------------------- a full disk


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
        rows, files = editor.store.rows(), set((folder / "tensors").iterdir())
        before = {p: logits(editor, p) for p in before}
        try:
            editor.edit("the second fact is", "blue")
        except StoreFull as error:
            refused = error

    assert "nothing was added. Free some space and try again." in str(refused)
    assert editor.store.rows() == rows
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
    store.append("edit", body, {"x": torch.ones(8)})
    store.close()
    ballast = fill(small_disk)
    with suppress(StoreFull):  # SQLite may need room to open it
        assert len(Store(small_disk / "store").rows()) == 1
    ballast.unlink()
    assert len(Store(small_disk / "store").rows()) == 1


# ---------------------------------------------------------------------- two writers


def test_two_processes_that_edit_at_once_lose_nothing_and_agree(
    warm: Warm, tmp_path: Path, few_background: object
) -> None:
    folder, count, one = tmp_path / "store", 30, warm
    tiny_editor(folder).close()
    with Warm() as two:
        for seed, process in enumerate((one, two)):
            process.say(f"both {folder} {seed} {count}")
        for _stage in ("start", "refresh"):
            made = [process.until("ready")[1] for process in (one, two)]
            for process in (one, two):
                process.say("go on")
        seen = []
        for process in (one, two):
            live, stored = process.until("live")
            assert live == str(2 * count)
            assert process.until("ended")[0] == "0"
            seen.append(stored)
    assert [len(ids) for ids in made] == [count, count]
    assert set(seen[0]) == made[0].keys() | made[1].keys()
    assert seen[0] == seen[1]  # the same bits for every prompt

    store = Store(folder)
    assert {entry.status for entry in store.entries()} == {"live"}
    order = [row.id in made[0] for row in store.rows() if row.kind == "edit"]
    turns = sum(before != after for before, after in pairwise(order))
    assert turns > 1, "the processes did not write at the same time, so this run shows nothing"
