"""The log: commits with their edits, filtered, newest first."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from histories import bound, edit, prompts, taught, teach
from memoir.store import Row, Store
from memoir.store.rows import identity
from memoir.types import Note
from memoir.versions import branch, switch, tag
from memoir.versions.log import Commit, Filter, log


def messages(commits: list[Commit]) -> list[str]:
    return [commit.row.body["message"] for commit in commits]


def dated(store: Store, day: str, prompt: str) -> None:
    """A commit of one edit, made on another day."""
    made = f"{day}T12:00:00.000000+00:00"
    with store.writing():
        row = edit(store, prompt)
        body = {
            **{"parents": [store.history.tip()], "author": "ann", "message": prompt},
            **{"settings": None, "add": [row.id], "remove": []},
        }
        commit = Row(0, identity("commit", made, body, None), "commit", made, body)
        store.log.append([row, commit], [("branch/main", commit.id, "edit")])


def test_the_newest_is_first_with_its_edits_and_names(tmp_path: Path) -> None:
    store, (first, second) = taught(tmp_path / "store", "ab")
    tag.create(store, "v1", "HEAD~1")
    switch.switch(store, "trial", new=True)
    store.revert([first.id])
    commits = list(log(store))
    assert messages(commits) == ["Revert 'a'", "b → t", "a → t", "Bind"]
    assert [commit.names for commit in commits] == [
        ("HEAD -> trial",),
        ("main",),
        ("tag: v1",),
        (),
    ]
    assert [(commit.add, commit.remove) for commit in commits[:2]] == [
        ((), (first,)),
        ((second,), ()),
    ]
    assert messages(list(log(store, "v1"))) == ["a → t", "Bind"]
    told = commits[0].as_dict()
    assert (told["author"], told["parents"]) == (
        store.log.get([told["id"]])[told["id"]].body["author"],
        [commits[1].row.id],
    )
    assert [(each["id"], each["prompt"]) for each in told["remove"]] == [(first.id, "a")]


def test_all_branches_and_tags_are_told_and_no_others(tmp_path: Path) -> None:
    store, _ = taught(tmp_path / "store", "a")
    for name, prompt in (("one", "b"), ("two", "c"), ("three", "d")):
        switch.switch(store, "main")
        switch.switch(store, name, new=True)
        teach(store, prompt)
    switch.switch(store, "main")
    tag.create(store, "kept", "two")
    for name in ("two", "three"):
        branch.delete(store, name, force=True)
    assert messages(list(log(store))) == ["a → t", "Bind"]
    assert messages(list(log(store, everything=True))) == ["c → t", "b → t", "a → t", "Bind"]


def test_commits_are_found_by_what_is_said_of_them_and_of_their_edits(tmp_path: Path) -> None:
    store = bound(tmp_path / "store")
    teach(store, "The CEO of Acme is", note=Note("one", "ann"), subject="Acme", tags=["staff", "x"])
    teach(store, "He runs it", note=Note("two", "bo"), subject="ACME Inc.")
    teach(store, "The sky is", note=Note("three", "bo"), tags=["staff"])
    for which, expected in (
        (Filter(subject="acme"), ["two", "one"]),
        (Filter(subject="SKY"), ["three"]),
        (Filter(author="bo"), ["three", "two"]),
        (Filter(tag="staff"), ["three", "one"]),
        (Filter(tag="staff", author="ann"), ["one"]),
        (Filter(tag="sta"), []),
    ):
        assert messages(list(log(store, which=which))) == expected
    store.revert([store.live()[0].id], Note("gone", "ann"))
    assert messages(list(log(store, which=Filter(subject="acme")))) == ["gone", "two", "one"]


def test_days_count_from_their_first_to_their_last_moment(tmp_path: Path) -> None:
    store = bound(tmp_path / "store")
    days = ["2026-01-31", "2026-02-01", "2026-02-02"]
    for day in days:
        dated(store, day, day)
    for which, expected in (
        (Filter(since=days[1], until=days[1]), [days[1]]),
        (Filter(until=days[1]), days[1::-1]),
        (Filter(since=days[2], until="2026-02-28"), [days[2]]),
    ):
        assert messages(list(log(store, which=which))) == expected


def test_a_store_without_commits_has_an_empty_log(tmp_path: Path) -> None:
    store = Store.create(tmp_path / "empty")
    assert list(log(store)) == list(log(store, everything=True)) == []


@pytest.mark.slow
def test_a_hundred_thousand_commits_take_seconds(tmp_path: Path) -> None:
    store = bound(tmp_path / "store")
    rows, parent = [], store.history.tip()
    for number in range(50_000):
        fact = Row.new("edit", {"prompt": f"p{number}", "target": "t", "subject": "s"})
        body = {
            **{"parents": [parent], "author": "ann", "message": f"m{number}", "settings": None},
            **{"add": [fact.id], "remove": []},
        }
        commit = Row.new("commit", body)
        back = Row.new("commit", {**body, "parents": [commit.id], "add": [], "remove": [fact.id]})
        parent = back.id
        rows += [fact, commit, back]
    with store.writing():
        store.log.append(rows, [("branch/main", parent or "", "edit")])
    store.close()
    again = Store(tmp_path / "store")
    start = time.perf_counter()
    assert sum(1 for _ in log(again)) == 100_001
    assert time.perf_counter() - start < 20
    start = time.perf_counter()
    found = list(log(again, which=Filter(subject="P49999")))
    assert len(found) == 2
    assert time.perf_counter() - start < 20
    assert prompts(again) == []
