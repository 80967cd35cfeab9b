"""The log in a PostgreSQL database: the same two append-only tables as in a folder.

Positions go on one by one, because all who append take the same lock; the chain of moves, and readers
that ask for what is new, rely on it. Text is compared by its bytes, whatever the database's language.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

from memoir.errors import NotAStore, StoreDamaged, StoreError
from memoir.store import checks
from memoir.store.address import Address
from memoir.store.advisory_lock import AdvisoryLock, key
from memoir.store.checks import PastCheck
from memoir.store.rows import Move, Row, chained, now
from memoir.store.session import Session

FORMAT = 2
"""Version of the layout, kept in the table ``format``: 2 adds what checks found."""

_CHECKS = """
CREATE TABLE checks (
    seq       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    time      text NOT NULL,                  -- UTC, ISO 8601
    branch    text,                           -- NULL: a commit or a tag was looked at
    commit_id text NOT NULL,
    edits     bigint NOT NULL,                -- in force
    held      bigint NOT NULL,                -- of them, still answered
    questions bigint NOT NULL,
    broken    bigint NOT NULL,                -- of them
    expired   bigint NOT NULL                 -- of the edits
);
"""

_SCHEMA = f"""
CREATE TABLE log (
    seq    bigint PRIMARY KEY,
    id     text COLLATE "C" NOT NULL UNIQUE,  -- SHA-256 of the columns below
    kind   text NOT NULL,                     -- settings, edit, commit
    time   text NOT NULL,                     -- UTC, ISO 8601
    body   text NOT NULL,                     -- JSON; jsonb would not keep it as it was hashed
    sha256 text COLLATE "C"                   -- of the tensor file
);
CREATE TABLE moves (
    seq    bigint PRIMARY KEY,
    ref    text NOT NULL,                     -- branch/NAME, tag/NAME, HEAD
    target text,                              -- a commit; of HEAD, a branch; NULL: the name is gone
    time   text NOT NULL,
    why    text NOT NULL,
    chain  text NOT NULL                      -- SHA-256 of the chain before and of this move
);
CREATE TABLE tensors (
    sha256  text COLLATE "C",                 -- of the whole file
    part    integer,                          -- from 0
    content bytea NOT NULL,
    PRIMARY KEY (sha256, part)
);
ALTER TABLE tensors ALTER COLUMN content SET STORAGE EXTERNAL;  -- they do not compress
CREATE TABLE config (key text COLLATE "C" PRIMARY KEY, value text NOT NULL);
CREATE TABLE signatures (commit_id text PRIMARY KEY, signature text NOT NULL);
CREATE TABLE checked (question text PRIMARY KEY, answer text NOT NULL);
{_CHECKS}
CREATE TABLE format (number integer NOT NULL);
INSERT INTO format VALUES ({FORMAT});
CREATE INDEX log_by_kind ON log (kind, seq);
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RAISE EXCEPTION 'the log is append-only'; END $$;
CREATE TRIGGER keeps_rows BEFORE UPDATE OR DELETE OR TRUNCATE ON log
    FOR EACH STATEMENT EXECUTE FUNCTION refuse();
CREATE TRIGGER keeps_rows BEFORE UPDATE OR DELETE OR TRUNCATE ON moves
    FOR EACH STATEMENT EXECUTE FUNCTION refuse();
CREATE TRIGGER keeps_content BEFORE UPDATE OR TRUNCATE ON tensors
    FOR EACH STATEMENT EXECUTE FUNCTION refuse();
"""
_GUARDED = ("log", "moves", "tensors")
_COLUMNS = {"log": "id, kind, time, body, sha256", "moves": "ref, target, time, why, chain"}
_ROW = f"seq, {_COLUMNS['log']}"


class PostgresLog:
    """The tables of a store in a database.

    Args:
        session: a connection to it.

    Raises:
        NotAStore: its schema holds no store, or one of another format.
    """

    engine = "PostgreSQL"

    def __init__(self, session: Session) -> None:
        self._session = session
        if not present(session):
            raise NotAStore(f"{session.address} holds no memoir store; make one with: memoir init")
        number = _format(session)
        if number == 1:
            try:
                _migrate(session)
            except StoreError as error:
                raise StoreError(
                    f"{session.address} has log format 1 and could not be brought to {FORMAT}: {error} "
                    "Whoever made the store can: memoir log, once."
                ) from error
        elif number != FORMAT:
            raise NotAStore(
                f"{session.address} has log format {number}, but this version of memoir reads "
                f"1 to {FORMAT} of databases."
            )

    @property
    def place(self) -> str:
        """The address, without a password."""
        return str(self._session.address)

    def lock(self, patience: float) -> AdvisoryLock:
        """The lock of all who write to this log."""
        return AdvisoryLock(self._session, patience)

    # ------------------------------------------------------------------ writing

    def append(
        self,
        rows: Sequence[Row],
        moves: Sequence[tuple[str, str | None, str]],
        signatures: Mapping[str, str] | None = None,
    ) -> list[Row]:
        """Add rows, and moves as (ref, target, why), all of them or none; durable when this returns.

        Args:
            signatures: of commits that have none yet.

        Raises:
            StoreFull: the server's disk took no more; the log is as it was.
        """
        session = self._session
        with session.transaction():
            session.run("SELECT pg_advisory_xact_lock(%s)", (key(session.address.schema),))
            ((last,),) = session.run("SELECT coalesce(max(seq), 0) FROM log")
            stored = [replace(row, seq=seq) for seq, row in enumerate(rows, last + 1)]
            session.run_many(
                f"INSERT INTO log ({_ROW}) VALUES (%s, %s, %s, %s, %s, %s)",
                [
                    (row.seq, row.id, row.kind, row.time, _text(row.body), row.sha256)
                    for row in stored
                ],
            )
            for ref, target, why in moves:
                self._move(ref, target, why)
            session.run_many(
                "INSERT INTO signatures VALUES (%s, %s) ON CONFLICT (commit_id) DO NOTHING",
                list((signatures or {}).items()),
            )
        return stored

    def _move(self, ref: str, target: str | None, why: str) -> None:
        last = self._session.run("SELECT seq, chain FROM moves ORDER BY seq DESC LIMIT 1")
        seq, chain = last[0] if last else (0, "")
        time = now()
        self._session.run(
            "INSERT INTO moves (seq, ref, target, time, why, chain) "
            "VALUES (%s, %s, %s, %s, %s, %s)",
            (seq + 1, ref, target, time, why, chained(chain, ref, target, time, why)),
        )

    def configure(self, key: str, value: str | None) -> None:
        """Keep a setting of the store; None forgets it."""
        if value is None:
            self._session.run("DELETE FROM config WHERE key = %s", (key,))
            return
        self._session.run(
            "INSERT INTO config VALUES (%s, %s) ON CONFLICT (key) DO UPDATE "
            "SET value = excluded.value",
            (key, value),
        )

    def sign(self, commit: str, signature: str) -> None:
        """Keep a commit's signature."""
        self._session.run(
            "INSERT INTO signatures VALUES (%s, %s) ON CONFLICT (commit_id) DO UPDATE "
            "SET signature = excluded.signature",
            (commit, signature),
        )

    def remember(self, answers: Mapping[str, str]) -> None:
        """Keep what a state's questions were answered; see :mod:`memoir.versions.check`."""
        with self._session.transaction():
            self._session.run_many(
                "INSERT INTO checked VALUES (%s, %s) ON CONFLICT (question) DO UPDATE "
                "SET answer = excluded.answer",
                answers.items(),
            )

    def note_check(self, found: PastCheck) -> None:
        """Keep what a check found; its position is given here."""
        self._session.run(
            f"INSERT INTO checks ({checks.COLUMNS}) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
            found.columns,
        )

    # ------------------------------------------------------------------ reading

    def remembered(self) -> dict[str, str]:
        """Answers that were kept, by question."""
        return dict(self._session.run("SELECT question, answer FROM checked"))

    def checks(
        self, branch: str | None = None, before: int | None = None, most: int = 50
    ) -> list[PastCheck]:
        """What checks found, the newest first; see :meth:`memoir.store.ledger.Ledger.checks`."""
        which, given = checks.wanted(branch, before, "%s")
        found = self._session.run(
            f"SELECT seq, {checks.COLUMNS} FROM checks {which} ORDER BY seq DESC LIMIT %s",
            (*given, most),
        )
        return [PastCheck(*each) for each in found]

    def rows(self, after: int = 0, kind: str | None = None) -> list[Row]:
        """Rows behind a position, in order; all, or those of one kind."""
        which = "AND kind = %s" if kind else ""
        return self._rows(f"seq > %s {which} ORDER BY seq", (after, kind) if kind else (after,))

    def get(self, ids: Iterable[str]) -> dict[str, Row]:
        """The rows with these ids; unknown ones are left out."""
        return {row.id: row for row in self._rows("id = ANY(%s)", (list(ids),))}

    def beginning(self, prefix: str, kind: str | None = None) -> list[Row]:
        """Rows whose id begins so, in order; all, or those of one kind; at most five."""
        which = "AND kind = %s" if kind else ""
        return self._rows(
            f"id >= %s AND id < %s {which} ORDER BY seq LIMIT 5",
            (prefix, prefix + "g", *([kind] if kind else [])),  # the digits end with f
        )

    def files(self) -> set[str]:
        """Checksums of all tensor files that rows name."""
        found = self._session.run("SELECT sha256 FROM log WHERE sha256 IS NOT NULL")
        return {sha256 for (sha256,) in found}

    def moves(self, after: int = 0) -> list[Move]:
        """Moves behind a position, in order."""
        found = self._session.run(
            f"SELECT seq, {_COLUMNS['moves']} FROM moves WHERE seq > %s ORDER BY seq",
            (after,),
        )
        return [Move(*each) for each in found]

    def snapshot(self) -> AbstractContextManager[None]:
        """A block in which everything read is of one moment."""
        return self._session.snapshot()

    def config(self) -> dict[str, str]:
        """The store's own settings."""
        return dict(self._session.run("SELECT key, value FROM config ORDER BY key"))

    def signatures(self) -> dict[str, str]:
        """Signatures by commit."""
        return dict(self._session.run("SELECT commit_id, signature FROM signatures"))

    def _rows(self, which: str, given: Sequence[Any]) -> list[Row]:
        found = self._session.run(f"SELECT {_ROW} FROM log WHERE {which}", given)
        try:
            return [
                Row(seq, id, kind, time, json.loads(body), sha256)
                for seq, id, kind, time, body, sha256 in found
            ]
        except json.JSONDecodeError as error:
            raise StoreDamaged(
                f"the database {self._session.address} cannot be read as a log ({error}); restore "
                "it from a copy."
            ) from error

    def last(self, table: str) -> int:
        """The highest position that ``log`` or ``moves`` has now; 0 in a new store."""
        ((last,),) = self._session.run(f"SELECT coalesce(max(seq), 0) FROM {table}")
        return int(last)

    def raw(self, table: str, seq: int) -> list[str | None] | None:
        """The columns of ``log`` or ``moves`` behind a position, as they are, also where they are not
        what was written; None if there is no such row."""
        found = self._session.run(f"SELECT {_COLUMNS[table]} FROM {table} WHERE seq = %s", (seq,))
        return list(found[0]) if found else None

    def check(self) -> list[str]:
        """What PostgreSQL itself finds wrong: pages that cannot be read, and guards that are off."""
        wrong = []
        for table in _GUARDED:
            try:
                self._session.run(f"SELECT sum(hashtext(t::text)) FROM {table} AS t")
            except StoreDamaged as error:
                wrong.append(str(error))
            guards = self._session.run(
                "SELECT 1 FROM pg_trigger WHERE tgrelid = %s::regclass AND tgfoid = "
                "'refuse'::regproc AND tgenabled IN ('O', 'A')",
                (table,),
            )
            if not guards:
                wrong.append(f"the table {table} has lost its trigger, so its rows can be altered")
        return wrong

    def close(self) -> None:
        """Leave the server."""
        self._session.close()


def present(session: Session) -> bool:
    """Whether there is a store in the session's schema."""
    ((found,),) = session.run("SELECT to_regclass('format') IS NOT NULL")
    return bool(found)


def _format(session: Session) -> int:
    ((number,),) = session.run("SELECT number FROM format")
    return int(number)


def _migrate(session: Session) -> None:
    """Bring a store of format 1 to the present one; whoever could read and write it still can."""
    with session.transaction():
        session.run("SELECT pg_advisory_xact_lock(%s)", (key(session.address.schema),))
        if _format(session) == FORMAT:
            return  # another process was faster
        session.run(_CHECKS)
        for who, right in session.run(
            "SELECT coalesce(quote_ident(rolname), 'PUBLIC'), privilege_type FROM pg_class, "
            "aclexplode(relacl) LEFT JOIN pg_roles ON pg_roles.oid = grantee "
            "WHERE pg_class.oid = 'signatures'::regclass AND privilege_type IN ('SELECT', 'INSERT')"
        ):
            session.run(f"GRANT {right} ON checks TO {who}")
        session.run(f"UPDATE format SET number = {FORMAT}")


def create(address: Address) -> None:
    """Make an empty store in a new or empty schema, as a whole or not at all.

    Raises:
        StoreError: the schema holds something else, or the database keeps text in another way.
    """
    session = Session(address)
    try:
        with session.transaction():
            session.run("SELECT pg_advisory_xact_lock(%s)", (key(address.schema),))
            ((encoding,),) = session.run("SELECT current_setting('server_encoding')")
            if encoding != "UTF8":
                raise StoreError(
                    f"the database {address} keeps text as {encoding}, which has no room for every "
                    "letter; make one with the encoding UTF8."
                )
            if not session.run("SELECT 1 FROM pg_namespace WHERE nspname = %s", (address.schema,)):
                session.run(f'CREATE SCHEMA "{address.schema}"')
            if session.run(
                "SELECT 1 FROM pg_class WHERE relnamespace = %s::regnamespace LIMIT 1",
                (f'"{address.schema}"',),
            ):
                raise StoreError(
                    f"the schema '{address.schema}' of {address} is not empty; choose a new one for "
                    "the store: ?schema=NAME."
                )
            session.run(_SCHEMA)
    finally:
        session.close()


def _text(body: Mapping[str, Any]) -> str:
    return json.dumps(body, ensure_ascii=False)
