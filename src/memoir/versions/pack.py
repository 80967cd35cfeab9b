"""Rows as they travel from one store to another: a JSON line each, behind all the rows it names.

A row's id is the SHA-256 of its content, so rows prove themselves. What is read here was written by
somebody else: ids, and the shape of all that is relied on later, are checked line by line.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from memoir.errors import BadTransfer, StoreDamaged
from memoir.store import Row, Store, short
from memoir.store.rows import identity

_DIGEST = re.compile("[0-9a-f]{64}")


@dataclass(frozen=True)
class Pack:
    """Rows that travel together.

    Attributes:
        rows: each behind all that it names, but for what the receiver has.
        signatures: by commit, of those that are signed.
    """

    rows: tuple[Row, ...]
    signatures: Mapping[str, str] = field(default_factory=dict)

    @property
    def files(self) -> list[str]:
        """Checksums of the tensor files that rows name, each once."""
        return list(dict.fromkeys(row.sha256 for row in self.rows if row.sha256 is not None))

    @property
    def commits(self) -> list[Row]:
        """The rows that are commits."""
        return [row for row in self.rows if row.kind == "commit"]

    def only(self, commits: Collection[str]) -> Pack:
        """These commits, with the edits and settings that they bring into force."""
        named = {id for row in self.commits if row.id in commits for id in _brought(row)}
        rows = (row for row in self.rows if row.id in (commits if row.kind == "commit" else named))
        signatures = {id: each for id, each in self.signatures.items() if id in commits}
        return Pack(tuple(rows), signatures)


def packed(store: Store, tip: str, known: Collection[str] = ()) -> Pack:
    """Everything a commit leads to, but for what the receiver has.

    Args:
        store: where it is.
        tip: the commit.
        known: commits that the receiver has, with all they build on.

    Raises:
        StoreDamaged: a row is missing.
    """
    history = store.history
    commits = [id for id in history.ordered(tip) if id not in known]
    rows = store.log.get(commits)
    there = {edit for id in known for edit in (*history.nodes[id].add, history.nodes[id].settings)}
    order: dict[str, None] = {}
    for id in commits:
        if id in rows:
            order.update(dict.fromkeys(each for each in _brought(rows[id]) if each not in there))
        order[id] = None
    rows |= store.log.get([id for id in order if id not in rows])
    missing = next((id for id in order if id not in rows), None)
    if missing is not None:
        raise StoreDamaged(
            f"the log of {store.folder} has lost the row {short(missing)}, which its history names; "
            "restore it from a copy."
        )
    signed = store.log.signatures()
    return Pack(tuple(rows[id] for id in order), {id: signed[id] for id in commits if id in signed})


def written(pack: Pack) -> bytes:
    """A pack as JSON lines."""
    return "".join(map(_line, _plain(pack))).encode()


def read(content: bytes, where: str) -> Pack:
    """A pack from JSON lines.

    Args:
        where: where they are from, for messages.

    Raises:
        BadTransfer: a line is no row, or not the one that its id names.
    """
    rows: list[Row] = []
    signatures: dict[str, str] = {}
    for number, line in enumerate(content.splitlines(), start=1):
        try:
            given = _shape(_Line).validate_python(json.loads(line))
            rows.append(_checked(given))
        except (ValidationError, ValueError, RecursionError) as error:
            why = "it has not the fields of a row" if isinstance(error, ValidationError) else error
            raise BadTransfer(
                f"{where}: line {number} is no row that memoir wrote ({why}); nothing was taken in. "
                "Fetch it again, or ask whoever made it."
            ) from error
        if given.signature is not None:
            signatures[given.id] = given.signature
    return Pack(tuple(rows), signatures)


def joined(packs: Sequence[Pack]) -> Pack:
    """Several packs as one; rows that several have count once."""
    rows = {row.id: row for pack in reversed(packs) for row in pack.rows}
    order = dict.fromkeys(row.id for pack in packs for row in pack.rows)
    signatures = {id: each for pack in packs for id, each in pack.signatures.items()}
    return Pack(tuple(rows[id] for id in order), signatures)


def _plain(pack: Pack) -> Iterator[dict[str, Any]]:
    for row in pack.rows:
        signature = pack.signatures.get(row.id)
        yield {
            **{"id": row.id, "kind": row.kind, "time": row.time, "body": row.body},
            "sha256": row.sha256,
            **({"signature": signature} if signature is not None else {}),
        }


def _line(value: dict[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False) + "\n"


def _brought(commit: Row) -> list[str]:
    """Ids of what a commit brings into force."""
    settings = commit.body.get("settings")
    return [*([settings] if settings else []), *commit.body["add"]]


# ---------------------------------------------------------------------- what a row must be like


@dataclass(frozen=True)
class _Line:
    id: str
    kind: str
    time: str
    body: dict[str, Any]
    sha256: str | None
    signature: str | None = None


@dataclass(frozen=True)
class _Identity:
    model: str
    dtype: str
    hash: str


@dataclass(frozen=True)
class _Settings:
    method: str
    config: dict[str, Any]
    site: str
    identity: _Identity
    evidence: dict[str, Any]


@dataclass(frozen=True)
class _Edit:
    prompt: str
    target: str
    subject: str | None
    phrasings: list[str] = field(default_factory=list)
    aliases: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)
    source: str | None = None
    expires: str | None = None


@dataclass(frozen=True)
class _Commit:
    parents: list[str]
    author: str
    message: str
    settings: str | None
    add: list[str]
    remove: list[str]


_KINDS: dict[str, type] = {"settings": _Settings, "edit": _Edit, "commit": _Commit}


@cache
def _shape(kind: type) -> TypeAdapter[Any]:
    return TypeAdapter(kind)


def _checked(given: _Line) -> Row:
    """The row of a line.

    Raises:
        ValueError: it is none.
    """
    if given.kind not in _KINDS:
        raise ValueError(f"there are no rows of kind {given.kind!r}")
    if identity(given.kind, given.time, given.body, given.sha256) != given.id:
        raise ValueError("its content is not what its id names")
    if given.sha256 is not None and not _DIGEST.fullmatch(given.sha256):
        raise ValueError("its tensor file is named by no SHA-256")
    _shape(_KINDS[given.kind]).validate_python(given.body)
    return Row(0, given.id, given.kind, given.time, given.body, given.sha256)
