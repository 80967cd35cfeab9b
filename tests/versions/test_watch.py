"""A store is followed, whichever process adds to it."""

from __future__ import annotations

import threading
from itertools import islice
from pathlib import Path

from histories import taught, teach
from memoir.store import Row, Store
from memoir.store.rows import Move
from memoir.versions import tag
from memoir.versions.watch import follow


def test_what_is_added_is_told_in_order_and_nothing_older(tmp_path: Path) -> None:
    taught(tmp_path / "store", "ab")[0].close()
    news = follow(Store(tmp_path / "store"), 0.01)
    other = Store(tmp_path / "store")
    teach(other, "c")
    commit, move = islice(news, 2)
    assert isinstance(commit, Row)
    assert isinstance(move, Move)
    assert commit.body["message"] == "c → t"
    assert (move.ref, move.target, move.why) == ("branch/main", commit.id, "edit")
    tag.create(other, "v1")
    tag.delete(other, "v1")
    named, gone = islice(news, 2)
    assert [(each.ref, each.target) for each in (named, gone) if isinstance(each, Move)] == [
        ("tag/v1", commit.id),
        ("tag/v1", None),
    ]


def test_what_comes_later_is_waited_for(tmp_path: Path) -> None:
    store, _ = taught(tmp_path / "store", "a")
    news = follow(store, 0.01)

    def later() -> None:
        other = Store(tmp_path / "store")
        teach(other, "b")
        other.close()

    timer = threading.Timer(0.1, later)
    timer.start()
    commit = next(news)
    timer.join()
    assert isinstance(commit, Row)
    assert commit.body["message"] == "b → t"
