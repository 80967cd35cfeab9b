"""A store in PostgreSQL: what its server refuses, and what happens when it goes away."""

from __future__ import annotations

import sys

import psycopg
import pytest
from typer.testing import CliRunner

from memoir.cli import app
from memoir.errors import BadInput, MissingExtra, NotAStore, StoreError
from memoir.store import Store, short
from memoir.store.checks import PastCheck
from memoir.store.postgres import FORMAT
from memoir.versions import fsck
from server import Server
from unfitted import bind, teach

# ---------------------------------------------------------------------- opening


def test_a_schema_with_something_in_it_is_refused_and_untouched(
    postgres: Server, schema: str
) -> None:
    postgres.run(
        f"CREATE SCHEMA {schema}; CREATE TABLE {schema}.thesis AS SELECT 'precious' AS text"
    )
    assert not Store.exists(postgres.url(schema))
    with pytest.raises(StoreError) as refused:
        Store.create(postgres.url(schema))
    assert str(refused.value) == (
        f"the schema '{schema}' of {postgres.url(schema)} is not empty; choose a new one for the "
        "store: ?schema=NAME."
    )
    tables = f"SELECT relname FROM pg_class WHERE relnamespace = '{schema}'::regnamespace"
    assert postgres.run(tables) == [("thesis",)]


def test_a_store_may_use_an_empty_schema_and_many_share_a_database(
    postgres: Server, database: Store, schema: str
) -> None:
    postgres.run(f"CREATE SCHEMA {schema}_2")
    other = Store.create(postgres.url(f"{schema}_2"), patience=0.5)
    with database.writing():
        row = teach(other)  # their locks are two
    assert (database.live(), other.live()) == ([], [row])
    other.close()


def test_another_format_is_refused_with_both_numbers(
    postgres: Server, database: Store, schema: str
) -> None:
    postgres.run(f"UPDATE {schema}.format SET number = {FORMAT + 6}")
    with pytest.raises(NotAStore) as refused:
        Store(postgres.url(schema))
    assert str(refused.value) == (
        f"{database.folder} has log format {FORMAT + 6}, but this version of memoir reads 1 to "
        f"{FORMAT} of databases."
    )


def older(postgres: Server, schema: str) -> None:
    """Make a store one of format 1, which had no checks."""
    postgres.run(f"DROP TABLE {schema}.checks; UPDATE {schema}.format SET number = 1")


def test_a_store_of_the_first_format_is_brought_to_this_one_for_all_who_use_it(
    postgres: Server, database: Store, schema: str
) -> None:
    row = teach(database)
    older(postgres, schema)
    postgres.run(
        f"CREATE ROLE checker_{schema} LOGIN; GRANT USAGE ON SCHEMA {schema} TO checker_{schema}; "
        f"GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA {schema} TO checker_{schema}"
    )
    address = postgres.url(schema)
    with pytest.raises(StoreError) as refused:
        Store(address.replace("memoir@", f"checker_{schema}@"))
    message = str(refused.value)
    assert f"has log format 1 and could not be brought to {FORMAT}: the database " in message
    assert message.endswith("Whoever made the store can: memoir log, once.")
    migrated = Store(address)
    assert (migrated.live(), migrated.log.checks()) == ([row], [])
    migrated.close()
    checker = Store(address.replace("memoir@", f"checker_{schema}@"))
    checker.log.note_check(PastCheck(0, "2026", None, "c", 1, 1, 1, 0, 0))
    assert [each.seq for each in database.log.checks()] == [1]
    checker.close()


def test_a_database_that_lacks_letters_is_refused(postgres: Server, schema: str) -> None:
    postgres.run("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    address = postgres.url(schema, "latin")
    with pytest.raises(StoreError) as refused:
        Store.create(address)
    assert str(refused.value) == (
        f"the database {address} keeps text as LATIN1, which has no room for every letter; make one "
        "with the encoding UTF8."
    )
    assert not Store.exists(address)


def test_an_option_that_postgresql_does_not_know_is_named(postgres: Server) -> None:
    with pytest.raises(BadInput) as refused:
        Store(postgres.url() + "?shema=facts")
    assert str(refused.value) == (
        f"{postgres.url()}?shema=facts cannot be an address of a database: invalid URI query "
        'parameter: "shema".'
    )


def test_without_psycopg_one_is_told_what_to_install(
    postgres: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)
    for call in (Store, Store.exists, Store.create):
        with pytest.raises(MissingExtra) as refused:
            call(postgres.url())
        assert str(refused.value) == (
            "a store in a PostgreSQL database needs psycopg; install it with: "
            "pip install 'memoir-edit[postgres]'"
        )


def test_the_command_line_takes_an_address_and_shows_no_password(
    postgres: Server, database: Store, schema: str
) -> None:
    bind(database)

    def refused(verb: str, schema: str) -> str:
        secret = postgres.url(schema).replace("memoir@", "memoir:s3cret@")
        result = CliRunner().invoke(
            app, [verb, "--store", secret, *(["?"] if verb == "ask" else [])]
        )
        assert result.exit_code == 1
        return result.output

    place = postgres.url("nowhere")
    assert refused("init", schema) == (
        f"error: {database.folder} is a store already; see what it holds with: memoir log\n"
    )
    assert refused("ask", "nowhere") == (
        f"error: {place} holds no memoir store. Make one with: memoir init --store {place}\n"
    )


# ---------------------------------------------------------------------- append-only


@pytest.mark.parametrize("table", ["log", "moves"])
@pytest.mark.parametrize("change", ["UPDATE {} SET time = ''", "DELETE FROM {}", "TRUNCATE {}"])
def test_rows_can_be_neither_changed_nor_deleted(
    postgres: Server, database: Store, schema: str, table: str, change: str
) -> None:
    row = teach(database)
    with pytest.raises(psycopg.errors.RaiseException, match="the log is append-only"):
        postgres.run(change.format(f"{schema}.{table}"))
    assert database.live() == [row]


@pytest.mark.parametrize("change", ["UPDATE {} SET content = ''", "TRUNCATE {}"])
def test_tensors_cannot_be_changed(
    postgres: Server, database: Store, schema: str, change: str
) -> None:
    teach(database)
    with pytest.raises(psycopg.errors.RaiseException, match="the log is append-only"):
        postgres.run(change.format(f"{schema}.tensors"))


def test_a_guard_that_is_off_is_found(postgres: Server, database: Store, schema: str) -> None:
    assert database.log.check() == []
    postgres.run(f"ALTER TABLE {schema}.log DISABLE TRIGGER keeps_rows")
    postgres.run(f"DROP TRIGGER keeps_rows ON {schema}.moves")
    assert database.log.check() == [
        f"the table {table} has lost its trigger, so its rows can be altered"
        for table in ("log", "moves")
    ]


def test_a_row_that_was_altered_or_removed_all_the_same_is_found(
    postgres: Server, database: Store, schema: str
) -> None:
    first, second = teach(database, "first"), teach(database, "second")
    postgres.run(f"ALTER TABLE {schema}.log DISABLE TRIGGER keeps_rows")
    postgres.run(f"UPDATE {schema}.log SET body = replace(body, 'first', 'third') WHERE seq = 1")
    postgres.run(f"DELETE FROM {schema}.log WHERE id = '{second.id}'")
    postgres.run(f"ALTER TABLE {schema}.log ENABLE TRIGGER keeps_rows")
    found = [finding.what for finding in fsck.check_log(database)]
    assert any("were removed: 3." in what for what in found)
    assert any("was altered: its id is not that of its content" in what for what in found)
    assert any(
        f"names the edit {short(second.id)}, which the log does not" in what for what in found
    )
    assert first.id in database.log.get([first.id])


def test_who_may_only_read_is_told_so(postgres: Server, database: Store, schema: str) -> None:
    row = teach(database)
    postgres.run(
        f"CREATE ROLE reader_{schema} LOGIN; GRANT USAGE ON SCHEMA {schema} TO reader_{schema}; "
        f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO reader_{schema}"
    )
    reader = Store(postgres.url(schema).replace("memoir@", f"reader_{schema}@"))
    assert reader.live() == [row]
    with pytest.raises(StoreError) as refused:
        reader.move("tag/x", row.id, "tag")
    assert str(refused.value) == (
        f"the database {reader.folder} does not allow it (permission denied for table moves); "
        "nothing was added. Check that this user may read and write there."
    )
    reader.close()


def test_a_writer_needs_no_more_than_is_documented(
    postgres: Server, database: Store, schema: str
) -> None:
    role = f"writer_{schema}"
    postgres.run(
        f"CREATE ROLE {role} LOGIN; GRANT USAGE ON SCHEMA {schema} TO {role}; "
        f"GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA {schema} TO {role}; "
        f"GRANT UPDATE ON {schema}.signatures, {schema}.checked TO {role}; "
        f"GRANT UPDATE, DELETE ON {schema}.config TO {role}; "
        f"GRANT DELETE ON {schema}.tensors TO {role}"
    )
    writer = Store(postgres.url(schema).replace("memoir@", f"{role}@"))
    for _ in range(2):
        row = teach(writer, value=2.0)
        writer.log.configure("user.name", "ann")
        writer.log.sign("c", "signature")
        writer.log.remember({"q": "yes"})
        writer.log.note_check(PastCheck(0, "2026", "main", "c", 1, 1, 1, 0, 0))
    writer.log.configure("user.name", None)
    writer.close()
    assert database.live()[-1] == row


# ---------------------------------------------------------------------- a server that goes away


def test_a_server_that_goes_away_is_named_and_found_again(
    postgres: Server, database: Store
) -> None:
    row = teach(database)
    postgres.stop()
    try:
        with pytest.raises(StoreError) as lost:
            database.live()
        with pytest.raises(StoreError) as unreachable:
            database.live()
        with pytest.raises(StoreError, match="cannot be reached"):
            Store.exists(database.folder)
    finally:
        postgres.start()
    message = str(lost.value)
    assert message.startswith(f"the connection to the database {database.folder} was lost (")
    assert message.endswith(
        "A change that was being added is there as a whole or not at all: see memoir log. Check that "
        "the server runs, and try again."
    )
    message = str(unreachable.value)
    assert message.startswith(f"the database {database.folder} cannot be reached (")
    assert message.endswith(
        "check that its server runs, and that the address, the user and the password are right."
    )
    assert database.live() == [row]
    teach(database)


def test_who_has_lost_the_lock_cannot_write_any_more(postgres: Server, database: Store) -> None:
    row = teach(database)

    def write() -> None:
        with database.writing():
            new = database.row("edit", {"prompt": "new", "target": "t", "subject": None})
            postgres.run(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE application_name = 'memoir' AND pid <> pg_backend_pid()"
            )
            other = Store(database.folder, patience=5)
            teach(other, "faster")  # the server gave the lock to another
            other.close()
            with pytest.raises(StoreError, match="was lost"):
                database.log.rows()
            database.commit([new])

    with pytest.raises(StoreError, match="was lost"):
        write()
    assert [each.body["prompt"] for each in database.live()] == [row.body["prompt"], "faster"]
    teach(database, "again")
