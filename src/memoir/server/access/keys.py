"""API keys, kept in the store's own settings by name, and only as a hash of the secret.

A secret is 32 random bytes, so one round of SHA-256 is enough: there is nothing to guess.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from memoir.errors import BadInput, UnknownName
from memoir.server.access.callers import ROLES, Caller, Role
from memoir.store import Store
from memoir.store.address import Address
from memoir.store.rows import now

PREFIX = "server.key."
"""Of the settings that hold keys."""

FRESH = 1.0
"""Seconds for which keys that were read count: a key that is taken away stops working within them."""

_NAME = re.compile(r"[A-Za-z0-9][\w.@-]{0,63}")


@dataclass(frozen=True)
class Key:
    """A key as it is kept.

    Attributes:
        name: how it is called, in logs and as an author of commits.
        role: what it may do.
        branch: the only one it may ask and edit; None for all.
        sha256: of the secret, in hex.
        made: when, UTC, ISO 8601.
    """

    name: str
    role: Role
    branch: str | None
    sha256: str
    made: str


class Keys(Protocol):
    """Whom the server knows. Called from several threads."""

    def find(self, secret: str) -> Caller | None:
        """Whose secret this is."""

    def any(self) -> bool:
        """Whether there is any key."""


class StoreKeys:
    """The keys of a store, read again when others may have changed them.

    Args:
        place: where the store is. It is opened for each reading, since keys are asked for by whatever
            thread is free.
        fresh: seconds for which what was read counts.
    """

    def __init__(self, place: str | Path | Address, fresh: float = FRESH) -> None:
        self._place, self._fresh = place, fresh
        self._lock = threading.Lock()
        self._read: tuple[float, list[Key]] | None = None

    def find(self, secret: str) -> Caller | None:
        """Whose secret this is, in a time that does not tell how much of it is right."""
        given, found = _hashed(secret), None
        for key in self._keys():
            if hmac.compare_digest(key.sha256, given):
                found = Caller(key.name, key.role, key.branch)
        return found

    def any(self) -> bool:
        """Whether there is any key."""
        return bool(self._keys())

    def _keys(self) -> list[Key]:
        with self._lock:
            if self._read is None or time.monotonic() - self._read[0] >= self._fresh:
                store = Store(self._place)
                try:
                    self._read = (time.monotonic(), listed(store))
                finally:
                    store.close()
            return self._read[1]


def listed(store: Store) -> list[Key]:
    """The keys of a store, by name."""
    kept = store.log.config().items()
    return [
        Key(name.removeprefix(PREFIX), **json.loads(value))
        for name, value in kept
        if name.startswith(PREFIX)
    ]


def add(store: Store, name: str, role: str, branch: str | None = None) -> str:
    """Make a key, and return its secret, which is kept nowhere.

    Args:
        store: where it is kept.
        name: how it is called.
        role: ``ask``, ``edit`` or ``admin``.
        branch: the only one it may ask and edit; None for all.

    Raises:
        BadInput: there is such a key, or a name that none can have.
        UnknownName: no such role or branch.
    """
    if not _NAME.fullmatch(name):
        raise BadInput(
            f"'{name}' cannot name a key: use up to 64 letters, digits and _ . @ - after the first "
            "letter or digit."
        )
    if role not in ROLES:
        raise UnknownName.among("role", role, ROLES)
    branches = store.history.branches
    if branch is not None and branch not in branches:
        raise UnknownName.among("branch", branch, branches, "See: memoir branch")
    secret = f"memoir-{secrets.token_urlsafe(32)}"
    key = Key(name, role, branch, _hashed(secret), now())
    kept = {"role": key.role, "branch": key.branch, "sha256": key.sha256, "made": key.made}
    with store.writing():
        if PREFIX + name in store.log.config():
            raise BadInput(
                f"there is a key '{name}' already; its secret cannot be shown again. Take another "
                f"name, or first: memoir keys remove {name}"
            )
        store.log.configure(PREFIX + name, json.dumps(kept))
    return secret


def remove(store: Store, name: str) -> None:
    """Take a key away; servers refuse it within :data:`FRESH` seconds.

    Raises:
        UnknownName: no such key.
    """
    with store.writing():
        names = [key.name for key in listed(store)]
        if name not in names:
            raise UnknownName.among("key", name, names)
        store.log.configure(PREFIX + name, None)


def _hashed(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
