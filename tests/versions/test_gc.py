"""Room is given back by what nothing needs, after some days, and by nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

import unfitted
from memoir.editor import Editor
from memoir.errors import StoreDamaged
from memoir.store import Row, Store, log, rows, short
from memoir.versions import fsck, gc
from memoir.versions.gc import collect
from unfitted import teach


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store.create(tmp_path / "store")
    yield store
    store.close()


@pytest.fixture
def day(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Set the clock to so many days after some morning."""

    def to(days: float) -> None:
        time = datetime(2026, 1, 1, 9, tzinfo=timezone.utc) + timedelta(days=days)
        for module in (rows, log, gc):
            monkeypatch.setattr(module, "now", lambda: time.isoformat(timespec="microseconds"))

    to(0)
    return to


def on_a_branch(store: Store, *edits: str, name: str = "work") -> list[Row]:
    """Edits on a branch of their own; main is in use again afterwards."""
    store.move(f"branch/{name}", store.history.tip(), "branch")
    store.move("HEAD", name, "switch")
    found = [teach(store, edit) for edit in edits]
    store.move("HEAD", "main", "switch")
    return found


def has(store: Store, *edits: Row) -> list[bool]:
    return [unfitted.file(store, edit).exists() for edit in edits]


def test_only_files_that_no_name_leads_to_are_removed_and_rows_stay(store: Store) -> None:
    settings = unfitted.bind(store)
    kept, reverted = teach(store, "kept"), teach(store, "reverted")
    store.revert([reverted.id])
    work = on_a_branch(store, "a", "b")
    tip = store.history.branches["work"]
    assert collect(store, 0) == []
    store.move("tag/v1", store.history.nodes[tip].parents[0], "tag")
    store.move("branch/work", None, "branch --delete")
    before, size = store.log.rows(), store.size(work[1])

    (found,) = collect(store, 0)
    assert (found.row, found.bytes) == (work[1], size)
    assert has(store, kept, reverted, *work) == [True, True, True, False]
    assert store.log.rows() == before
    assert collect(store, 0) == []
    assert [finding.severity for finding in fsck.check(store)] == ["notice"]
    assert (store.live(), store.settings()) == ([kept], settings)


def test_a_dry_run_removes_nothing(store: Store) -> None:
    teach(store)
    (lost,) = on_a_branch(store, "lost")
    store.move("branch/work", None, "branch --delete")
    assert [each.row for each in collect(store, 0, dry_run=True)] == [lost]
    assert has(store, lost) == [True]
    assert len(collect(store, 0)) == 1


def test_files_are_kept_for_days_after_the_last_name_led_to_them(
    store: Store, day: Callable[[float], None]
) -> None:
    teach(store)
    (old,) = on_a_branch(store, "old", name="one")
    day(100)
    (new,) = on_a_branch(store, "new", name="two")
    store.move("branch/one", None, "branch --delete")
    day(110)
    store.move("tag/v1", store.history.branches["two"], "tag")
    store.move("branch/two", None, "branch --delete")
    day(113.9)
    assert collect(store) == []
    day(114)
    assert [(each.row, each.since[:10]) for each in collect(store)] == [(old, "2026-04-11")]
    day(120)
    store.move("tag/v1", None, "tag --delete")
    day(133.9)
    assert collect(store) == []
    assert [each.row for each in collect(store, 13)] == [new]


def test_what_a_commit_builds_on_was_needed_as_long_as_it_was(
    store: Store, day: Callable[[float], None]
) -> None:
    teach(store)
    on_a_branch(store, *"abc")
    day(50)
    store.move("branch/work", None, "branch --delete")
    day(63)
    assert collect(store) == []
    day(65)
    assert [each.row.body["prompt"] for each in collect(store)] == ["a", "b", "c"]


def test_a_branch_moved_back_and_forth_needs_what_it_leads_to_now(store: Store) -> None:
    first, second = teach(store, "first"), teach(store, "second")
    tip = store.history.tip()
    store.move("branch/main", store.history.resolve("HEAD~1"), "reset")
    store.move("branch/main", tip, "reset")
    assert collect(store, 0) == []
    store.move("branch/main", store.history.resolve("HEAD~1"), "reset")
    assert [each.row for each in collect(store, 0)] == [second]
    assert has(store, first) == [True]


def test_a_file_of_two_edits_stays_for_the_one_that_is_needed(store: Store) -> None:
    teach(store, "needed", 0.5)
    store.move("branch/work", store.history.tip(), "branch")
    store.move("HEAD", "work", "switch")
    lost = teach(store, "lost", 0.5)
    store.move("HEAD", "main", "switch")
    store.move("branch/work", None, "branch --delete")
    assert collect(store, 0) == []
    assert has(store, lost) == [True]


def test_edits_that_are_needed_again_are_damaged_and_say_why(store: Store) -> None:
    teach(store)
    (lost,) = on_a_branch(store, "lost")
    tip = store.history.branches["work"]
    store.move("branch/work", None, "branch --delete")
    collect(store, 0)
    store.move("branch/again", tip, "branch")
    with pytest.raises(StoreDamaged) as refused:
        store.tensors(lost)
    assert str(refused.value) == (
        f"{unfitted.file(store, lost)} cannot be read: No such file or directory. memoir gc removes "
        "such a file once no branch or tag has led to its edit for some time; restore it from a copy, "
        "or teach the edit anew."
    )
    assert [entry.status for entry in store.entries(tip)] == ["live", "damaged"]
    (finding,) = fsck.check(store)
    assert finding.severity == "error"


def test_an_editor_names_edits_that_were_collected_and_uses_the_others(
    make_editor: Callable[..., Editor],
) -> None:
    editor = make_editor(max_steps=5, accept_unsaid=True)
    editor.edit("The CEO of Acme is", "Dana")
    start = editor.store.history.tip()
    lost = editor.edit("My favourite color:", "red")
    editor.store.move("branch/main", start, "reset")
    assert len(collect(editor.store, 0)) == 1
    with pytest.warns(UserWarning, match="1 of the edits in .* memoir gc removes such a file once"):
        again = make_editor(at=lost.commit)
    assert list(again.damaged) == [lost.id]
    assert len(again) == 2


def test_in_a_damaged_store_nothing_is_removed(store: Store, tmp_path: Path) -> None:
    teach(store)
    (lost,) = on_a_branch(store, "lost")
    store.move("branch/work", None, "branch --delete")
    store.move("tag/v1", "ab" * 32, "tag")
    with pytest.raises(StoreDamaged) as refused:
        collect(store, 0)
    assert str(refused.value) == (
        "the store is damaged, so what it needs cannot be told: Move "
        f"{len(store.log.moves())} gave the name tag/v1 to the commit {short('ab' * 32)}, which the "
        "log does not hold. Nothing was removed. See: memoir fsck."
    )
    assert has(store, lost) == [True]
