"""Bringing a branch to a remote: only rows and tensor files that it lacks travel.

Somebody else may push meanwhile. Then the remote is looked at again, and what is pushed is either still
an addition, or refused. A signature travels with its commit: sign before you push.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from memoir.errors import PushRejected, RemoteUnavailable, UnknownName, WrongModel
from memoir.store import History, Store, short
from memoir.versions.pack import Pack, packed, written
from memoir.versions.remote import (
    FORMAT,
    PackName,
    Refs,
    Remote,
    read_refs,
    rows_path,
    tensors_path,
)

TRIES = 5
"""Times that a push looks again because somebody else pushed meanwhile."""


@dataclass(frozen=True)
class Pushed:
    """What a push did.

    Attributes:
        branch: its name.
        before: the commit it was at on the remote; None if it was not there.
        tip: the commit it is at now.
        rows: that travelled.
        files: tensor files that did.
    """

    branch: str
    before: str | None
    tip: str
    rows: int = 0
    files: int = 0


def push(store: Store, remote: Remote, branch: str | None = None) -> Pushed:
    """Bring a branch to a remote.

    Args:
        branch: its name; None for the one in use.

    Raises:
        UnknownName: there is no such branch.
        PushRejected: the remote's branch has commits that ours lacks.
        WrongModel: the remote is about another model.
        RemoteUnavailable: it cannot be reached, or others pushed all the time.
    """
    history = store.history
    name = branch or history.branch
    tip = history.tip(name)
    if tip is None:
        raise UnknownName.among("branch", name, history.branches, "See: memoir branch.")
    for _ in range(TRIES):
        version, refs = read_refs(remote)
        before = refs.branches.get(name)
        if before == tip:
            return Pushed(name, before, tip)
        if before is not None and before not in history.ancestors(tip):
            raise PushRejected(
                f"{remote.address} has commits on '{name}' that are not here; nothing was pushed. Get "
                f"them with: memoir pull {remote.address} {name}"
            )
        identity = _identity(store, tip, remote, refs)
        there = [pack.tip for pack in refs.packs if pack.tip in history.nodes]
        pack = packed(store, tip, _ancestors(history, there))
        files = _files(store, pack)
        packs = list(refs.packs)
        if pack.rows:
            rows = written(pack)
            packs.append(PackName(hashlib.sha256(rows).hexdigest(), tip))
            files[rows_path(packs[-1].sha256)] = rows
        new = Refs(FORMAT, identity, {**refs.branches, name: tip}, packs)
        content = json.dumps(asdict(new), ensure_ascii=False, indent=1).encode()
        if remote.publish(files, content, version, f"Push {name} to {short(tip)}"):
            return Pushed(name, before, tip, len(pack.rows), len(pack.files))
    raise RemoteUnavailable(
        f"others pushed to {remote.address} {TRIES} times meanwhile; '{name}' was not pushed. Try "
        "again."
    )


def _identity(store: Store, tip: str, remote: Remote, refs: Refs) -> dict[str, str]:
    """The model that a commit is about, which is also the remote's."""
    settings = store.settings(tip)
    ours: dict[str, str] = settings.body["identity"] if settings is not None else {}
    theirs = refs.identity
    if theirs and theirs.get("hash") != ours.get("hash"):
        raise WrongModel(
            f"{remote.address} is about {theirs.get('model')} in {theirs.get('dtype')}, but the store "
            f"{store.folder} is about {ours.get('model')} in {ours.get('dtype')}; nothing was pushed. "
            "Push to another remote."
        )
    return ours


def _files(store: Store, pack: Pack) -> dict[str, Path | bytes]:
    """The tensor files of a pack, each verified, by their paths on a remote."""
    for sha256 in pack.files:
        store.files.open(sha256).verify()
    return {tensors_path(sha256): store.file(sha256) for sha256 in pack.files}


def _ancestors(history: History, commits: Sequence[str]) -> set[str]:
    found: set[str] = set()
    for id in commits:
        if id not in found:
            found |= history.ancestors(id)
    return found
