"""A store behaves the same in a folder and in a database."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from memoir.errors import NotAStore, StoreDamaged, StoreError, UnknownName
from memoir.store import Row, Store, short
from memoir.store.checks import PastCheck
from memoir.store.rows import identity
from memoir.store.tensors import serialized
from memoir.types import Edit
from memoir.versions import fsck, gc
from unfitted import teach


def prompts(store: Store, commit: str | None = None) -> list[str]:
    return [row.body["prompt"] for row in store.live(commit)]


# ---------------------------------------------------------------------- making and opening


def test_a_new_store_is_empty(where: str) -> None:
    assert not Store.exists(where)
    store = Store.create(where)
    assert Store.exists(where)
    assert (store.log.rows(), store.log.moves(), store.entries()) == ([], [], [])
    assert (store.settings(), store.history.branch, store.history.tip()) == (None, "main", None)
    assert store.log.check() == []
    store.close()


def test_a_store_is_not_made_twice(stored: Store, where: str) -> None:
    row = teach(stored)
    with pytest.raises(StoreError, match=r"is not .*empty.*; choose a new one"):
        Store.create(where)
    assert stored.live() == [row]


def test_where_no_store_is_one_is_told_how_to_make_it(where: str) -> None:
    with pytest.raises(NotAStore) as refused:
        Store(where)
    assert str(refused.value) == f"{where} holds no memoir store; make one with: memoir init"


# ---------------------------------------------------------------------- rows and tensors


def test_edits_are_there_in_a_second_opening(stored: Store, where: str) -> None:
    first, second = teach(stored, "one", 1.5), teach(stored, "two", 2.5)
    again = Store(where)
    assert again.live() == [first, second]
    assert [entry.edit for entry in again.entries()] == [Edit("one", "t"), Edit("two", "t")]
    assert torch.equal(again.tensors(second)["x"], torch.full((8,), 2.5))
    assert again.file(second.sha256 or "").stat().st_size == again.size(second) > 32
    assert again.log.files() == {first.sha256, second.sha256}
    again.close()


def test_rows_come_back_as_they_were_hashed(stored: Store) -> None:
    body = {"prompt": "Zürich\x00 – “ü” 🙂", "losses": [1.5, 1e-320, 10**30], "said": None, "a": {}}
    with stored.writing():
        stored.commit([stored.row("edit", body)])
    (row,) = stored.live()
    assert row.body == body
    assert row.id == identity(row.kind, row.time, row.body, row.sha256)
    assert (row.seq, stored.tensors(row), stored.size(row)) == (1, {}, 0)


def test_rows_behind_a_position_of_a_kind_and_by_id(stored: Store) -> None:
    edits = [teach(stored, name) for name in "abc"]
    log = stored.log
    assert [row.seq for row in log.rows()] == [1, 2, 3, 4, 5, 6]
    assert log.rows(kind="edit") == edits
    assert log.rows(after=2, kind="edit") == edits[1:]
    assert log.rows(after=6) == []
    assert log.get([edits[2].id, "nobody", edits[0].id]) == {
        edits[2].id: edits[2],
        edits[0].id: edits[0],
    }
    assert log.get([]) == {}
    assert log.beginning(edits[1].id[:20]) == [edits[1]]
    assert len(log.beginning("")) == 5
    assert stored.find(short(edits[0].id)) == edits[0]
    with pytest.raises(UnknownName) as refused:
        stored.find("ffffffffffff")
    assert str(refused.value) == f"no entry 'ffffffffffff' in {stored.folder}; see: memoir log"


def test_what_is_appended_is_there_as_a_whole_or_not_at_all(stored: Store) -> None:
    row = teach(stored)
    rows, moves = stored.log.rows(), stored.log.moves()
    new = Row.new("edit", {"prompt": "new", "target": "t", "subject": None})
    with pytest.raises(StoreDamaged):  # no id is there twice
        stored.log.append([new, row], [("tag/x", row.id, "tag")])
    assert (stored.log.rows(), stored.log.moves()) == (rows, moves)


def test_what_is_kept_beside_the_rows(stored: Store, where: str) -> None:
    log = stored.log
    log.configure("user.name", "ann")
    log.configure("gate.suite", "old")
    log.configure("gate.suite", "new")
    log.configure("user.name", None)
    log.configure("user.name", None)
    log.sign("c", "first")
    log.sign("c", "second")
    log.remember({"q": "yes", "r": "no"})
    log.remember({"r": "yes"})
    log.remember({})
    made = [
        PastCheck(0, f"2026-01-0{day}", branch, "c", 9, 8, 30, 2, 1)
        for day, branch in ((1, "main"), (2, None), (3, "work"), (4, "main"))
    ]
    for each in made:
        log.note_check(each)
    again = Store(where)
    assert again.log.config() == {"gate.suite": "new"}
    assert again.log.signatures() == {"c": "second"}
    assert again.log.remembered() == {"q": "yes", "r": "yes"}
    first, _, _, last = found = [replace(each, seq=seq) for seq, each in enumerate(made, 1)]
    assert again.log.checks() == found[::-1]
    assert again.log.checks(most=1) == [last]
    assert again.log.checks("main") == [last, first]
    assert again.log.checks("main", before=last.seq) == [first]
    assert again.log.checks("gone") == []
    assert fsck.check(again) == []
    again.close()


# ---------------------------------------------------------------------- history


def test_a_revert_is_a_commit_that_keeps_the_edit(stored: Store) -> None:
    kept, taken = teach(stored, "kept"), teach(stored, "taken")
    before = stored.history.tip()
    commit = stored.revert([taken.id[:12]])
    assert (commit.body["remove"], commit.body["parents"]) == ([taken.id], [before])
    assert commit.body["message"] == "Revert 'taken'"
    assert stored.live() == [kept]
    assert stored.live(before) == [kept, taken]
    assert [entry.status for entry in stored.entries()] == ["live", "reverted"]
    with pytest.raises(UnknownName, match="is reverted already"):
        stored.revert([taken.id])


def test_branches_and_tags_are_followed_by_others(stored: Store, where: str) -> None:
    other = Store(where)
    teach(stored, "shared")
    stored.move("tag/v1", stored.history.tip(), "tag")
    stored.move("branch/try", stored.history.tip(), "branch")
    stored.move("HEAD", "try", "switch")
    teach(stored, "tried")
    history = other.history
    assert (history.branch, history.tags) == ("try", {"v1": history.resolve("try~1")})
    assert prompts(other) == ["shared", "tried"]
    assert prompts(other, history.resolve("main")) == ["shared"]
    stored.move("tag/v1", None, "tag")
    assert other.history.tags == {}
    assert [move.why for move in other.log.moves(after=1)] == [
        *("tag", "branch", "switch", "edit", "tag")
    ]
    other.close()


# ---------------------------------------------------------------------- looking after it


def test_a_store_is_checked_and_room_is_given_back(stored: Store) -> None:
    kept = teach(stored, "kept")
    stored.move("branch/try", stored.history.tip(), "branch")
    stored.move("HEAD", "try", "switch")
    left = teach(stored, "left")
    assert fsck.check(stored) == []
    stored.move("HEAD", "main", "switch")
    stored.move("branch/try", None, "delete")
    (found,) = gc.collect(stored, older_than=0)
    assert (found.row, stored.size(left), stored.size(kept) > 0) == (left, 0, True)
    with pytest.raises(StoreDamaged, match="memoir gc removes such a file once no branch"):
        stored.tensors(left)
    (notice,) = fsck.check(stored)
    assert notice.what == "Tensor files that no branch or tag needs are gone: 1."
    assert [entry.status for entry in stored.entries()] == ["live"]


def test_a_file_that_no_row_names_is_told_and_swept(stored: Store, where: str) -> None:
    teach(stored)
    sha256 = stored.files.store(serialized({"x": torch.full((8,), 9.0)}))
    (notice,) = fsck.check(stored)
    assert notice.severity == "notice"
    assert notice.what.startswith("No row names ")
    assert sha256 in notice.what
    again = Store(where)
    teach(again)
    assert fsck.check(again) == []
    again.close()
