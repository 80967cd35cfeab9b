"""The state of an editor is the fold of its store's commits over a method.

Opening a store, following what another process added to it, and making an edit live are all the same
step: take one more edit in. So two processes that look at the same commit behave the same, bit for bit.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from torch import Tensor

from memoir import methods
from memoir.errors import StoreDamaged, StoreError, WrongModel
from memoir.host import Host
from memoir.methods.base import Method, Prepared
from memoir.store import Row, Store, taught
from memoir.store.rows import HEAD
from memoir.types import Note, Progress


class Fold:
    """A store's history, folded up to a commit.

    Args:
        host: the model.
        store: its history.
        method, config: what to bind an empty store to; a store that is bound has its own.
        progress: called while an empty store's method prepares itself.
        at: the branch to follow, or the commit or tag to stay at; None for the branch in use, also
            after the store is switched to another one.

    Attributes:
        host: the model, at the site of the settings in force.
        method: the method, with every live edit applied.
        live: rows of the edits in force, by id, in order.
        damaged: those among them whose tensor file cannot be used, with what is wrong.
        at: the commit that was folded last.
    """

    method: Method

    def __init__(
        self,
        host: Host,
        store: Store,
        method: str,
        config: Any,
        progress: Progress,
        at: str | None = None,
    ) -> None:
        self.host = host
        self.store = store
        self.live: dict[str, Row] = {}
        self.damaged: dict[str, str] = {}
        self.at: str | None = None
        history = store.history
        if at is not None and at != HEAD and at not in history.branches:
            at = history.resolve(at)  # a commit, whatever the name comes to stand for
        self._name = at
        if at is None and store.settings() is None:
            chosen = methods.get(method)
            prepared = chosen.prepare(host, config or chosen.Config(), progress)
            with store.writing():
                if store.settings() is None:  # no other process was faster
                    self.bind(host, method, prepared)
        self._load(self._target())

    @property
    def branch(self) -> str | None:
        """The branch that is looked at, which edits go to; None at a commit or a tag."""
        history = self.store.history
        if self._name in (None, HEAD):
            return history.branch
        return self._name if self._name in history.branches else None

    def _target(self) -> str:
        history = self.store.history
        commit = history.tip() if self._name is None else history.resolve(self._name)
        assert commit is not None, "settings are written before anything is loaded"
        return commit

    def bind(self, host: Host, method: str, prepared: Prepared) -> None:
        """Commit settings for this model; they are in force from the next refresh on."""
        body: dict[str, Any] = {
            "method": method,
            "config": asdict(prepared.config),
            "site": host.site.path,
            "identity": host.identity(),
            "evidence": prepared.evidence,
        }
        row = self.store.row("settings", body, prepared.tensors)
        note = Note(f"Bind to {body['identity']['model']} with the method {method}")
        self.store.commit(settings=row, note=note, why="init", branch=self.branch)

    @property
    def turns(self) -> bool:
        """Whether :meth:`refresh` would fold anew, with another method in place of this one: for other
        settings, or a name that was moved elsewhere."""
        return self._steps(self._target()) is None

    def _steps(self, target: str) -> list[str] | None:
        """Commits to add to what is folded, the oldest first; None if it has to be folded anew."""
        history = self.store.history
        steps = history.since(self.at, target)
        if steps is None or any(history.nodes[id].settings for id in steps):
            return None
        return steps

    def refresh(self) -> None:
        """Take in what was committed since the last look."""
        target = self._target()
        steps, nodes = self._steps(target), self.store.history.nodes
        if steps is None:
            self._load(target)
            return
        rows = self.store.log.get(self.store.history.edits(steps))
        for id in steps:
            for edit in nodes[id].remove:
                if edit in self.live:  # a commit from elsewhere may remove what is not in force
                    self.drop(edit)
            for edit in nodes[id].add:
                self.take(rows[edit])
        self.at = target

    def take(self, row: Row) -> None:
        """Bring an edit into force.

        The method is given what the store holds, also of an edit that was just made: so nothing of it
        stays in memory unless the method wants it there, and other processes see the same.
        """
        self.live[row.id] = row
        try:
            self.method.apply(row.id, taught(row), self.store.tensors(row))
        except StoreDamaged as error:
            self.damaged[row.id] = str(error)

    def drop(self, id: str) -> None:
        """Take an edit out of force."""
        del self.live[id]
        if self.damaged.pop(id, None) is None:
            self.method.remove(id)

    def reload(self) -> None:
        """Fold anew: as if nothing had been taken or dropped but what is committed."""
        self._load(self._target())

    def _load(self, target: str) -> None:
        """Fold everything up to a commit."""
        bound = self.store.settings(target)
        assert bound is not None, "settings are written before anything is loaded"
        if hasattr(self, "method"):
            self.method.close()
        if bound.body["site"] != self.host.site.path:  # calibrated anew since
            self.host = self.host.at(bound.body["site"])
        tensors = dict(self.store.tensors(bound))
        self.method = unedited(self.host, bound.body, tensors, f"the store {self.store.folder}")
        self.live, self.damaged = {}, {}
        for row in self.store.live(target):
            # An edit that was taken back leaves no trace, so it need not be read at all.
            self.take(row)
        self.at = target
        if self.damaged:
            warnings.warn(
                f"{len(self.damaged)} of the edits in {self.store.folder} cannot be used; the "
                "others are in force. " + " ".join(self.damaged.values()),
                stacklevel=5,
            )


def unedited(
    host: Host, settings: Mapping[str, Any], tensors: dict[str, Tensor], whose: str
) -> Method:
    """The method that settings bind to a model, before its first edit.

    Args:
        host: the model, at the site of the settings.
        settings: body of their row, see :meth:`Fold.bind`.
        tensors: theirs.
        whose: what they are of, for messages.

    Raises:
        WrongModel: they were made for another model.
        StoreError: another version of memoir made them.
    """
    check_model(host, settings["identity"], whose)
    method = methods.get(settings["method"])
    try:
        config = method.Config(**settings["config"])
    except TypeError as error:
        raise StoreError(
            f"{whose} has settings of another version of memoir ({error}). "
            "Open it with the version that made it, or teach its edits to a new store."
        ) from error
    bound: Method = method(host, Prepared(config, tensors, settings["evidence"]))
    return bound


def check_model(host: Host, expected: Mapping[str, str], whose: str) -> None:
    """Make sure that a model is the one that edits were made for.

    Args:
        host: the model, at the site of the edits.
        expected: its identity, see :meth:`memoir.host.Host.identity`.
        whose: what the edits are of, for messages.

    Raises:
        WrongModel: it is another one.
    """
    found = host.identity()
    if found["hash"] == expected["hash"]:
        return
    raise WrongModel(
        f"{whose} was made for {expected['model']} in "
        f"{expected['dtype']} (weights {expected['hash'][:12]}), but this is {found['model']} "
        f"in {found['dtype']} (weights {found['hash'][:12]}). Open it with that model, or make "
        "a new store for this one."
    )
