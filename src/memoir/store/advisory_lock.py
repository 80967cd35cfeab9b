"""The lock of all who write to a store in a database."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress

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

    @contextmanager
    def acquire(self, *, poll_interval: float) -> Iterator[None]:
        """A block in which it is held; the server has a queue, so nothing is polled."""
        with self._session.bound():
            if not self.lock_counter:
                self._take()
            self.lock_counter += 1
            try:
                yield
            finally:
                self.lock_counter -= 1
                if not self.lock_counter:
                    with suppress(StoreError):  # a connection that was lost has given it back
                        self._session.run("SELECT pg_advisory_unlock(%s)", self._key)

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
                raise Timeout(str(self._session.address)) from None
            raise


def key(schema: str) -> int:
    """What the lock of a schema is called: locks are shared by all of a database."""
    digest = hashlib.sha256(f"memoir {schema}".encode()).digest()
    return int.from_bytes(digest[:8], "big", signed=True)
