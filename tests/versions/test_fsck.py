"""Damage of every kind is found and named, and what is whole is never called damaged."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

import unfitted
from memoir.errors import NotAStore, StoreDamaged
from memoir.store import Row, Store, short
from memoir.versions.fsck import Finding, check, check_log
from unfitted import teach

RESTORE = "Restore the log from a copy of the store."


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """Settings, three edits, one of them taken back, and a fourth that no name leads to."""
    store = Store.create(tmp_path / "store")
    unfitted.bind(store)
    rows = [teach(store, name) for name in "abc"]
    store.revert([rows[1].id])
    tip = store.history.tip()
    store.move("tag/v1", tip, "tag")
    store.move("branch/work", tip, "branch")
    store.move("HEAD", "work", "switch")
    teach(store, "lost")
    store.move("HEAD", "main", "switch")
    store.move("branch/work", None, "branch --delete")
    yield store
    store.close()


def edit(store: Store, prompt: str) -> Row:
    return next(row for row in store.log.rows(kind="edit") if row.body["prompt"] == prompt)


def errors(store: Store) -> list[str]:
    """What is wrong with it, as another process finds it."""
    other = Store(store.folder)
    found = [finding.what for finding in check(other) if finding.severity == "error"]
    other.close()
    return found


def alter(store: Store, *statements: str) -> None:
    """Run SQL on the log behind the triggers' back."""
    with closing(sqlite3.connect(store.folder / "log.sqlite", isolation_level=None)) as database:
        for name in ("log_keeps_rows", "log_keeps_values", "moves_keep_rows", "moves_keep_values"):
            database.execute(f"DROP TRIGGER IF EXISTS {name}")
        for statement in statements:
            assert database.execute(statement).rowcount, f"nothing was altered by: {statement}"


def test_a_whole_store_has_no_findings(store: Store, tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    assert check(store, lambda *given: told.append(given)) == []
    assert told == [("checking tensor files", number, 4) for number in range(1, 5)]
    assert check(Store.create(tmp_path / "empty")) == []


def test_checking_changes_nothing(store: Store) -> None:
    def content() -> dict[Path, bytes]:
        files = [path for path in store.folder.rglob("*") if path.is_file()]
        # SQLite's shared memory tells who reads.
        return {path: path.read_bytes() for path in files if not path.name.endswith("-shm")}

    before = content()
    check(store)
    assert content() == before


# ---------------------------------------------------------------------- rows


@pytest.mark.parametrize("kind", ["settings", "edit", "commit"])
@pytest.mark.parametrize(
    "change",
    [
        "body = replace(body, ':', ': ')",  # the same JSON is the same content
        "body = json_set(body, '$.message', 'I never did', '$.prompt', 'x', '$.method', 'other')",
        "body = substr(body, 2)",
        "body = CAST(x'ff00' AS TEXT)",
        "body = x'ff00'",
        "body = '[1]'",
        "time = '2020-01-01T00:00:00.000000+00:00'",
        "sha256 = 'ab'",
    ],
)
def test_an_altered_row_is_named(store: Store, kind: str, change: str) -> None:
    row = store.log.rows(kind=kind)[0]
    alter(store, f"UPDATE log SET {change} WHERE seq = {row.seq}")
    found = errors(store)
    if ": " in change:
        assert found == []
        return
    assert found[0].startswith(f"Row {row.seq} of the log (the {kind} {short(row.id)}")
    assert found[0].endswith("was altered: its id is not that of its content.")


def test_a_row_under_another_id_is_named_and_so_is_who_misses_it(store: Store) -> None:
    row, commit = edit(store, "a"), store.log.rows(kind="commit")[1]
    alter(store, f"UPDATE log SET id = '{'0' * 64}' WHERE seq = {row.seq}")
    assert errors(store) == [
        f"Row {row.seq} of the log (the edit 0000000000 ('a')) was altered: its id is not that of its "
        "content.",
        f"The commit {short(commit.id)} names the edit {short(row.id)}, which the log does not hold.",
    ]


@pytest.mark.parametrize("kind", ["settings", "edit", "commit"])
def test_a_row_that_was_removed_is_missed_by_those_that_name_it(store: Store, kind: str) -> None:
    row = store.log.rows(kind=kind)[0]
    alter(store, f"DELETE FROM log WHERE seq = {row.seq}")
    first, *others = check(Store(store.folder))
    (lost,) = re.findall(r"Of \d+ rows of the table 'log', 1 were removed: (\d+)\.", first.what)
    assert (first.severity, int(lost), first.remedy) == ("error", row.seq, RESTORE)
    assert any(
        finding.what.startswith(("The commit ", "Move "))
        and finding.what.endswith(f"the {kind} {short(row.id)}, which the log does not hold.")
        for finding in others
    )


def test_a_row_of_another_kind_does_not_do(store: Store) -> None:
    row = edit(store, "a")
    alter(store, f"UPDATE log SET kind = 'settings' WHERE seq = {row.seq}")
    assert any(f"names the edit {short(row.id)}, which" in what for what in errors(store))


# ---------------------------------------------------------------------- names


@pytest.mark.parametrize(
    "change",
    [
        "ref = 'branch/other'",
        "target = (SELECT id FROM log WHERE kind = 'commit' ORDER BY seq LIMIT 1)",
        "time = '2020-01-01T00:00:00.000000+00:00'",
        "why = 'nothing'",
        "chain = 'ab'",
        "why = x'ff'",
    ],
)
@pytest.mark.parametrize("seq", [3, 11])
def test_an_altered_move_breaks_the_chain(store: Store, change: str, seq: int) -> None:
    assert len(store.log.moves()) == 11
    alter(store, f"UPDATE moves SET {change} WHERE seq = {seq}")
    assert any(
        what.startswith(f"Move {seq} (") and "does not continue the chain of moves" in what
        for what in errors(store)
    )


def test_a_move_that_was_removed_breaks_the_chain(store: Store) -> None:
    alter(store, "DELETE FROM moves WHERE seq = 2")
    assert errors(store) == [
        "Of 11 rows of the table 'moves', 1 were removed: 2.",
        "Move 3 (branch/main) does not continue the chain of moves: it was altered, or one before it "
        "was removed.",
    ]
    alter(store, "DELETE FROM moves WHERE seq > 2")
    assert errors(store) == [
        "Of 11 rows of the table 'moves', 10 were removed: 2, 3, 4, 5, 6, 7, 8, 9, …."
    ]


def test_a_name_of_a_missing_commit_is_named(store: Store) -> None:
    store.move("tag/v2", "ab" * 32, "tag")
    assert errors(store) == [
        "Move 12 gave the name tag/v2 to the commit ababababab, which the log does not hold."
    ]


def test_a_switch_to_a_branch_without_commits_is_noticed(store: Store) -> None:
    store.move("HEAD", "gone", "switch")
    assert check(store) == [
        Finding(
            "notice",
            "The store is switched to the branch 'gone', which has no commit.",
            "Switch to another one: memoir switch NAME.",
        )
    ]


# ---------------------------------------------------------------------- files


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "says"),
    [(cut, "was truncated or altered"), (flip, "altered"), (Path.unlink, "No such file")],
)
@pytest.mark.parametrize("prompt", ["a", "b"])  # in force, and taken back
def test_a_damaged_file_that_a_name_leads_to_is_an_error(
    store: Store, damage: Callable[[Path], None], says: str, prompt: str
) -> None:
    row = edit(store, prompt)
    path = unfitted.file(store, row)
    damage(path)
    (finding,) = check(store)
    assert finding.severity == "error"
    assert str(path) in finding.what
    assert says in finding.what
    assert finding.what.endswith(f"It belongs to the edit {short(row.id)} ('{prompt}').")
    assert finding.remedy == (
        "Restore the file from a copy of the store, or revert the edit and teach it anew."
    )


def test_a_damaged_file_that_no_name_leads_to_is_a_notice(store: Store) -> None:
    row = edit(store, "lost")
    flip(unfitted.file(store, row))
    (finding,) = check(store)
    assert (finding.severity, finding.remedy) == (
        *("notice", "None is needed; memoir gc removes it in time."),
    )
    assert finding.what.endswith(
        f"It belongs to the edit {short(row.id)} ('lost'), which no branch or tag leads to."
    )
    unfitted.file(store, row).unlink()
    assert check(store) == [
        Finding(
            "notice",
            "Tensor files that no branch or tag needs are gone: 1.",
            "None is needed; memoir gc removes such files.",
        )
    ]


def test_a_file_of_two_edits_is_needed_if_one_of_them_is(store: Store) -> None:
    lost, needed = teach(store, "lost too", 0.5), teach(store, "needed", 0.5)
    assert lost.sha256 == needed.sha256
    store.move("branch/main", store.history.resolve("HEAD~1"), "reset")
    unfitted.file(store, lost).unlink()
    (finding,) = check(store)
    assert finding.what.endswith(f"It belongs to the edit {short(lost.id)} ('lost too').")
    assert finding.severity == "error"


def test_files_nobody_names_are_noticed(store: Store) -> None:
    path = store.folder / "tensors" / ("ab" * 32 + ".safetensors")
    path.write_bytes(b"?")
    assert check(store) == [
        Finding(
            "notice",
            f"No row names {path}: a process is about to add it, or ended before it did.",
            "None is needed; the next change to the store removes it.",
        )
    ]


# ---------------------------------------------------------------------- the file of the log


def test_as_much_as_can_be_read_of_a_broken_log_is_checked(store: Store) -> None:
    for number in range(60):
        teach(store, f"{number} " + "p" * 500)
    broken = unfitted.file(store, edit(store, "a"))
    flip(broken)
    store.close()  # writes what is in the WAL to the file
    path = store.folder / "log.sqlite"
    content = path.read_bytes()
    page = content.index(b'{"prompt": "30 ppp') // 4096 * 4096
    path.write_bytes(content[:page] + b"\xff" * 4096 + content[page + 4096 :])
    other = Store(store.folder)
    found = errors(other)
    assert found[0].startswith(f"SQLite says of {path}: ")
    assert any(
        re.match("Of 1.. rows of the table 'log', .* cannot be read: ", what) for what in found
    )
    assert any(str(broken) in what for what in found)
    assert not any("does not hold" in what for what in found)  # it may, where it cannot be read
    other.close()


def test_an_index_that_lost_a_row_is_found(store: Store) -> None:
    alter(
        store, "PRAGMA writable_schema = ON", "DELETE FROM sqlite_schema WHERE name = 'log_by_kind'"
    )
    assert any(what.startswith("SQLite says of ") for what in errors(store))


def test_what_is_no_store_is_refused(tmp_path: Path) -> None:
    with pytest.raises(NotAStore):
        Store(tmp_path)
    (tmp_path / "log.sqlite").write_text("no log at all\n" * 1000)
    with pytest.raises(StoreDamaged, match="file is not a database"):
        Store(tmp_path)


def test_the_log_alone_is_checked_without_files(store: Store) -> None:
    unfitted.file(store, edit(store, "a")).unlink()
    assert check_log(store) == []
    alter(store, "UPDATE moves SET why = 'x' WHERE seq = 1")
    assert len(check_log(store)) == 1
