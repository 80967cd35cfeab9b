"""A store that was copied, and both copies used: each is whole, and they share what was before."""

from __future__ import annotations

import shutil
from pathlib import Path

import torch

from memoir.store import Store
from memoir.versions.fsck import check
from unfitted import teach


def test_two_copies_that_went_on_separately_stay_whole(tmp_path: Path) -> None:
    one = Store.create(tmp_path / "one")
    shared = [teach(one, name) for name in "ab"]
    tip = one.history.tip()
    one.close()
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    one, two = Store(tmp_path / "one"), Store(tmp_path / "two")
    mine, theirs = teach(one, "c"), teach(two, "d")
    two.revert([shared[0].id])
    assert mine.seq == theirs.seq
    assert mine.id != theirs.id

    for folder, live in (("one", [*shared, mine]), ("two", [shared[1], theirs])):
        again = Store(tmp_path / folder)
        assert again.live() == live
        assert again.live(tip) == shared
        assert [entry.status for entry in again.entries()].count("damaged") == 0
        assert check(again) == []
        again.close()
    common = one.history.nodes.keys() & two.history.nodes.keys()
    assert common == one.history.ancestors(tip)

    # What one has and the other lacks can be told by ids alone, and brought over.
    assert [row.id for row in two.log.rows() if row.id not in one.log.get([row.id])] == [
        row.id for row in two.log.rows() if row.seq >= theirs.seq
    ]
    with one.writing():
        copied = one.row("edit", theirs.body, two.tensors(theirs))
        assert copied.sha256 == theirs.sha256
        one.commit([theirs])
    assert [row.id for row in one.live()] == [*(row.id for row in shared), mine.id, theirs.id]
    assert torch.equal(one.tensors(one.live()[-1])["x"], two.tensors(theirs)["x"])
    assert check(one) == []
    one.close()
    two.close()
