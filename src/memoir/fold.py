"""The state of an editor is the fold of its store's log over a method.

Opening a store, following what another process added to it, and making an edit live are all the same
step: take one more row in. So two processes that have read the same rows behave the same, bit for bit.
"""

from __future__ import annotations

import warnings
from dataclasses import asdict
from typing import Any

from memoir import methods
from memoir.errors import StoreDamaged, StoreError, WrongModel
from memoir.host import Host
from memoir.methods.base import Method, Prepared
from memoir.store import Row, Store, taught
from memoir.types import Progress


def settings_in_force(store: Store) -> Row | None:
    """The latest settings row; None in a store that is not bound to a model yet."""
    return next((row for row in reversed(store.rows()) if row.kind == "settings"), None)


class Fold:
    """A store's log, folded.

    Args:
        host: the model.
        store: its log.
        method, config: what to bind an empty store to; a store that is bound has its own.
        progress: called while an empty store's method prepares itself.

    Attributes:
        host: the model, at the site of the settings in force.
        method: the method, with every live edit applied.
        live: rows of the edits in force, by id, in order.
        damaged: those among them whose tensor file cannot be used, with what is wrong.
    """

    method: Method

    def __init__(
        self, host: Host, store: Store, method: str, config: Any, progress: Progress
    ) -> None:
        self.host = host
        self.store = store
        self.live: dict[str, Row] = {}
        self.damaged: dict[str, str] = {}
        self._seen = 0
        if settings_in_force(store) is None:
            chosen = methods.get(method)
            prepared = chosen.prepare(host, config or chosen.Config(), progress)
            with store.writing():
                if settings_in_force(store) is None:  # no other process was faster
                    self.bind(host, method, prepared)
        self._load()

    def bind(self, host: Host, method: str, prepared: Prepared) -> None:
        """Write settings for this model to the log; they are in force from the next refresh on."""
        body = {
            "method": method,
            "config": asdict(prepared.config),
            "site": host.site.path,
            "identity": host.identity(),
            "evidence": prepared.evidence,
        }
        self.store.append("settings", body, prepared.tensors)

    def refresh(self) -> None:
        """Take in what was added to the log since the last look."""
        rows = self.store.rows(after=self._seen)
        if any(row.kind == "settings" for row in rows):
            self._load()
            return
        for row in rows:
            self.follow(row)

    def follow(self, row: Row) -> None:
        """Take in one row.

        The method is given what the store holds, also of an edit that was just made: so nothing of it
        stays in memory unless the method wants it there, and other processes see the same.
        """
        if row.kind == "edit":
            self.live[row.id] = row
            try:
                self.method.apply(row.id, taught(row), self.store.tensors(row))
            except StoreDamaged as error:
                self.damaged[row.id] = str(error)
        elif row.kind == "revert":
            id = row.body["edit"]
            del self.live[id]
            if self.damaged.pop(id, None) is None:
                self.method.remove(id)
        self._seen = row.seq

    def _load(self) -> None:
        """Fold the whole log, from the settings in force on."""
        bound = settings_in_force(self.store)
        assert bound is not None, "settings are written before anything is loaded"
        if hasattr(self, "method"):
            self.method.close()
        if bound.body["site"] != self.host.site.path:  # calibrated anew since
            self.host = self.host.at(bound.body["site"])
        self._check_model(bound.body["identity"])
        method = methods.get(bound.body["method"])
        try:
            config = method.Config(**bound.body["config"])
        except TypeError as error:
            raise StoreError(
                f"the store {self.store.folder} has settings of another version of memoir ({error}). "
                "Open it with the version that made it, or teach its edits to a new store."
            ) from error
        tensors = dict(self.store.tensors(bound))
        self.method = method(self.host, Prepared(config, tensors, bound.body["evidence"]))
        self.live, self.damaged = {}, {}
        rows = self.store.rows()
        reverted = {row.body["edit"] for row in rows if row.kind == "revert"}
        for row in rows:
            # An edit that was taken back leaves no trace, so it need not be read at all.
            if row.kind == "edit" and row.id not in reverted:
                self.follow(row)
        self._seen = rows[-1].seq
        if self.damaged:
            warnings.warn(
                f"{len(self.damaged)} of the edits in {self.store.folder} cannot be used; the "
                "others are in force. " + " ".join(self.damaged.values()),
                stacklevel=5,
            )

    def _check_model(self, expected: dict[str, str]) -> None:
        found = self.host.identity()
        if found["hash"] == expected["hash"]:
            return
        raise WrongModel(
            f"the store {self.store.folder} was made for {expected['model']} in "
            f"{expected['dtype']} (weights {expected['hash'][:12]}), but this is {found['model']} "
            f"in {found['dtype']} (weights {found['hash'][:12]}). Open it with that model, or make "
            "a new store for this one."
        )
