"""What a store is made of, by where it is: in a folder, or in a database."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from memoir.errors import MissingExtra, NotAStore, StoreError
from memoir.store import tensors as tensor_files
from memoir.store.address import Address
from memoir.store.files import DatabaseFiles, Files, FolderFiles
from memoir.store.ledger import Ledger
from memoir.store.log import Log

LOG = "log.sqlite"
TENSORS = "tensors"


class Parts(NamedTuple):
    """What differs between a folder and a database.

    Attributes:
        log: rows and moves.
        files: tensors.
    """

    log: Ledger
    files: Files


def exists(place: Path | Address) -> bool:
    """Whether a store is there."""
    if isinstance(place, Path):
        return (place / LOG).is_file()
    _need_psycopg()
    from memoir.store.postgres import present
    from memoir.store.session import Session

    session = Session(place)
    try:
        return present(session)
    finally:
        session.close()


def create(place: Path | Address) -> None:
    """Make an empty store in a new or empty folder or schema.

    Raises:
        StoreError: it holds something else, or cannot be written.
    """
    if isinstance(place, Path):
        _create_folder(place)
        return
    _need_psycopg()
    from memoir.store import postgres

    postgres.create(place)


def opened(place: Path | Address) -> Parts:
    """The parts of a store that exists.

    Raises:
        NotAStore: it does not.
    """
    if isinstance(place, Path):
        if not exists(place):
            raise NotAStore(f"{place} holds no memoir store; make one with: memoir init")
        return Parts(Log(place / LOG), FolderFiles(place / TENSORS))
    _need_psycopg()
    from memoir.store.postgres import PostgresLog
    from memoir.store.session import Session

    session = Session(place)
    try:
        return Parts(PostgresLog(session), DatabaseFiles(session))
    except BaseException:
        session.close()
        raise


def _create_folder(path: Path) -> None:
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise StoreError(f"{path} is not an empty folder; choose a new one for the store.")
    try:
        (path / TENSORS).mkdir(parents=True)
        # Named last, so that a half-made store is never taken for one.
        unfinished = path / (LOG + tensor_files.UNFINISHED)
        Log.create(unfinished)
        unfinished.rename(path / LOG)
    except (OSError, StoreError) as error:
        for left in path.glob(LOG + "*"):
            left.unlink(missing_ok=True)
        with suppress(OSError):
            (path / TENSORS).rmdir()
        if isinstance(error, OSError):
            raise tensor_files.explained(error, f"a store in {path}") from error
        raise


def _need_psycopg() -> None:
    try:
        import psycopg  # noqa: F401
    except ImportError as error:
        raise MissingExtra(
            "a store in a PostgreSQL database needs psycopg; install it with: "
            "pip install 'memoir-edit[postgres]'"
        ) from error
