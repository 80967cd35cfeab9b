"""Several processes that write to one store at once: nothing is lost or doubled, and all agree."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

import pytest

from memoir.store import Store
from memoir.versions.fsck import check
from workers import Warm, errors, tiny_editor

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def warm() -> Iterator[Warm]:
    with Warm() as warm:
        yield warm


def test_two_processes_that_edit_at_once_lose_nothing_and_agree(
    warm: Warm, tmp_path: Path, few_background: object
) -> None:
    folder, count, one = tmp_path / "store", 30, warm
    tiny_editor(folder).close()
    with Warm() as two:
        for seed, process in enumerate((one, two)):
            process.say(f"both {folder} {seed} {count}")
        for _stage in ("start", "refresh"):
            made = [process.until("ready")[1] for process in (one, two)]
            for process in (one, two):
                process.say("go on")
        seen = []
        for process in (one, two):
            live, stored = process.until("live")
            assert live == str(2 * count)
            assert process.until("ended")[0] == "0"
            seen.append(stored)
    assert [len(ids) for ids in made] == [count, count]
    assert set(seen[0]) == made[0].keys() | made[1].keys()
    assert seen[0] == seen[1]  # the same bits for every prompt

    store = Store(folder)
    assert {entry.status for entry in store.entries()} == {"live"}
    assert errors(store) == []
    order = [row.id in made[0] for row in store.live()]
    turns = sum(before != after for before, after in pairwise(order))
    assert turns > 1, "the processes did not write at the same time, so this run shows nothing"


def test_eight_processes_make_two_hundred_edits_each_and_none_is_lost_or_doubled(
    tmp_path: Path,
) -> None:
    folder, processes, count = tmp_path / "store", 8, 200
    Store.create(folder).close()
    with ExitStack() as stack:
        writers = [stack.enter_context(Warm()) for _ in range(processes)]
        for seed, writer in enumerate(writers):
            writer.say(f"hundreds {folder} {seed} {count}")
        for writer in writers:
            writer.until("ready")
        for writer in writers:
            writer.say("go on")
        made = []
        for writer in writers:
            how, stored = writer.until("ended")
            assert how == "0"
            made.append(stored.keys())

    store = Store(folder)
    live = [row.id for row in store.live()]
    assert [len(ids) for ids in made] == [count] * processes
    assert len(live) == len(set(live)) == processes * count
    assert set(live) == set().union(*made)
    assert check(store) == []
    # One line of history: each commit adds one edit to what the one before it left.
    assert len(store.history.line(store.history.tip())) == processes * count
    maker = {id: number for number, ids in enumerate(made) for id in ids}
    turns = sum(maker[before] != maker[after] for before, after in pairwise(live))
    assert turns > processes, (
        "the processes did not write at the same time, so this run shows nothing"
    )
