"""A connection to a PostgreSQL database: made anew if it was lost, its errors told in our words."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.pq import TransactionStatus

from memoir.errors import BadInput, StoreDamaged, StoreError, StoreFull
from memoir.store.address import Address

_DEFAULTS: dict[str, str | int] = {
    "application_name": "memoir",
    "connect_timeout": 10,
    # A connection whose other end has vanished is given up within a minute.
    "keepalives_idle": 20,
    "keepalives_interval": 5,
    "keepalives_count": 3,
}
"""Options of a connection that the address does not give."""

_SETTINGS = """
SELECT set_config('search_path', %s, false),
       -- A server that keeps a dead machine's connection open would keep its lock too.
       set_config('tcp_keepalives_idle', '20', false),
       set_config('tcp_keepalives_interval', '5', false),
       set_config('tcp_keepalives_count', '3', false),
       -- What was acknowledged is on the server's disk.
       CASE current_setting('synchronous_commit') WHEN 'off'
           THEN set_config('synchronous_commit', 'on', false) END
"""


class Session:
    """A connection that finds a store's tables.

    Args:
        address: where they are, or will be.

    Raises:
        BadInput: the address has parts that PostgreSQL does not know.
        StoreError: the server cannot be reached, or lets us not in.
    """

    def __init__(self, address: Address) -> None:
        self.address = address
        self._bound = 0
        self._connection = self._connect()

    def _connect(self) -> psycopg.Connection[tuple[Any, ...]]:
        address = self.address
        try:
            given = conninfo_to_dict(address.server)
        except psycopg.ProgrammingError as error:
            raise BadInput(
                f"{address} cannot be an address of a database: {_told(error)}."
            ) from None
        more = {name: value for name, value in _DEFAULTS.items() if name not in given}
        try:
            connection = psycopg.connect(make_conninfo(address.server, **more), autocommit=True)
            # Who waited for a lock sees what was added meanwhile.
            connection.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
            connection.execute(_SETTINGS, (f'"{address.schema}"',))
        except psycopg.Error as error:
            raise StoreError(
                f"the database {address} cannot be reached ({_told(error)}); check that its server "
                "runs, and that the address, the user and the password are right."
            ) from error
        return connection

    def _connected(self) -> psycopg.Connection[tuple[Any, ...]]:
        if self._connection.broken and not self._bound:
            self._connection = self._connect()
        return self._connection

    def close(self) -> None:
        """Leave the server."""
        self._connection.close()

    # ------------------------------------------------------------------ asking

    def run(self, query: str, given: Sequence[Any] = (), binary: bool = False) -> list[Any]:
        """Rows that a statement gives; none if it is no question."""
        with self._explaining():
            cursor = self._connected().execute(query, given or None, binary=binary)
            return cursor.fetchall() if cursor.description else []

    def run_many(self, query: str, given: Iterable[Sequence[Any]]) -> None:
        """Run a statement once for each of the values."""
        with self._explaining(), self._connected().cursor() as cursor:
            cursor.executemany(query, given)

    def bind(self) -> None:
        """Stay with this connection, until :meth:`unbind`: if it is lost, it is not made anew."""
        self._connected()
        self._bound += 1

    def unbind(self) -> None:
        """Undo one :meth:`bind`."""
        self._bound -= 1

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """A block that is done as a whole or not at all."""
        self.bind()
        try:
            with self._explaining(), self._connection.transaction():
                yield
        finally:
            self.unbind()

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """A block in which everything read is of one moment."""
        if self._connected().info.transaction_status != TransactionStatus.IDLE:
            yield
            return
        with self.transaction():
            self.run("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            yield

    # ------------------------------------------------------------------ errors

    @contextmanager
    def _explaining(self) -> Iterator[None]:
        try:
            yield
        except psycopg.Error as error:
            raise self._explained(error) from error

    def _explained(self, error: psycopg.Error) -> StoreError:
        """What PostgreSQL's error means for a user."""
        address, reason = self.address, _told(error)
        if self._connection.closed:
            return StoreError(
                f"the connection to the database {address} was lost ({reason}). A change that was "
                "being added is there as a whole or not at all: see memoir log. Check that the "
                "server runs, and try again."
            )
        if isinstance(error, errors.DiskFull):
            return StoreFull(
                f"the disk is full: the database {address} took no more ({reason}); nothing was "
                "added. Free some space on its server and try again."
            )
        if isinstance(error, errors.InsufficientPrivilege | errors.ReadOnlySqlTransaction):
            return StoreError(
                f"the database {address} does not allow it ({reason}); nothing was added. Check "
                "that this user may read and write there."
            )
        if not isinstance(error, psycopg.OperationalError):
            return StoreDamaged(
                f"the database {address} cannot be read as a log ({reason}); restore it from a "
                "copy."
            )
        return StoreError(
            f"the database {address} gave up ({reason}); nothing was added. Try again."
        )


def _told(error: psycopg.Error) -> str:
    """An error's first line."""
    message = error.diag.message_primary or str(error)
    return message.strip().partition("\n")[0].rstrip(".") or type(error).__name__
