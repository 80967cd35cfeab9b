"""One run: teach a stream of records, and at every checkpoint ask about all that was taught.

    for each checkpoint:  teach up to it  →  ask every record so far  →  drift  →  cost

Everything is evaluated only after all edits of a checkpoint are made, so forgetting is seen. Whatever
was finished is in the run file: a run that is killed and started again repeats and loses nothing.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import torch

from memoir import data, methods, metrics
from memoir.bench.answers import answers
from memoir.bench.asking import Asker
from memoir.bench.cache import UneditedCache
from memoir.bench.header import header
from memoir.bench.journal import Journal
from memoir.bench.plan import Cell
from memoir.bench.stream import Stream, stream
from memoir.bench.teaching import Teacher
from memoir.editor import Editor
from memoir.metrics.base import Metric, Said
from memoir.types import Progress, no_progress

CHUNK = 48
"""Items asked about, and written, together: what a killed run has to ask again at most."""


def run_cell(
    cell: Cell, out: Path, data_dir: Path | None = None, progress: Progress = no_progress
) -> Path:
    """Run one cell to its end, from wherever it stands; returns its run file.

    Args:
        cell: what to run.
        out: folder of run files, their stores, and the answers of the unedited model.
        data_dir: folder of the official data files; None for MEMOIR_DATA.
        progress: called as edits are made and answers come.

    Raises:
        OtherRun: the run was begun with another plan.
        RunFull: the disk took no more; finished rows stay.
    """
    torch.manual_seed(cell.seed)
    taught = stream(cell, data_dir)
    store = out / f"{cell.name}.store"
    with _editor(cell, store, progress) as editor:
        path = out / f"{cell.name}.jsonl"
        with (
            Journal(path, header(cell, taught, editor)) as journal,
            closing(UneditedCache(out / "unedited.sqlite", editor.host.identity())) as cache,
        ):
            if taught.padding is not None:
                taught.padding.teach(editor, journal, progress)
            _Run(cell, taught, editor, journal, Asker(editor, cache), data_dir, progress).go()
    return path


def evenly(count: int, most: int | None) -> list[int]:
    """The first ``count`` indices; at most so many of them, evenly spread from the first one on."""
    if most is None or most >= count:
        return list(range(count))
    return [i * count // most for i in range(most)]


class _Run:
    """A run under way."""

    def __init__(
        self,
        cell: Cell,
        taught: Stream,
        editor: Editor,
        journal: Journal,
        asker: Asker,
        data_dir: Path | None,
        progress: Progress,
    ) -> None:
        self.cell = cell
        self.taught = taught
        self.editor = editor
        self.journal = journal
        self.asker = asker
        self.data_dir = data_dir
        self.progress = progress
        self.made = {name: metrics.make(name, given) for name, given in cell.plan.metrics.items()}
        self.over_records = [each for each in self.made.values() if each.over == "records"]
        self.over_run = [each for each in self.made.values() if each.over == "run"]
        self.over_items = [
            each for each in self.made.values() if each.over not in ("records", "run")
        ]
        self.asked = Counter(row["at"] for row in journal.of("record"))
        padding = 0 if taught.padding is None else taught.padding.count
        self.teacher = Teacher(editor, taught.edits, journal, padding)

    def go(self) -> None:
        for at in self.cell.plan.checkpoints:
            if any(row["at"] == at for row in self.journal.of("checkpoint")):
                continue
            start = time.perf_counter()
            self._teach(at)
            self._ask_records(evenly(at, self.cell.plan.asked), at, self.over_records)
            for over in dict.fromkeys(metric.over for metric in self.over_items):
                self._ask_items(over, at)
            self._measure(at)
            seconds = round(time.perf_counter() - start, 1)
            self.journal.write([{"kind": "checkpoint", "at": at, "seconds": seconds}])

    def _teach(self, until: int) -> None:
        """Teach up to a checkpoint, asking about each batch right after it if the plan says so."""
        total = self.cell.plan.checkpoints[-1]
        immediate = [self.made[name] for name in self.cell.plan.immediate]
        while True:
            taught = len(self.teacher.ids)
            self.progress("editing", taught, total)
            if immediate:  # first of all what a killed run still owes
                self._ask_records(range(taught), "made", immediate)
            if taught >= until:
                return
            self.teacher.teach(until)

    def _ask_records(self, indices: Sequence[int], at: int | str, wanted: Sequence[Metric]) -> None:
        """Ask about records and write a row for each, leaving out those that have one."""
        # They are asked in order, so those that have a row are the first ones.
        todo = indices[self.asked[at] :]
        once = self.taught.subject_once(len(self.teacher.ids))
        for start in range(0, len(todo), CHUNK):
            chunk = todo[start : start + CHUNK]
            records = [self.taught.records[index] for index in chunk]
            said = self.asker.ask(a for r in records for metric in wanted for a in metric.asks(r))
            self.journal.write(
                {
                    "kind": "record",
                    "at": at,
                    "index": index,
                    "subject_once": once[index],
                    "scores": self._scores(wanted, record, said, self.teacher.ids[index]),
                    "answers": answers(wanted, record, said, self.teacher.index_of),
                }
                for index, record in zip(chunk, records, strict=True)
            )
            self.asked[at] += len(chunk)
            if at != "made":
                self.progress(f"asking after {at}", self.asked[at], len(indices))

    def _scores(
        self, wanted: Iterable[Metric], item: Any, said: Said, own: str | None
    ) -> dict[str, float]:
        scores: dict[str, float] = {}
        for metric in wanted:
            scores |= metric.score(item, said, own)
        return {name: round(value, 6) for name, value in scores.items()}

    def _ask_items(self, over: str, at: int) -> None:
        """Ask about the items of a data set, all its metrics together, and write a row for each."""
        asked = [metric for metric in self.over_items if metric.over == over]
        done = {
            row["index"]
            for row in self.journal.of("item")
            if row["at"] == at and row["over"] == over
        }
        items = data.load(over, self.data_dir).items
        count = min(len(items), max(metric.items for metric in asked))
        todo = [index for index in range(count) if index not in done]
        for start in range(0, len(todo), CHUNK):
            chunk = todo[start : start + CHUNK]
            wanted = {i: [metric for metric in asked if i < metric.items] for i in chunk}
            said = self.asker.ask(a for i in chunk for m in wanted[i] for a in m.asks(items[i]))
            self.journal.write(
                {
                    "kind": "item",
                    "at": at,
                    "over": over,
                    "index": index,
                    "scores": self._scores(wanted[index], items[index], said, None),
                }
                for index in chunk
            )
            self.progress(f"{over} after {at}", count - len(todo) + start + len(chunk), count)

    def _measure(self, at: int) -> None:
        if any(row["at"] == at for row in self.journal.of("cost")):
            return
        prompts = [record.edit.prompt for record in self.taught.records[:at]]
        scores: dict[str, float] = {}
        for metric in self.over_run:
            scores |= metric.measure(self.editor.host, self.editor.method.attachment, prompts)
        self.journal.write([{"kind": "cost", "at": at, "scores": scores}])


def _editor(cell: Cell, store: Path, progress: Progress) -> Editor:
    plan, method = cell.plan, cell.method
    settings = dict(method.settings)
    presets = methods.get(method.name).presets
    if "seed" not in settings and hasattr(presets.get(method.preset), "seed"):
        settings["seed"] = cell.seed
    return Editor.open(
        plan.model,
        store,
        method=method.name,
        preset=method.preset,
        settings=settings,
        dtype=plan.dtype,
        device_map=plan.device_map,
        progress=progress,
    )
