"""Bringing a branch of a remote here: only rows and tensor files that are missing travel."""

from __future__ import annotations

import hashlib
from contextlib import closing
from pathlib import Path

from memoir.errors import BadTransfer, RemoteUnavailable, UnknownName
from memoir.store import History, Store, short
from memoir.versions.arrival import Arrival, Landed, take_in
from memoir.versions.pack import Pack, joined, read
from memoir.versions.remote import PackName, Remote, read_refs, rows_path, tensors_path


def pull(folder: str | Path, remote: Remote, branch: str | None = None) -> Landed:
    """Bring a branch of a remote here.

    Our branch of that name is moved on if it can be; otherwise the remote's comes in as
    ``REMOTE/NAME``.

    Args:
        folder: of the store; one is made where there is none.
        branch: its name; None for the one in use here.

    Raises:
        UnknownName: the remote has no such branch.
        BadTransfer: what came is damaged or not memoir's; the store is as it was.
        WrongModel: the remote is about another model than the store.
        RemoteUnavailable: it cannot be reached, or holds nothing.
    """
    history = History()
    if Store.exists(folder):
        with closing(Store(folder)) as store:
            history = store.history
    version, refs = read_refs(remote)
    name = branch or history.branch
    if not refs.branches:
        raise RemoteUnavailable(
            f"nothing was pushed to {remote.address}, or you may not see it. Check the address, and "
            "for a repository on the Hub that you are logged in (hf auth login)."
        )
    if name not in refs.branches:
        raise UnknownName.among(
            "branch", name, refs.branches, f"Looked for in {remote.address}; push it there first."
        )
    tip = refs.branches[name]
    known = history.reachable()
    came = joined([_pack(remote, each, version) for each in refs.packs if each.tip not in known])
    whole = History()
    whole.take([row for row in came.commits if row.id not in known], ())
    whole.nodes.update({id: history.nodes[id] for id in known})
    missing = _missing(whole, tip)
    if missing is not None:
        raise BadTransfer(
            f"{remote.address}: '{name}' builds on the commit {short(missing)}, which is in none of "
            "its packs; nothing was taken in. Push it again from a store that has it."
        )
    pack = came.only(whole.ancestors(tip) - known)

    def content(sha256: str) -> bytes:
        return remote.fetch(tensors_path(sha256), version)

    arrival = Arrival(remote.address, name, tip, pack, content)
    return take_in(folder, arrival, f"{remote.name}/{name}", "pull")


def _pack(remote: Remote, name: PackName, version: str | None) -> Pack:
    path = rows_path(name.sha256)
    content = remote.fetch(path, version)
    if hashlib.sha256(content).hexdigest() != name.sha256:
        raise BadTransfer(
            f"{remote.address}: {path} was truncated or altered; nothing was taken in. Restore it from "
            "a copy, or push to another remote."
        )
    return read(content, f"{remote.address}: {path}")


def _missing(history: History, tip: str) -> str | None:
    """A commit that a tip builds on and that is nowhere."""
    seen, todo = set(), [tip]
    while todo:
        id = todo.pop()
        if id not in history.nodes:
            return id
        if id not in seen:
            seen.add(id)
            todo += history.nodes[id].parents
    return None
