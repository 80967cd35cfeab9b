"""What a soaked server has to answer for: edits that are not those it acknowledged, and what it
keeps of the machine."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from memoir.store import Store
from memoir.versions.fsck import check
from soak_clients import fact_of
from soak_ledger import Ledger
from soak_server import Sample, Server

EDITORS = 2
"""Who folds a store's edits in a server: the engine, and the desk."""
READERS = 3
"""Who holds its history: both of these, and whoever looks."""
OBJECTS = 8
"""Bytes that Python needs for a byte of a row, once it is read: dictionaries, strings, the words of
subjects with their misspellings; counted generously."""


class Held(NamedTuple):
    """What a store gives a server to hold.

    Attributes:
        edits: in force.
        commits: in all.
        megabytes: that it is reckoned to take in a server's memory.
    """

    edits: int
    commits: int
    megabytes: float


class Growth(NamedTuple):
    """What a server took more and more of, while it was under load.

    Attributes:
        megabytes: by a straight line through all samples.
        at_rest: megabytes more at the end than at the beginning, while nothing was asked.
        explained: megabytes of that which the store gave it to hold.
        threads, files: more at the end, at rest, than at the beginning.
    """

    megabytes: float
    at_rest: float
    explained: float
    threads: int
    files: int

    def troubles(self, megabytes: float, others: int) -> list[str]:
        """What is more than may be. What is kept shows in the line and at rest; work that happened to
        come late shows in the line alone, and what an allocator gives back later at rest alone.

        Args:
            megabytes: that may be unexplained: allocators keep some of what they were given back.
            others: threads and files that may be more; pools grow to what was needed at once.
        """
        more = min(self.megabytes, self.at_rest) - self.explained
        found = []
        if more > megabytes:
            found.append(f"memory grew by {more:.0f} MB that nothing explains ({self})")
        for what, count in (("threads", self.threads), ("open files", self.files)):
            if count > others:
                found.append(f"{count} {what} more at the end than when it was warm")
        return found


def growth(
    samples: Sequence[Sample], rest: tuple[Sample, Sample], before: Held, after: Held
) -> Growth:
    """What was taken in a time.

    Args:
        samples: of that time, under load.
        rest: at its beginning and at its end, while nothing was asked.
        before, after: what the store gave the server to hold then.
    """
    seconds = np.array([each.seconds for each in samples])
    slope, _ = np.polyfit(seconds - seconds[0], [each.megabytes for each in samples], 1)
    return Growth(
        round(float(slope * (seconds[-1] - seconds[0])), 1),
        round(rest[1].megabytes - rest[0].megabytes, 1),
        round(after.megabytes - before.megabytes, 1),
        rest[1].threads - rest[0].threads,
        rest[1].files - rest[0].files,
    )


def held(place: Path) -> Held:
    """What a store gives a server to hold.

    Of each edit in force the router keeps what it compares, the tensor ``relation``, and its row, once
    in the engine and once in the desk; all other tensors stay in their files. Of each commit, its own
    row stays in every history.
    """
    store = Store(place)
    try:
        live = store.live()
        tensors = 0
        for row in live:
            kept = store.tensors(row).get("relation")
            tensors += 0 if kept is None else kept.nbytes
        rows = sum(len(json.dumps(row.body)) for row in live)
        nodes = store.history.nodes
        commits = sum(len(json.dumps(node)) + len(id) for id, node in nodes.items())
    finally:
        store.close()
    total = EDITORS * (tensors + OBJECTS * rows) + READERS * OBJECTS * commits
    return Held(len(live), len(nodes), total / 1e6)


def of_edits(server: Server, ledger: Ledger) -> list[str]:
    """Where a running server tells of other edits than it acknowledged."""
    edits = server.edits()
    live = [(each["id"], fact_of(each)) for each in edits if each["status"] == "live"]
    known = {each["id"] for each in edits}
    gone = [each for each in ledger.taught if each.id is not None and each.id not in known]
    return ledger.mistakes(live) + [f"not even listed: {each.fact}" for each in gone]


def of_store(place: Path, ledger: Ledger) -> list[str]:
    """Where a store, once its server ended, holds something else; and what is wrong with it."""
    store = Store(place)
    try:
        found = ledger.mistakes((row.id, fact_of(row.body)) for row in store.live())
        return found + [f"{each.severity}: {each.what}" for each in check(store)]
    finally:
        store.close()
