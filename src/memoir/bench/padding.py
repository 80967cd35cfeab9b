"""Padding: edits that are made before those of a run, and never asked about.

So a run can measure a hundred edits that live among ten thousand, at the price of asking about a
hundred. The store holds them first, in the order of their file; how many it holds is how far they are,
so a run that is killed goes on with the next one, and the run file needs no rows for them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from memoir import data, methods
from memoir.bench.journal import Journal
from memoir.bench.plan import Cell, PaddingPlan
from memoir.editor import Editor
from memoir.errors import BadInput, RunDamaged
from memoir.methods.base import Method
from memoir.store import taught
from memoir.types import Edit, Progress, Receipt, Record, no_progress


@dataclass(frozen=True)
class Padding:
    """What is taught before a run's own records.

    Attributes:
        edits: candidates, in order; one that is refused is replaced by the next.
        count: how many of them are made.
        settings: of the method, while they are made.
        origin: what the plan says about them, and the file they come from.
    """

    edits: Sequence[Edit]
    count: int
    settings: Mapping[str, Any]
    origin: Mapping[str, Any]

    def teach(self, editor: Editor, journal: Journal, progress: Progress = no_progress) -> None:
        """Make those that the store does not hold yet.

        Args:
            editor: what learns.
            journal: the run file; it says whether the run's own records were begun.
            progress: called as edits are made.

        Raises:
            BadInput: too many were refused.
            RunDamaged: the store holds something else, or lacks what it must have held.
        """
        done, tried = self._held(editor, journal)
        if done < self.count and journal.of("edit"):
            raise RunDamaged(
                f"the store {editor.store.folder} holds {done} edits of padding, but {journal.path} "
                f"was begun with {self.count}. Restore both from one copy, or remove both to begin "
                "again."
            )
        rest = iter(self.edits[tried:])
        with _settings(editor.method, self.settings):
            size = getattr(editor.method.config, "batch_size", 1)
            while done < self.count:
                progress("padding", done, self.count)
                batch = list(islice(rest, min(size, self.count - done)))
                if not batch:
                    raise BadInput(
                        f"all {len(self.edits)} edits of padding in {self.origin['file']} were tried "
                        f"and {done} were made, but the plan asks for {self.count}; lower their "
                        "count, or give settings under which fewer are refused."
                    )
                done += _made(editor, batch)

    def _held(self, editor: Editor, journal: Journal) -> tuple[int, int]:
        """How many the store holds, and up to which candidate; those between were refused."""
        held = [taught(row) for row in editor.store.live()[: self.count]]
        tried, candidates = 0, enumerate(self.edits, start=1)
        for edit in held:
            tried = next((number for number, each in candidates if each == edit), 0)
            if not tried:
                raise RunDamaged(
                    f"the store {editor.store.folder} holds an edit that is not among the coming "
                    f"padding of {journal.path}: {edit.prompt!r} → {edit.target!r}. Restore both "
                    "from one copy, or remove both to begin again."
                )
        return len(held), tried


def padding(cell: Cell, records: Sequence[Record], folder: Path | None) -> Padding | None:
    """The padding of a cell; None if its plan asks for none.

    A record is left out where the run itself teaches or asks the same prompt: it would contradict an
    edit, or a probe whose answer must stay.

    Args:
        cell: a run of a plan.
        records: what it teaches, with all their probes.
        folder: of the data sets.

    Raises:
        BadInput: the data set holds too few other records.
    """
    plan = cell.data.padding
    if plan is None:
        return None
    loaded = data.load(
        plan.name, plan.file or folder, split=plan.split, skip_bad=cell.plan.skip_bad
    )
    found = [item for item in loaded.items if isinstance(item, Record)]
    edits = [cell.data.told(edit) for edit in _others(found, records)]
    if len(edits) < plan.count:
        raise BadInput(
            f"{loaded.file} holds {len(edits)} edits for padding, beside {len(found) - len(edits)} "
            f"whose prompt the run itself teaches or asks, but the plan asks for {plan.count}; lower "
            "their count."
        )
    file = "/".join(loaded.file.parts[-2:])
    stated = plan.model_dump(include={"name", "split", "count", "settings"})
    origin = {**stated, "file": file, "sha256": loaded.sha256}
    return Padding(edits, plan.count, _checked(cell, plan), origin)


def _others(records: Iterable[Record], run: Iterable[Record]) -> list[Edit]:
    known = {
        _plain(prompt)
        for record in run
        for prompt in (record.edit.prompt, *(probe.prompt for probe in record.probes))
    }
    others: dict[str, Edit] = {}
    for record in records:
        prompt = _plain(record.edit.prompt)
        if prompt not in known:
            others.setdefault(prompt, record.edit)
    return list(others.values())


def _plain(prompt: str) -> str:
    """The same for prompts that differ in white space and case only."""
    return " ".join(prompt.split()).casefold()


def _checked(cell: Cell, plan: PaddingPlan) -> dict[str, Any]:
    """The settings, with values of the right types."""
    method = cell.method
    config = methods.configured(
        methods.get(method.name), method.preset, {**method.settings, **plan.settings}
    )
    return {name: getattr(config, name) for name in plan.settings}


@contextmanager
def _settings(method: Method, settings: Mapping[str, Any]) -> Iterator[None]:
    """A block in which edits are fitted with other settings."""
    config = method.config
    # A method's fit reads its settings from there each time; the store's settings stay as they are.
    method.config = replace(config, **settings)
    try:
        yield
    finally:
        method.config = config


def _made(editor: Editor, batch: Sequence[Edit]) -> int:
    """How many of these edits were made."""
    try:
        return sum(isinstance(result, Receipt) for result in editor.edit_many(batch))
    except BadInput:
        # One of them cannot be given to this model at all: find out which, one at a time.
        return sum(_made(editor, [edit]) for edit in batch) if len(batch) > 1 else 0
