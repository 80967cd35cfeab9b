"""A store in PostgreSQL: what its server refuses, what happens when it goes away, and the cache."""

from __future__ import annotations

import stat
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import torch
from typer.testing import CliRunner

from memoir.cli import app
from memoir.errors import BadInput, MissingExtra, NotAStore, StoreDamaged, StoreError
from memoir.store import Store, files
from memoir.store.postgres import FORMAT
from server import Server
from unfitted import bind, file, teach


@pytest.fixture
def store(postgres: Server, schema: str) -> Iterator[Store]:
    """An empty store in the database."""
    store = Store.create(postgres.url(schema))
    yield store
    store.close()


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
    postgres: Server, store: Store, schema: str
) -> None:
    postgres.run(f"CREATE SCHEMA {schema}_2")
    other = Store.create(postgres.url(f"{schema}_2"), patience=0.5)
    with store.writing():
        row = teach(other)  # their locks are two
    assert (store.live(), other.live()) == ([], [row])
    other.close()


def test_another_format_is_refused_with_both_numbers(
    postgres: Server, store: Store, schema: str
) -> None:
    postgres.run(f"UPDATE {schema}.format SET number = {FORMAT + 6}")
    with pytest.raises(NotAStore) as refused:
        Store(postgres.url(schema))
    assert str(refused.value) == (
        f"{store.folder} has log format {FORMAT + 6}, but this version of memoir reads {FORMAT} of "
        "databases."
    )


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
    postgres: Server, store: Store, schema: str
) -> None:
    bind(store)

    def refused(verb: str, schema: str) -> str:
        secret = postgres.url(schema).replace("memoir@", "memoir:s3cret@")
        result = CliRunner().invoke(
            app, [verb, "--store", secret, *(["?"] if verb == "ask" else [])]
        )
        assert result.exit_code == 1
        return result.output

    place = postgres.url("nowhere")
    assert refused("init", schema) == (
        f"error: {store.folder} is a store already; see what it holds with: memoir log\n"
    )
    assert refused("ask", "nowhere") == (
        f"error: {place} holds no memoir store. Make one with: memoir init --store {place}\n"
    )


# ---------------------------------------------------------------------- append-only


@pytest.mark.parametrize("table", ["log", "moves"])
@pytest.mark.parametrize("change", ["UPDATE {} SET time = ''", "DELETE FROM {}", "TRUNCATE {}"])
def test_rows_can_be_neither_changed_nor_deleted(
    postgres: Server, store: Store, schema: str, table: str, change: str
) -> None:
    row = teach(store)
    with pytest.raises(psycopg.errors.RaiseException, match="the log is append-only"):
        postgres.run(change.format(f"{schema}.{table}"))
    assert store.live() == [row]


@pytest.mark.parametrize("change", ["UPDATE {} SET content = ''", "TRUNCATE {}"])
def test_tensors_cannot_be_changed(
    postgres: Server, store: Store, schema: str, change: str
) -> None:
    teach(store)
    with pytest.raises(psycopg.errors.RaiseException, match="the log is append-only"):
        postgres.run(change.format(f"{schema}.tensors"))


def test_a_guard_that_is_off_is_found(postgres: Server, store: Store, schema: str) -> None:
    assert store.log.check() == []
    postgres.run(f"ALTER TABLE {schema}.log DISABLE TRIGGER keeps_rows")
    postgres.run(f"DROP TRIGGER keeps_rows ON {schema}.moves")
    assert store.log.check() == [
        f"the table {table} has lost its trigger, so its rows can be altered"
        for table in ("log", "moves")
    ]


def test_who_may_only_read_is_told_so(postgres: Server, store: Store, schema: str) -> None:
    row = teach(store)
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
    postgres: Server, store: Store, schema: str
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
    writer.log.configure("user.name", None)
    writer.close()
    assert store.live()[-1] == row


# ---------------------------------------------------------------------- a server that goes away


def test_a_server_that_goes_away_is_named_and_found_again(postgres: Server, store: Store) -> None:
    row = teach(store)
    postgres.stop()
    try:
        with pytest.raises(StoreError) as lost:
            store.live()
        with pytest.raises(StoreError) as unreachable:
            store.live()
        with pytest.raises(StoreError, match="cannot be reached"):
            Store.exists(store.folder)
    finally:
        postgres.start()
    message = str(lost.value)
    assert message.startswith(f"the connection to the database {store.folder} was lost (")
    assert message.endswith(
        "A change that was being added is there as a whole or not at all: see memoir log. Check that "
        "the server runs, and try again."
    )
    message = str(unreachable.value)
    assert message.startswith(f"the database {store.folder} cannot be reached (")
    assert message.endswith(
        "check that its server runs, and that the address, the user and the password are right."
    )
    assert store.live() == [row]
    teach(store)


def test_who_has_lost_the_lock_cannot_write_any_more(postgres: Server, store: Store) -> None:
    row = teach(store)

    def write() -> None:
        with store.writing():
            new = store.row("edit", {"prompt": "new", "target": "t", "subject": None})
            postgres.run(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE application_name = 'memoir' AND pid <> pg_backend_pid()"
            )
            other = Store(store.folder, patience=5)
            teach(other, "faster")  # the server gave the lock to another
            other.close()
            with pytest.raises(StoreError, match="was lost"):
                store.log.rows()
            store.commit([new])

    with pytest.raises(StoreError, match="was lost"):
        write()
    assert [each.body["prompt"] for each in store.live()] == [row.body["prompt"], "faster"]
    teach(store, "again")


# ---------------------------------------------------------------------- tensors


def test_copies_are_for_reading_only_and_made_once(store: Store, cache: Path) -> None:
    row = teach(store, value=2.0)
    assert not cache.exists()
    assert torch.equal(store.tensors(row)["x"], torch.full((8,), 2.0))
    (copy,) = (cache / "tensors").iterdir()
    assert copy == file(store, row)
    assert stat.S_IMODE(copy.stat().st_mode) == 0o444
    before = copy.stat().st_mtime_ns
    store.tensors(row)
    assert copy.stat().st_mtime_ns == before


def test_a_copy_that_was_altered_is_made_anew(store: Store) -> None:
    row = teach(store, value=2.0)
    copy = file(store, row)
    copy.chmod(0o644)
    copy.write_bytes(copy.read_bytes()[:-1] + b"\xff")
    assert torch.equal(store.tensors(row)["x"], torch.full((8,), 2.0))
    copy.unlink()
    assert torch.equal(store.tensors(row)["x"], torch.full((8,), 2.0))


def test_a_file_of_many_parts_comes_back_whole(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "PART", 7)
    row, again = teach(store, "p", 3.0), teach(store, "q", 3.0)  # one file for both
    assert store.size(row) == file(store, row).stat().st_size
    assert torch.equal(store.tensors(again)["x"], torch.full((8,), 3.0))


@pytest.mark.parametrize("change", ["DELETE FROM {}", "UPDATE {} SET content = content || '!'"])
def test_tensors_that_were_lost_or_altered_are_damaged_and_all_else_is_readable(
    postgres: Server, store: Store, schema: str, cache: Path, change: str
) -> None:
    row = teach(store)
    table = f"{schema}.tensors"
    postgres.run(f"ALTER TABLE {table} DISABLE TRIGGER keeps_content; " + change.format(table))
    kept = teach(store, "kept")
    with pytest.raises(StoreDamaged) as damaged:
        store.tensors(row)
    short = (row.sha256 or "")[:12]
    if "DELETE" in change:
        assert str(damaged.value) == (
            f"the database {store.folder} has lost the tensors {short}…; restore them from a copy."
        )
    else:
        assert str(damaged.value).startswith(
            f"tensors in the database {store.folder} were truncated or altered: SHA-256 "
        )
        assert str(damaged.value).endswith(f" in place of {short}….")
        assert list((cache / "tensors").iterdir()) == []
    assert [entry.status for entry in store.entries()] == ["damaged", "live"]
    assert store.live() == [row, kept]


def test_a_cache_that_cannot_be_written_is_named(store: Store, cache: Path) -> None:
    row = teach(store)
    cache.write_text("a file in place of the folder")
    with pytest.raises(StoreError, match=r"could not write .*a copy of what the database .* holds"):
        store.tensors(row)
