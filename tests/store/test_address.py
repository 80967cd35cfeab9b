"""Addresses: what is a folder, what is a database, and that no password is shown."""

from __future__ import annotations

from pathlib import Path

import pytest

from memoir.errors import BadInput
from memoir.store.address import Address, located


@pytest.mark.parametrize("text", ["facts", "./a b", "/srv/postgresql", "postgres/facts"])
def test_a_folder_is_a_folder(text: str) -> None:
    assert located(text) == located(Path(text)) == Path(text)


@pytest.mark.parametrize(
    ("text", "server", "schema"),
    [
        ("postgresql://db/team", "postgresql://db/team", "memoir"),
        ("postgres://ann@db:5433/team?schema=a_1", "postgres://ann@db:5433/team", "a_1"),
        (
            "postgresql://ann@a,b:1/team?sslmode=require&schema=Facts&options=-c%20x%3D1",
            "postgresql://ann@a,b:1/team?sslmode=require&options=-c%20x%3D1",
            "Facts",
        ),
    ],
)
def test_the_schema_is_ours_and_the_rest_is_the_server_s(
    text: str, server: str, schema: str
) -> None:
    found = located(text)
    assert isinstance(found, Address)
    assert (found.server, found.schema, str(found)) == (server, schema, text)
    assert located(found) is found


def test_passwords_go_to_the_server_and_are_never_shown() -> None:
    found = located(
        "postgresql://ann:s3:cr@et@[::1]/team?password=hid&schema=facts&sslpassword=den"
    )
    assert isinstance(found, Address)
    assert found.server == "postgresql://ann:s3:cr@et@[::1]/team?password=hid&sslpassword=den"
    assert str(found) == "postgresql://ann@[::1]/team?schema=facts"
    assert not any(secret in repr(found) for secret in ("s3", "cr@et", "hid", "den"))


@pytest.mark.parametrize("schema", ["", "pg_facts", "1st", "a-b", 'a"; DROP', "a%20b", "x" * 64])
def test_a_schema_that_may_not_be_is_refused(schema: str) -> None:
    with pytest.raises(BadInput) as refused:
        located(f"postgresql://db/team?schema={schema}")
    assert str(refused.value).endswith(
        "cannot name the schema of a store: use up to 63 letters, digits and _, no digit first and "
        "no pg_."
    )


@pytest.mark.parametrize(
    "text", ["postgresql:/ann@db/team", "postgres:team", "postgresql://[::1/t"]
)
def test_half_an_address_is_refused(text: str) -> None:
    with pytest.raises(BadInput) as refused:
        located(text)
    assert str(refused.value) == (
        f"'{text}' is no address of a database; give it as text such as "
        "postgresql://USER@HOST/DATABASE?schema=NAME"
    )


def test_an_address_that_lost_a_slash_as_a_path_is_refused() -> None:
    with pytest.raises(BadInput, match="is no address of a database; give it as text"):
        located(Path("postgresql://ann@db/team"))
