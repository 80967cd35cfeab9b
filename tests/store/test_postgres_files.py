"""Tensor files in PostgreSQL, and their copies in the cache."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
import torch

from memoir.errors import StoreDamaged, StoreError
from memoir.store import Store, files
from memoir.versions import fsck
from server import Server
from unfitted import file, teach


def test_copies_are_for_reading_only_and_made_once(database: Store, cache: Path) -> None:
    row = teach(database, value=2.0)
    assert not cache.exists()
    assert torch.equal(database.tensors(row)["x"], torch.full((8,), 2.0))
    (copy,) = (cache / "tensors").iterdir()
    assert copy == file(database, row)
    assert stat.S_IMODE(copy.stat().st_mode) == 0o444
    before = copy.stat().st_mtime_ns
    database.tensors(row)
    assert copy.stat().st_mtime_ns == before


def test_a_copy_that_was_altered_is_made_anew(database: Store) -> None:
    row = teach(database, value=2.0)
    copy = file(database, row)
    copy.chmod(0o644)
    copy.write_bytes(copy.read_bytes()[:-1] + b"\xff")
    with pytest.raises(StoreDamaged, match="'x' is not what was written"):
        database.tensors(row)["x"]
    database.files.verify(row.sha256 or "")  # as memoir fsck does
    assert torch.equal(database.tensors(row)["x"], torch.full((8,), 2.0))
    copy.chmod(0o644)
    copy.write_bytes(copy.read_bytes()[:-1])
    assert torch.equal(database.tensors(row)["x"], torch.full((8,), 2.0))
    copy.unlink()
    assert torch.equal(database.tensors(row)["x"], torch.full((8,), 2.0))


def test_a_file_of_many_parts_comes_back_whole(
    database: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "PART", 7)
    row, again = teach(database, "p", 3.0), teach(database, "q", 3.0)  # one file for both
    assert database.size(row) == file(database, row).stat().st_size
    assert torch.equal(database.tensors(again)["x"], torch.full((8,), 3.0))


@pytest.mark.parametrize("change", ["DELETE FROM {}", "UPDATE {} SET content = content || '!'"])
def test_tensors_that_were_lost_or_altered_are_damaged_and_all_else_is_readable(
    postgres: Server, database: Store, schema: str, cache: Path, change: str
) -> None:
    row = teach(database)
    table = f"{schema}.tensors"
    postgres.run(f"ALTER TABLE {table} DISABLE TRIGGER keeps_content; " + change.format(table))
    kept = teach(database, "kept")
    with pytest.raises(StoreDamaged) as damaged:
        database.tensors(row)
    short = (row.sha256 or "")[:12]
    if "DELETE" in change:
        assert str(damaged.value) == (
            f"the database {database.folder} has no tensors {short}…. memoir gc removes such a file "
            "once no branch or tag has led to its edit for some time; restore it from a copy, or "
            "teach the edit anew."
        )
    else:
        assert str(damaged.value).startswith(
            f"tensors in the database {database.folder} were truncated or altered: SHA-256 "
        )
        assert str(damaged.value).endswith(f" in place of {short}….")
        assert list((cache / "tensors").iterdir()) == []
    assert [entry.status for entry in database.entries()] == ["damaged", "live"]
    assert database.live() == [row, kept]


def test_what_the_database_has_is_checked_and_not_the_copies(
    postgres: Server, database: Store, schema: str
) -> None:
    row = teach(database)
    database.tensors(row)
    table = f"{schema}.tensors"
    postgres.run(f"ALTER TABLE {table} DISABLE TRIGGER keeps_content")
    postgres.run(f"UPDATE {table} SET content = content || '!'")
    assert any("were truncated or altered" in finding.what for finding in fsck.check(database))
    assert database.entry(row.id).status == "live"  # the copy is still right


def test_a_cache_that_cannot_be_written_is_named(database: Store, cache: Path) -> None:
    row = teach(database)
    cache.write_text("a file in place of the folder")
    with pytest.raises(StoreError, match=r"could not write .*a copy of what the database .* holds"):
        database.tensors(row)
