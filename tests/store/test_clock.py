"""A clock that jumps back: order, ids and chain do not depend on it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import unfitted
from memoir.store import Store, log, rows
from memoir.versions import gc
from memoir.versions.fsck import check
from unfitted import teach

YEARS = [2026, 2031, 1970, 2026, 2025, 2099, 2001]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each time that is asked for is years before or behind the one before."""

    def times() -> Iterator[str]:
        number = 0
        while True:
            yield f"{YEARS[number % len(YEARS)]}-01-01T00:00:00.{number:06}+00:00"
            number += 1

    given = times()
    for module in (rows, log, gc):
        monkeypatch.setattr(module, "now", lambda: next(given))


def test_order_ids_and_chain_stay_right(clock: None, tmp_path: Path) -> None:
    store = Store.create(tmp_path / "store")
    unfitted.bind(store)
    edits = [teach(store, f"fact {number}") for number in range(9)]
    store.revert([edits[4].id])
    base = store.history.tip()
    store.move("branch/work", base, "branch")
    store.move("HEAD", "work", "switch")
    edits.append(teach(store, "on work"))
    times = [row.time for row in store.log.rows()]
    assert times != sorted(times), "the clock did not jump, so this run shows nothing"

    again = Store(store.folder)
    expected = [*edits[:4], *edits[5:]]
    assert store.live() == again.live() == expected
    assert again.live(base) == expected[:-1]
    assert again.history.base(base, again.history.tip()) == base
    assert again.history.since(base, again.history.tip()) == [again.history.tip()]
    assert [again.find(row.id) for row in edits] == edits
    assert len({row.id for row in again.log.rows()}) == len(again.log.rows())
    assert check(again) == []
    assert gc.collect(again, 0) == []
    again.close()
    store.close()


def test_a_clock_that_stands_still_gives_every_row_its_own_id(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (rows, log):
        monkeypatch.setattr(module, "now", lambda: "2026-01-01T00:00:00.000000+00:00")
    store = Store.create(tmp_path / "store")
    edits = [teach(store, "the same prompt") for _ in range(5)]  # each with tensors of its own
    assert store.live() == edits
    assert check(store) == []
    store.close()
