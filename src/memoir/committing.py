"""Turning edits into commits: fitted, written, in force and durable, or as if nothing had happened."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from typing import NamedTuple

from memoir.errors import EditRefused, StoreError
from memoir.fold import Fold
from memoir.methods.base import Change, Method
from memoir.store import Row, taught
from memoir.types import Edit, Note, Progress, Receipt, no_progress

Review = Callable[[], None]
"""Looks at the editor with a change in force, and raises what shall keep it from being committed."""


class Changed(NamedTuple):
    """What a commit did.

    Attributes:
        commit: its row.
        receipts: of the edits that were taught, in order.
    """

    commit: Row
    receipts: list[Receipt]


class _Written(NamedTuple):
    """A fitted edit whose tensors are durable."""

    change: Change
    row: Row
    seconds: float


class _Ahead(NamedTuple):
    """Groups of edits that were fitted before anybody was kept from writing."""

    method: Method
    fitted: list[list[Change | EditRefused]]


class Committer:
    """Changes the branch that a fold looks at.

    Args:
        fold: what is in force; each change is taken in.
        review: called with every change in force and before it is committed.
    """

    def __init__(self, fold: Fold, review: Review) -> None:
        self._fold = fold
        self._store = fold.store
        self._review = review

    @contextmanager
    def changing(self) -> Iterator[str]:
        """Be the only one that changes the branch, which is yielded, and know its tip.

        Raises:
            StoreError: what the fold looks at is no branch.
        """
        with self._store.writing():
            branch = self._fold.branch
            if branch is None:
                raise StoreError(
                    "this editor looks at a commit or a tag, which stay as they are; look at a branch "
                    "to change it (memoir switch)."
                )
            self._fold.refresh()
            yield branch

    def teach(
        self, edits: Sequence[Edit], note: Note | None, progress: Progress = no_progress
    ) -> list[Receipt | EditRefused]:
        """Fit edits side by side and commit those that are not refused."""
        ahead = self._ahead([edits], progress)
        with self.changing() as branch:
            (fitted,) = self._fits([edits], ahead, progress)
            written = [self._written(each) for each in fitted if isinstance(each, Change)]
            receipts: Iterator[Receipt] = iter(())
            if written:
                with self._all_or_nothing():
                    for each in written:
                        self._fold.take(each.row)
                    commit = self._commit(branch, [each.row for each in written], note)
                receipts = (self._receipt(each, commit) for each in written)
            return [each if isinstance(each, EditRefused) else next(receipts) for each in fitted]

    def change(
        self,
        *,
        remove: Sequence[str] = (),
        add: Sequence[Row] = (),
        teach: Sequence[Sequence[Edit]] = (),
        note: Note | None = None,
        parents: Sequence[str] | None = None,
        why: str = "edit",
        progress: Progress = no_progress,
    ) -> Changed:
        """Commit everything as one change, or nothing.

        Args:
            remove: ids of edits to take out of force, first.
            add: stored edits to bring back into force, then.
            teach: edits to fit on top, in groups that are fitted side by side.
            note: who changes this, and why.
            parents: of the commit; None for the branch's tip.
            why: the verb, for the record of moves.
            progress: called before each group is fitted, and while it is.

        Raises:
            EditRefused: the first edit that was refused, with its ``place``.
        """
        ahead = self._ahead(teach, progress)
        with self.changing() as branch, self._all_or_nothing():
            for id in remove:
                self._fold.drop(id)
            for row in add:
                self._fold.take(row)
            written = self._taken(self._fits(teach, ahead, progress))
            rows = [*add, *(each.row for each in written)]
            commit = self._commit(branch, rows, note, remove, parents, why)
        return Changed(commit, [self._receipt(each, commit) for each in written])

    @contextmanager
    def _all_or_nothing(self) -> Iterator[None]:
        """What is taken and dropped inside is committed, or as if it had never been."""
        try:
            yield
        except BaseException:
            self._fold.reload()
            raise

    def _ahead(self, groups: Sequence[Sequence[Edit]], progress: Progress) -> _Ahead | None:
        """Edits fitted while others may go on writing, if fitting depends on no other edit."""
        method = self._fold.method
        if not method.edits_apart or self._fold.branch is None:
            return None
        ahead = _Ahead(method, [])
        for fitted in _fitted(method, groups, progress):
            ahead.fitted.append(fitted)
            if any(isinstance(each, EditRefused) for each in fitted):
                break  # where all are one change there will be none
        return ahead

    def _fits(
        self, groups: Sequence[Sequence[Edit]], ahead: _Ahead | None, progress: Progress
    ) -> Iterable[list[Change | EditRefused]]:
        """Each group fitted: ahead, or now, when it is asked for."""
        if ahead is not None and ahead.method is self._fold.method:  # with the same settings still
            return ahead.fitted
        return _fitted(self._fold.method, groups, progress)

    def _taken(self, fits: Iterable[list[Change | EditRefused]]) -> list[_Written]:
        """Edits that are in force, and not committed; a group may be fitted on top of those before."""
        done: list[_Written] = []
        for fitted in fits:
            for change in fitted:
                if isinstance(change, EditRefused):
                    change.place = len(done)
                    raise change
                done.append(self._written(change))
                self._fold.take(done[-1].row)
        return done

    def _written(self, change: Change) -> _Written:
        start = time.perf_counter()
        body = {
            **asdict(change.edit),
            "losses": [round(loss, 6) for loss in change.losses],
            "said": change.said,
            "seconds": change.seconds,
        }
        row = self._store.row("edit", body, change.tensors)
        return _Written(change, row, time.perf_counter() - start)

    def _commit(
        self,
        branch: str,
        rows: Sequence[Row],
        note: Note | None,
        remove: Sequence[str] = (),
        parents: Sequence[str] | None = None,
        why: str = "edit",
    ) -> Row:
        """Commit what is in force already."""
        self._review()
        note = note or Note()
        if not note.message:
            note = replace(note, message=_described(rows, remove))
        commit = self._store.commit(
            rows, remove, note=note, parents=parents, why=why, branch=branch
        )
        self._fold.at = commit.id
        return commit

    def _receipt(self, written: _Written, commit: Row) -> Receipt:
        change = written.change
        return Receipt(
            written.row.id,
            change.edit,
            len(change.losses) - 1,
            change.losses[-1],
            change.said,
            self._store.size(written.row),
            {**change.seconds, "write": written.seconds},
            commit.id,
        )


def _fitted(
    method: Method, groups: Sequence[Sequence[Edit]], progress: Progress
) -> Iterator[list[Change | EditRefused]]:
    """Each group fitted on the state there is when it is asked for."""
    done, total = 0, sum(map(len, groups))
    for group in groups:
        if done:  # the beginning is told by whoever gives them
            progress("editing", done, total)
        yield method.fit(group, progress)
        done += len(group)


def _described(rows: Sequence[Row], remove: Sequence[str]) -> str:
    """What a commit does, in a line."""
    if len(rows) == 1 and not remove:
        edit = taught(rows[0])
        return f"{edit.prompt} → {edit.target}"
    parts = [f"{len(rows)} edits"] if rows else []
    return ", ".join([*parts, *([f"{len(remove)} taken back"] if remove else [])])
