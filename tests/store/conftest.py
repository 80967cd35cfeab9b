"""Stores of both kinds: in a folder, and in a database of a server that is started for the tests."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path

import pytest

import server
from memoir.store import Store

_numbers = itertools.count()


@pytest.fixture(scope="session")
def postgres() -> Iterator[server.Server]:
    """A running PostgreSQL server; skips where there can be none."""
    why = server.missing()
    if why is not None:
        pytest.skip(f"PostgreSQL is not there: {why}")
    running = server.Server()
    try:
        yield running
    finally:
        running.close()


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder of this test's own."""
    monkeypatch.setenv("MEMOIR_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def schema(cache: Path) -> str:
    """A schema that does not exist yet."""
    return f"facts_{next(_numbers)}"


@pytest.fixture(params=["folder", "postgres"])
def where(request: pytest.FixtureRequest, tmp_path: Path, schema: str) -> str:
    """Where a store of each kind can be made."""
    if request.param == "folder":
        return str(tmp_path / "facts")
    running: server.Server = request.getfixturevalue("postgres")
    return running.url(schema)


@pytest.fixture
def stored(where: str) -> Iterator[Store]:
    """An empty store of each kind."""
    store = Store.create(where)
    yield store
    store.close()


@pytest.fixture
def database(postgres: server.Server, schema: str) -> Iterator[Store]:
    """An empty store in the database."""
    store = Store.create(postgres.url(schema))
    yield store
    store.close()
