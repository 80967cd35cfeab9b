"""The lock of all who write to a store in a database."""

from __future__ import annotations

import hashlib
from contextlib import suppress

from filelock import Timeout
from psycopg import errors

from memoir.errors import StoreError
from memoir.store.session import Session

_LONGEST = 2**31 - 1
"""Milliseconds that PostgreSQL can wait."""


class AdvisoryLock:
    """Held by the session that writes, and gone with it: a process that dies leaves it free.

    Those who wait get it in the order they came.

    Args:
        session: of the log, so that what has lost the lock cannot append any more.
        timeout: seconds to wait for another process.
    """

    def __init__(self, session: Session, timeout: float) -> None:
        self.timeout = timeout
        self.lock_counter = 0
        self._session = session
        self._key = (key(session.address.schema),)

    @property
    def lock_file(self) -> str:
        """What is held, as people are told."""
        return str(self._session.address)

    @property
    def is_locked(self) -> bool:
        """Whether we hold it."""
        return self.lock_counter > 0

    def acquire(self, *, poll_interval: float) -> None:
        """Take it. The server has a queue, so nothing is polled."""
        self._session.bind()
        if not self.is_locked:
            try:
                self._take()
            except BaseException:
                self._session.unbind()
                raise
        self.lock_counter += 1

    def release(self) -> None:
        """Give it back, once it was released as often as it was taken."""
        self.lock_counter -= 1
        if not self.is_locked:
            with suppress(StoreError):  # a connection that was lost has given it back
                self._session.run("SELECT pg_advisory_unlock(%s)", self._key)
        self._session.unbind()

    def _take(self) -> None:
        wait = f"{min(max(self.timeout * 1000, 1), _LONGEST):.0f}"
        try:
            with self._session.transaction():
                self._session.run(
                    "SELECT set_config('lock_timeout', %s, true), "
                    "set_config('statement_timeout', '0', true)",
                    (wait,),
                )
                self._session.run("SELECT pg_advisory_lock(%s)", self._key)
        except StoreError as error:
            if isinstance(error.__cause__, errors.LockNotAvailable):
                raise Timeout(self.lock_file) from None
            raise


def key(schema: str) -> int:
    """What the lock of a schema is called: locks are shared by all of a database."""
    digest = hashlib.sha256(f"memoir {schema}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)
