"""Taking in what came from elsewhere: verified as a whole first, then added as a whole.

A branch that only went on is followed. One that went another way than ours comes in under a name of
its own, beside ours, and is merged by ``memoir merge``: two answers to one fact are a person's to
settle.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import safetensors

from memoir.errors import BadInput, BadTransfer, StoreError, WrongModel
from memoir.store import History, Row, Store, short
from memoir.store import tensors as tensor_files
from memoir.store.rows import HEAD
from memoir.store.store import checked_name
from memoir.versions.pack import Pack


@dataclass(frozen=True)
class Arrival:
    """What came.

    Attributes:
        where: where it is from, for messages.
        branch: what it is called there.
        tip: the commit that it leads to.
        pack: rows, all that may be missing here.
        content: the bytes of a tensor file, by its checksum; raises BadTransfer if there is none.
    """

    where: str
    branch: str
    tip: str
    pack: Pack
    content: Callable[[str], bytes]


@dataclass(frozen=True)
class Landed:
    """What became of an arrival.

    Attributes:
        branch: the name that leads to it here.
        tip: the commit.
        how: ``created`` in a store that had no commits; ``fast-forward``: our branch went on to it;
            ``aside``: under a name of its own, to be merged; ``up to date``: all of it was here.
        rows: that were added.
        bytes: of tensor files that were added.
    """

    branch: str
    tip: str
    how: Literal["created", "fast-forward", "aside", "up to date"]
    rows: int = 0
    bytes: int = 0


def take_in(folder: str | Path, arrival: Arrival, side: str, why: str) -> Landed:
    """Verify an arrival, and add to a store what it lacks; all of it or nothing.

    Args:
        folder: of the store; one is made where there is none.
        arrival: what came.
        side: what its branch is called here if it cannot be ours.
        why: the verb, for the record of moves.

    Raises:
        BadTransfer: it is not what it claims to be.
        WrongModel: it is about another model than the store.
        StoreError: the name that it would come in under leads elsewhere.
    """
    try:
        for name in (arrival.branch, side):
            checked_name(name)
    except BadInput as error:
        raise BadTransfer(f"{arrival.where}: {error} Nothing was taken in.") from error
    with ExitStack() as stack:
        store = stack.enter_context(closing(Store(folder))) if Store.exists(folder) else None
        history = _checked(arrival, store)
        opened = store or stack.enter_context(closing(Store.create(folder)))
        with opened.writing():
            return _landed(opened, arrival, history, side, why)


def _landed(store: Store, arrival: Arrival, history: History, side: str, why: str) -> Landed:
    history.take(store.log.rows(kind="commit"), ())  # others may have added some meanwhile
    _check_model(store, arrival, history)
    branch, how = _place(store.history, history, arrival, side)
    there = store.log.get(row.id for row in arrival.pack.rows)
    rows = [row for row in arrival.pack.rows if row.id not in there]
    size = 0
    for sha256 in _missing(store, arrival.pack):
        content = arrival.content(sha256)
        if store.files.store(content) != sha256:
            raise _altered(arrival, sha256)
        size += len(content)
    moves: list[tuple[str, str | None, str]] = []
    if how != "up to date":
        moves.append((f"branch/{branch}", arrival.tip, why))
    if how == "created" and branch != store.history.branch:
        moves.append((HEAD, branch, why))
    store.log.append(rows, moves, arrival.pack.signatures)
    return Landed(branch, arrival.tip, how, len(rows), size)


def _place(
    ours: History, history: History, arrival: Arrival, side: str
) -> tuple[str, Literal["created", "fast-forward", "aside", "up to date"]]:
    """The branch that an arrival comes in under, and how.

    Args:
        ours: what is here.
        history: that, and what came.
    """
    here, tip = ours.branches.get(arrival.branch), arrival.tip
    if not ours.branches:
        return arrival.branch, "created"
    built_on = history.ancestors(tip)
    if here is not None and tip in history.ancestors(here):
        return arrival.branch, "up to date"
    if here is not None and here in built_on:
        return arrival.branch, "fast-forward"
    before = ours.branches.get(side)
    if before is not None and tip in history.ancestors(before):
        return side, "up to date"
    others = [id for name, id in ours.branches.items() if name != side]
    merged = before is None or any(before in history.ancestors(id) for id in (tip, *others))
    if not merged:
        raise StoreError(
            f"branch '{side}' is where this would come in, but it has commits that no other branch "
            f"has; nothing was taken in. Merge them (memoir merge {side}) or delete it (memoir branch "
            f"--delete {side} --force), then try again."
        )
    return side, "aside"


# ---------------------------------------------------------------------- verifying


def _checked(arrival: Arrival, store: Store | None) -> History:
    """The history of a store with what came, after all of that was verified."""
    _check_names(arrival, store)
    history = History()
    if store is not None:
        history.take(store.log.rows(kind="commit"), ())
    known = set(history.nodes)
    history.take([row for row in arrival.pack.commits if row.id not in known], ())
    if arrival.tip not in history.nodes:
        raise _refused(arrival, f"its last commit {short(arrival.tip)} is missing")
    _check_state(arrival, history)
    for sha256 in _missing(store, arrival.pack):
        _check_file(arrival, sha256)
    return history


def _check_names(arrival: Arrival, store: Store | None) -> None:
    """Whether every row that is named is there, ahead of the one that names it."""
    mine = {row.id for row in arrival.pack.rows}
    elsewhere = {id for row in arrival.pack.commits for id in _named(row.body)} - mine
    found = store.log.get(elsewhere) if store is not None else {}
    kinds = {id: row.kind for id, row in found.items()}
    for row in arrival.pack.rows:
        named = _named(row.body) if row.kind == "commit" else {}
        for id, kind in named.items():
            if kinds.get(id) != kind:
                raise _refused(
                    arrival,
                    f"commit {short(row.id)} names the {kind} {short(id)}, which is missing",
                )
        kinds[row.id] = row.kind


def _named(body: Mapping[str, Any]) -> dict[str, str]:
    """Ids that a commit names, with the kind of row each must be."""
    return {
        **dict.fromkeys(body["parents"], "commit"),
        **dict.fromkeys((*body["add"], *body["remove"]), "edit"),
        **({body["settings"]: "settings"} if body["settings"] else {}),
    }


def _check_state(arrival: Arrival, history: History) -> None:
    """Whether what commits change can be changed: editors rely on it."""
    live: set[str] = set()
    for id in history.line(arrival.tip):
        gone, come = set(history.nodes[id].remove), set(history.nodes[id].add)
        possible = gone <= live
        live -= gone
        if not possible or come & live:
            raise _refused(
                arrival,
                f"commit {short(id)} removes an edit that is not in force, or adds one that is",
            )
        live |= come
    if history.settings(arrival.tip) is None:
        raise _refused(arrival, "it is bound to no model")


def _check_file(arrival: Arrival, sha256: str) -> None:
    content = arrival.content(sha256)
    if tensor_files.checksum(content) != sha256:
        raise _altered(arrival, sha256)
    try:
        safetensors.deserialize(content)
    except safetensors.SafetensorError as error:
        raise _refused(arrival, f"{sha256[:12]}… is no file of tensors ({error})") from error


def _missing(store: Store | None, pack: Pack) -> list[str]:
    """Checksums of tensor files that a store lacks."""
    return [each for each in pack.files if store is None or not store.file(each).exists()]


def _check_model(store: Store, arrival: Arrival, history: History) -> None:
    """Whether both are about one model; a store without commits is about any."""
    bound = [
        each for each in map(store.settings, store.history.branches.values()) if each is not None
    ]
    if not bound:
        return
    ours, theirs = bound[0].body["identity"], _settings(store, arrival, history).body["identity"]
    if ours["hash"] != theirs["hash"]:
        raise WrongModel(
            f"{arrival.where} is about {theirs['model']} in {theirs['dtype']} (weights "
            f"{theirs['hash'][:12]}), but the store {store.folder} is about {ours['model']} in "
            f"{ours['dtype']} (weights {ours['hash'][:12]}); nothing was taken in. Take it into a "
            "store of its own: --store with a new folder."
        )


def _settings(store: Store, arrival: Arrival, history: History) -> Row:
    id = history.settings(arrival.tip)
    assert id is not None, "an arrival was verified before"
    mine = [row for row in arrival.pack.rows if row.id == id]
    return mine[0] if mine else store.log.get([id])[id]


def _altered(arrival: Arrival, sha256: str) -> BadTransfer:
    return _refused(arrival, f"the tensor file {sha256[:12]}… was truncated or altered")


def _refused(arrival: Arrival, why: str) -> BadTransfer:
    return BadTransfer(
        f"{arrival.where}: {why}; nothing was taken in. Fetch it again, or ask whoever made it."
    )
