"""Signing commits, and telling which of those that a name leads to are signed, and by whom."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from memoir.errors import BadInput, StoreDamaged
from memoir.store import Row, Store, short, signatures
from memoir.store.rows import HEAD
from memoir.types import Progress, no_progress

ALLOWED = "signing.allowed-signers"
"""The setting of a store that names whose signatures count: the path of an allowed-signers file."""


@dataclass(frozen=True)
class Verdict:
    """What a commit's signature is worth.

    Attributes:
        commit: its row.
        status: ``good``, ``bad`` (altered, or not by an allowed signer), or ``missing``.
        signer: the name that the allowed-signers file gives the key of a good one.
    """

    commit: Row
    status: Literal["good", "bad", "missing"]
    signer: str | None = None


def sign(store: Store, refs: Sequence[str] = (HEAD,), key: str | Path | None = None) -> list[Row]:
    """Sign commits; one that is signed is signed anew.

    Args:
        refs: names of commits.
        key: path of a key; None for the store's ``user.signing-key``.

    Returns:
        The commits' rows, each once.

    Raises:
        UnknownName: no such commit; nothing was signed.
        BadInput: there is no key.
        SigningFailed: the key cannot be used.
    """
    chosen = key or store.log.config().get(signatures.KEY)
    if chosen is None:
        raise BadInput(
            f"no key to sign with; give one with --key FILE, or for good: memoir config "
            f"{signatures.KEY} FILE"
        )
    rows = _rows(store, list(dict.fromkeys(map(store.history.resolve, refs))))
    made = {row.id: signatures.sign(row, chosen) for row in rows}
    with store.writing():
        for commit, signature in made.items():
            store.log.sign(commit, signature)
    return rows


def verify(
    store: Store,
    ref: str = HEAD,
    allowed: str | Path | None = None,
    progress: Progress = no_progress,
) -> list[Verdict]:
    """Look at the signatures of all commits that a name leads to, the newest first.

    Args:
        ref: a branch, tag or commit.
        allowed: path of an allowed-signers file; None for the store's ``signing.allowed-signers``.

    Raises:
        UnknownName: no such commit.
        BadInput: it is not said whose signatures count, or there is no such file.
        SigningFailed: there is no ssh-keygen.
    """
    chosen = allowed or store.log.config().get(ALLOWED)
    if chosen is None:
        raise BadInput(
            "it is not said whose signatures count; give --allowed-signers FILE, or for good: memoir "
            f"config {ALLOWED} FILE. The file has a line for each: NAME ssh-ed25519 AAAA…"
        )
    if not Path(chosen).expanduser().is_file():
        raise BadInput(
            f"there is no file of allowed signers {chosen}. Write one with a line for each: NAME "
            "ssh-ed25519 AAAA…"
        )
    history = store.history
    return list(_verdicts(store, history.ordered(history.resolve(ref))[::-1], chosen, progress))


def _verdicts(
    store: Store, ids: Sequence[str], allowed: str | Path, progress: Progress
) -> Iterator[Verdict]:
    made = store.log.signatures()
    for number, row in enumerate(_rows(store, ids), start=1):
        if row.id not in made:
            yield Verdict(row, "missing")
        else:
            name = signatures.signer(row, made[row.id], allowed)
            yield Verdict(row, "bad" if name is None else "good", name)
        progress("verifying", number, len(ids))


def _rows(store: Store, ids: Sequence[str]) -> list[Row]:
    rows = store.log.get(ids)
    missing = next((id for id in ids if id not in rows), None)
    if missing is not None:
        raise StoreDamaged(
            f"the log of {store.folder} has lost the commit {short(missing)}; restore it from a copy."
        )
    return [rows[id] for id in ids]
