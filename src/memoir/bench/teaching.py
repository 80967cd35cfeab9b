"""Making the edits of a run, in order, each with its row in the run file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice

from memoir.bench.journal import Journal, Row
from memoir.editor import Editor
from memoir.errors import BadInput, EditRefused, RunDamaged
from memoir.store import Entry
from memoir.types import Edit, Receipt


class Teacher:
    """Teaches edits one after another, as many side by side as the method's settings say.

    The store is written before the run file. A process killed between the two leaves one edit in
    the store that has no row; its row is made from the store when the run goes on.

    Args:
        editor: what learns.
        edits: of the records, in order, as the editor is told them.
        journal: where rows go.
        padding: edits that the store holds before those of the records.

    Raises:
        RunDamaged: the store lacks an edit of the run file, or holds one that is none of the
            records.

    Attributes:
        ids: for each record taught so far, its edit's id; None if it was refused.
    """

    def __init__(
        self, editor: Editor, edits: Sequence[Edit], journal: Journal, padding: int = 0
    ) -> None:
        self._editor = editor
        self._edits = edits
        self._journal = journal
        entries = iter(editor.log())
        self._index: dict[str, int | None] = {
            entry.row.id: None for entry in islice(entries, padding)
        }
        self.ids: list[str | None] = [self._id(row, entries) for row in journal.of("edit")]
        self._index |= {id: index for index, id in enumerate(self.ids) if id is not None}
        for entry in entries:
            self._recover(entry)

    def index_of(self, id: str | None) -> int | None:
        """The record whose edit has this id; None for an edit of the padding too."""
        return None if id is None else self._index[id]

    def teach(self, until: int) -> None:
        """Teach the next batch; never beyond the record ``until``."""
        begin = len(self.ids)
        size = getattr(self._editor.method.config, "batch_size", 1)
        batch = self._edits[begin : min(begin + size, until)]
        try:
            self._editor.edit_many(batch, on_done=self._note)
        except BadInput:
            # One of them cannot be given to this model at all: find out which, one at a time.
            for edit in batch:
                self._teach_alone(edit)

    def _teach_alone(self, edit: Edit) -> None:
        try:
            self._editor.edit_many([edit], on_done=self._note)
        except BadInput as error:
            self._note(EditRefused(str(error)))

    def _id(self, row: Row, entries: Iterator[Entry]) -> str | None:
        if row["refused"] is not None:
            return None
        entry = next(entries, None)
        if entry is None:
            raise RunDamaged(
                f"the store {self._editor.store.folder} lacks edits that {self._journal.path} says "
                "were made. Restore both from one copy, or remove both to begin again."
            )
        return entry.row.id

    def _recover(self, entry: Entry) -> None:
        """Write the rows that a killed run owed for an edit in the store."""
        edits = list(self._edits[len(self.ids) :])
        if entry.edit not in edits:
            raise RunDamaged(
                f"the store {self._editor.store.folder} holds an edit that is not among the coming "
                f"records of {self._journal.path}: {entry.edit.prompt!r} → {entry.edit.target!r}. "
                "Restore both from one copy, or remove both to begin again."
            )
        for _ in range(edits.index(entry.edit)):
            self._note(EditRefused("the run was interrupted before the reason was written"))
        index = len(self.ids)
        self._journal.write([_from_store(index, entry, self._editor)])
        self.ids.append(entry.row.id)
        self._index[entry.row.id] = index

    def _note(self, result: Receipt | EditRefused) -> None:
        index = len(self.ids)
        if isinstance(result, EditRefused):
            row = _refused(index, result)
            self.ids.append(None)
        else:
            row = _made(index, result)
            self.ids.append(result.id)
            self._index[result.id] = index
        self._journal.write([row])


def _made(index: int, receipt: Receipt) -> Row:
    return {
        "kind": "edit",
        "index": index,
        "refused": None,
        "steps": receipt.steps,
        "loss": round(receipt.loss, 6),
        "said": receipt.said,
        "bytes": receipt.bytes,
        "seconds": {stage: round(taken, 4) for stage, taken in receipt.seconds.items()},
    }


def _refused(index: int, error: EditRefused) -> Row:
    reason = f"{type(error).__name__}: {error}"
    return {"kind": "edit", "index": index, "refused": reason}


def _from_store(index: int, entry: Entry, editor: Editor) -> Row:
    body = entry.row.body
    return {
        "kind": "edit",
        "index": index,
        "refused": None,
        "steps": len(body["losses"]) - 1,
        "loss": body["losses"][-1],
        "said": body["said"],
        "bytes": editor.store.size(entry.row),
        "seconds": {stage: round(taken, 4) for stage, taken in body["seconds"].items()},
    }
