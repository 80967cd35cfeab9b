"""Where a store stands, and what single names stand for."""

from __future__ import annotations

from pathlib import Path

import pytest

from histories import bound, taught, teach
from memoir.errors import UnknownName
from memoir.store import Store
from memoir.versions import branch, switch, tag
from memoir.versions.show import named, standing
from memoir.versions.status import status


def test_a_store_tells_its_branch_its_model_and_what_needs_a_look(tmp_path: Path) -> None:
    store = bound(tmp_path / "store")
    old = teach(store, "old", expires="2020-12-31")
    teach(store, "new", expires="2999-12-31")
    gone = teach(store, "gone", expires="2020-12-31")
    broken = teach(store, "broken")
    store.revert([gone.id])
    assert broken.sha256 is not None
    store.file(broken.sha256).write_bytes(b"")
    branch.create(store, "other")
    tag.create(store, "v1")
    found = status(store)
    assert (found.branch, found.tip, found.edits) == ("main", store.history.tip(), 3)
    assert [entry.row.id for entry in found.expired] == [old.id]
    assert [entry.row.id for entry in found.damaged] == [broken.id]
    assert (found.model, found.dtype, found.method) == ("tiny", "float32", "memoir")
    assert (list(found.branches), list(found.tags)) == (["main", "other"], ["v1"])
    told = found.as_dict()
    assert [(each["prompt"], each["expires"]) for each in told["expired"]] == [
        ("old", "2020-12-31")
    ]
    assert "was truncated or altered" in told["damaged"][0]["note"]


def test_an_empty_store_is_bound_to_nothing(tmp_path: Path) -> None:
    found = status(Store.create(tmp_path / "empty"))
    assert (found.branch, found.tip, found.edits, found.model) == ("main", None, 0, None)


def test_rows_are_found_by_name_and_by_id(tmp_path: Path) -> None:
    store, (row, _) = taught(tmp_path / "store", "ab")
    tag.create(store, "v1", "HEAD~1")
    assert named(store, row.id[:12]) == row
    assert named(store, "v1").id == named(store, "HEAD~1").id == store.history.tags["v1"]
    with pytest.raises(UnknownName, match="no entry 'v2'"):
        named(store, "v2")


def test_an_edit_of_another_branch_says_where_it_is_in_force(tmp_path: Path) -> None:
    store, (row, _) = taught(tmp_path / "store", "ab")
    switch.switch(store, "trial", new=True)
    other = teach(store, "c")
    commit = store.history.tip()
    assert (standing(store, other).status, standing(store, row).status) == ("live", "live")
    switch.switch(store, "main")
    found = standing(store, other)
    assert (found.status, found.note, found.commit) == ("elsewhere", "in force on trial", commit)
    branch.delete(store, "trial", force=True)
    assert standing(store, other).note == "in force on no branch"
