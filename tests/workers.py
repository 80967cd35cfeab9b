"""Processes that write to stores and can be killed, and tiny editors that look at what they left."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

import torch

import tiny
from memoir.editor import Editor
from memoir.host import Host
from memoir.methods.memoir import MemoirConfig
from memoir.store import Store
from memoir.versions.fsck import check

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
        with store.writing():
            row = store.row("edit", body, {"x": x})
            store.commit([row])
        say("stored", row.id, hashlib.sha256(x.numpy().tobytes()).hexdigest())


def moves(folder, chance, count):
    store = Store(folder)
    for number in range(count):
        with store.writing():
            kind, name = chance.choice(["commit", "branch", "tag", "switch", "delete"]), None
            if kind == "commit" or store.history.tip() is None:
                body = {"prompt": "p", "target": "t", "subject": None}
                x = torch.full((8,), chance.random())
                store.commit([store.row("edit", body, {"x": x})])
            elif kind == "switch":
                store.move("HEAD", chance.choice(list(store.history.branches)), kind)
            elif kind == "delete":
                names = [ref for ref in store.history.refs if ref.startswith("tag/")]
                store.move(chance.choice(names or ["tag/none"]), None, kind)
            else:
                target = chance.choice(list(store.history.nodes))
                store.move(f"{kind}/n{chance.randrange(5)}", target, kind)
            last = store.log.moves()[-1]
        say("stored", last.seq, last.chain)


def hundreds(folder, chance, count):
    store = Store(folder)
    say("ready")
    sys.stdin.readline()
    for _ in range(count):
        with store.writing():
            body = {"prompt": some_prompt(chance), "target": "t", "subject": None}
            row = store.row("edit", body, {"x": torch.full((8,), chance.random())})
            store.commit([row])
        say("stored", row.id, "-")


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


KINDS = {"edits": edits, "rows": rows, "moves": moves, "reopened": reopened, "both": both}
KINDS["hundreds"] = hundreds
say("warm")
while line := sys.stdin.readline():
    kind, folder, seed, count = line.split()
    worker = os.fork()
    if worker == 0:
        try:
            KINDS[kind](folder, random.Random(int(seed)), int(count))
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


def tiny_editor(folder: Path) -> Editor:
    store = Store(folder) if Store.exists(folder) else Store.create(folder)
    host = Host(tiny.model("llama"), tiny.tokenizer(), 2, name="tiny")
    return Editor(host, store, config=QUICK)


def logits(editor: Editor, prompt: str) -> torch.Tensor:
    return editor.host.logits(editor.host.batch([editor.host.encode(prompt)]))


def errors(store: Store) -> list[str]:
    """What is wrong with a store; what a killed process left behind is not."""
    return [finding.what for finding in check(store) if finding.severity == "error"]
