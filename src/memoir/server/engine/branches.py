"""The branches that are served, each folded over the one model, following the store's log.

An edit that was committed by anybody is taken in between two steps; answers under way keep the route
that was decided for them. Where that is not enough, because edits share a memory, or because settings
changed and the method is another one from now on, a branch rests: its new questions wait until none
is under way.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from memoir.errors import MemoirError, NotServable, StoreError, UnknownName
from memoir.fold import Fold
from memoir.host import Host
from memoir.host.scoped import Scoped
from memoir.methods.base import Method
from memoir.server.asked import Served
from memoir.server.engine.waiting import Expected
from memoir.store import Store
from memoir.types import no_progress

logger = logging.getLogger(__name__)


class Branch:
    """A branch that is served.

    Args:
        host: the model.
        store: its history.
        name: of the branch.

    Attributes:
        commit: the one that new questions begin with.
        running: questions under way that began with its present state.
        behind: whether something is committed that is not in force here.
        rests: whether its new questions wait for that.
        broken: why it cannot be asked; None if it can.
        error: why it does not follow its store; None if it does.

    Raises:
        UnknownName: there is no such branch.
        StoreError: nothing was ever taught there.
        NotServable: its method does not act row by row.
    """

    def __init__(self, host: Host, store: Store, name: str) -> None:
        history = store.history
        if name not in history.branches:
            raise UnknownName.among("branch", name, history.branches)
        if store.settings(history.branches[name]) is None:
            raise StoreError(
                f"the branch '{name}' of {store.folder} is not bound to a model yet; teach it "
                "something first, e.g. with memoir edit."
            )
        self.name = name
        self.running = 0
        self.behind = False
        self.rests = False
        self.broken: Exception | None = None
        self.error: str | None = None
        self._store = store
        self._fold = Fold(host, store, "memoir", None, no_progress, at=name)
        self.commit = self._checked()

    @property
    def method(self) -> Method:
        """The method with every live edit."""
        return self._fold.method

    @property
    def attachment(self) -> Scoped:
        """How its edits act."""
        attachment = self.method.attachment
        assert isinstance(attachment, Scoped), "checked when the method was loaded"
        return attachment

    def served(self) -> Served:
        """What is told of it."""
        threshold = getattr(self.method.config, "threshold", None)
        return Served(self.name, self.commit, len(self._fold.live), threshold, self.error)

    def has(self, commit: str) -> bool:
        """Whether a commit is in force, or something that was built on it."""
        return commit == self.commit or commit in self._store.history.ancestors(self.commit)

    def follow(self) -> None:
        """Take in what was committed, unless that must wait."""
        self.behind, self.rests = True, False
        try:
            tip = self._store.history.branches.get(self.name)
            if tip is None:
                raise UnknownName(f"the branch '{self.name}' of {self._store.folder} was deleted.")
            self.behind = self.broken is not None or tip != self.commit
            self.rests = self.behind and self.running > 0 and self._must_rest()
        except Exception as error:  # what is in force stays so
            self.lag(error)
            return
        if not self.behind:
            self.error = None
        elif not self.rests:
            self._catch_up()

    def lag(self, error: Exception) -> None:
        """What was committed cannot be taken in now; told once, and tried again."""
        self.behind = True
        if str(error) != self.error:
            logger.warning("branch %s does not follow its store: %s", self.name, error)
        self.error = str(error)

    def close(self) -> None:
        """Leave the model as it was."""
        self.method.close()

    def _must_rest(self) -> bool:
        return self.broken is not None or self._fold.turns or not self.method.edits_apart

    def _catch_up(self) -> None:
        try:
            if self.broken is None:
                self._fold.refresh()
            else:
                self._fold.reload()
            self.commit = self._checked()
        except Exception as error:  # what is in force now is neither the old state nor the new
            self.lag(error)
            self.broken = error
        else:
            self.behind, self.broken, self.error = False, None, None

    def _checked(self) -> str:
        """The commit that is folded, if its method can be served."""
        method, commit = self.method, self._fold.at
        name = self._store.settings(commit)
        assert commit is not None, "a fold loads a commit before anything else"
        assert name is not None, "and no commit without settings"
        if method.attachment.row_by_row:
            return commit
        method.close()
        raise NotServable(
            f"the branch '{self.name}' of {self._store.folder} has the method "
            f"'{name.body['method']}', whose edits act on all prompts of a batch alike, so questions "
            "cannot be answered side by side. Serve a store of another method, such as memoir, or make "
            "a checkpoint of this one with memoir merge-weights and serve that with any server."
        )


class Branches:
    """All that are served, from one store; used in one thread only.

    Args:
        host: the model.
        folder: where the store is.
        names: of the branches.
    """

    def __init__(self, host: Host, folder: str | Path, names: Sequence[str]) -> None:
        self._store = Store(folder)
        self._named: dict[str, Branch] = {}
        self._seen = -1
        self._expected: list[Expected] = []
        try:
            for name in names:
                self._named[name] = Branch(host, self._store, name)
        except BaseException:
            self.close()
            raise
        self.told = self._told()

    def __getitem__(self, name: str) -> Branch:
        return self._named[name]

    @property
    def rested(self) -> bool:
        """Whether a branch has nothing under way any more that it rested for."""
        return any(each.rests and not each.running for each in self._named.values())

    def follow(self) -> None:
        """Look whether something was committed, take it in, and tell those who wait for it."""
        branches = self._named.values()
        try:
            last = self._store.log.last("moves")
        except Exception as error:  # a disk or a server that comes back
            for each in branches:
                each.lag(error)
            self.told = self._told()
            return
        if last != self._seen or any(each.behind for each in branches):
            for each in branches:
                each.follow()
            self._seen = last
            self.told = self._told()
        self._answer()

    def expect(self, expected: Expected) -> None:
        """Set a future's result once a commit is in force."""
        self._expected.append(expected)

    def close(self, error: Exception | None = None) -> None:
        """Leave the model as it was, and release the store.

        Args:
            error: what those are told who wait for a commit.
        """
        for each in self._expected:
            _settle(each.future, error)
        for branch in self._named.values():
            with suppress(MemoirError):
                branch.close()
        self._store.close()

    def _answer(self) -> None:
        """Tell those whose commit is in force, and those for whom it never will be."""
        left = []
        for each in self._expected:
            branch = self[each.branch]
            if branch.broken is not None or branch.has(each.commit):
                _settle(each.future, branch.broken)
            elif not each.future.cancelled():
                left.append(each)
        self._expected = left

    def _told(self) -> tuple[Served, ...]:
        return tuple(each.served() for each in self._named.values())


def _settle(future: asyncio.Future[None], error: Exception | None) -> None:
    """Give a future its result in its own loop's thread."""

    def settle() -> None:
        if future.done():
            return
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)

    with suppress(RuntimeError):  # its loop is closed
        future.get_loop().call_soon_threadsafe(settle)
