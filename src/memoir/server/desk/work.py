"""What is done at the desk. One thread does it all: it alone has the editors and their store."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path

from memoir.editor import Editor
from memoir.errors import EditRefused
from memoir.host import Host
from memoir.host.twin import twin
from memoir.store import Row, Store
from memoir.store.address import Address
from memoir.types import Edit, Note, Progress, Receipt, Record
from memoir.versions import gate
from memoir.versions.check import Report
from memoir.versions.conflicting import Contradiction, contradictions
from memoir.versions.conflicts import Objection, objections
from memoir.versions.past_checks import checked
from memoir.versions.teaching import teach


class Work:
    """Changes of a store's branches, and what is asked of a branch before and after them.

    Editors and store are opened when they are first needed, by the thread that needs them.

    Args:
        host: the model, with nothing attached; each branch's editor has a twin of it.
        place: where the store is.
        patience: seconds to wait for another process that is writing.
    """

    def __init__(self, host: Host, place: str | Path | Address, patience: float) -> None:
        self._host = host
        self._place = place
        self._patience = patience
        self._store: Store | None = None
        self._editors: dict[str, Editor] = {}

    @property
    def store(self) -> Store:
        """The store, as this thread sees it."""
        if self._store is None:
            self._store = Store(self._place, self._patience)
        return self._store

    def _editor(self, branch: str) -> Editor:
        """A branch's editor, at the branch's tip."""
        if branch not in self._editors:
            self._editors[branch] = Editor(twin(self._host), self.store, at=branch)
        editor = self._editors[branch]
        editor.refresh()
        gate.install(editor)
        return editor

    def teach(
        self,
        branch: str,
        records: Sequence[Record],
        note: Note,
        together: bool,
        force: bool,
        progress: Progress,
    ) -> list[Receipt | EditRefused]:
        """Teach facts; see :func:`memoir.versions.teaching.teach`. If not together, those that are
        objected to or refused stop none of the others."""
        editor = self._editor(branch)
        progress("looking for objections", 0, len(records))
        # Nobody else may commit between the objections and the only commit.
        with editor.committer.changing() if together else nullcontext():
            return teach(
                editor,
                records,
                note,
                together=together,
                keep_going=not together,
                force=force,
                progress=progress,
            )

    def revert(self, branch: str, id: str, note: Note) -> Row:
        """Take an edit back, and return the commit that does; this asks no model."""
        return self.store.revert([self.store.find(id, "edit").id], note, branch)

    def check(self, branch: str, unrelated: int, anew: bool, progress: Progress) -> Report:
        """Ask everything that a branch is held to, and tell which commits broke what; the store
        remembers it in numbers."""
        editor = self._editor(branch)
        probes = gate.own_probes(editor.store)
        return checked(editor, probes, unrelated=unrelated, anew=anew, progress=progress)

    def objections(self, branch: str, edits: Sequence[Edit]) -> list[Objection]:
        """What there is to say against edits, which are not made."""
        return objections(self._editor(branch), edits)

    def contradictions(self, branch: str, progress: Progress) -> list[Contradiction]:
        """Edits in force on a branch that contradict one another."""
        return contradictions(self._editor(branch), progress)

    def close(self) -> None:
        """Release models and store."""
        for editor in self._editors.values():
            editor.method.close()
        self._editors = {}
        if self._store is not None:
            self._store.close()
            self._store = None
