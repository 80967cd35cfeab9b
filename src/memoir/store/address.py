"""Where a store is, as people write it: a folder, or a schema of a PostgreSQL database."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote, urlsplit

from memoir.errors import BadInput

SCHEMA = "memoir"
"""The schema of an address that names none."""

_DATABASE = ("postgresql:", "postgres:")
_SCHEMA = re.compile(r"(?!pg_)[A-Za-z_][A-Za-z0-9_]{0,62}")
_SECRET = ("password", "sslpassword")


@dataclass(frozen=True)
class Address:
    """A store in a database, e.g. ``postgresql://ann@db.example.org/team?schema=facts``.

    Attributes:
        server: what PostgreSQL's own clients take: the address without the schema.
        schema: the schema that holds the store's tables, and nothing else.
        shown: the address without passwords.
    """

    server: str = field(repr=False)
    schema: str
    shown: str

    def __str__(self) -> str:
        return self.shown


def located(where: str | Path | Address) -> Path | Address:
    """A folder, or the address of a database if it begins as one.

    Raises:
        BadInput: it begins as one and is none.
    """
    if isinstance(where, Address):
        return where
    text = str(where)
    return _parsed(text) if text.startswith(_DATABASE) else Path(where)


def _parsed(text: str) -> Address:
    try:
        parts = urlsplit(text)
    except ValueError:  # brackets that do not match
        parts = urlsplit("")
    if not text.startswith(f"{parts.scheme}://"):
        raise BadInput(
            f"'{text}' is no address of a database; give it as text such as "
            "postgresql://USER@HOST/DATABASE?schema=NAME"
        )
    options = [each for each in parts.query.split("&") if each]
    named = [unquote(each[len("schema=") :]) for each in options if each.startswith("schema=")]
    schema = named[-1] if named else SCHEMA
    if not _SCHEMA.fullmatch(schema):
        raise BadInput(
            f"'{schema}' cannot name the schema of a store: use up to 63 letters, digits and _, "
            "no digit first and no pg_."
        )
    of_server = [each for each in options if not each.startswith("schema=")]
    open_ones = [each for each in options if each.partition("=")[0] not in _SECRET]
    user, at, host = parts.netloc.rpartition("@")
    return Address(
        parts._replace(query="&".join(of_server)).geturl(),
        schema,
        parts._replace(
            netloc=user.partition(":")[0] + at + host, query="&".join(open_ones)
        ).geturl(),
    )
