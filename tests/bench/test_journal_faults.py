"""A run file on a full disk, and between two processes: what was acknowledged stays."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from test_journal import HEADER, ROWS, plain

from memoir.bench.journal import Journal, read_rows
from memoir.errors import RunBusy, RunFull


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs" / "r.jsonl"


# ---------------------------------------------------------------------- two writers

SECOND = """
import json, sys
from pathlib import Path
from memoir.bench.journal import Journal
from memoir.errors import RunBusy
try:
    Journal(Path(sys.argv[1]), json.loads(sys.argv[2]))
except RunBusy as error:
    print(error, end="")
"""


def test_a_run_that_is_under_way_is_refused_to_others(path: Path) -> None:
    busy = f"another process is at work on {path}; wait for it, or give another --out."
    with Journal(path, HEADER) as journal:
        with pytest.raises(RunBusy) as error:
            Journal(path, HEADER)
        assert str(error.value) == busy
        other = [sys.executable, "-c", SECOND, str(path), json.dumps(HEADER)]
        done = subprocess.run(other, capture_output=True, text=True, check=True)
        assert done.stdout == busy
        journal.write(ROWS)
    with Journal(path, HEADER) as journal:
        assert journal.of("edit") == ROWS


# ---------------------------------------------------------------------- a full disk


@contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """Nothing this process writes may make a file longer. Python ignores the signal."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("room", [0, 7, 80])
def test_on_a_full_disk_earlier_rows_stay_and_the_run_goes_on_later(path: Path, room: int) -> None:
    more = [{"kind": "record", "index": i} for i in range(4)]
    with Journal(path, HEADER) as journal:
        journal.write(ROWS)
        before = path.read_bytes()
        with files_up_to(len(before) + room), pytest.raises(RunFull) as full:
            journal.write(more)
        assert str(full.value) == (
            f"{path} could not be extended (File too large); its 4 finished rows stay. Make room "
            "and run the same command again."
        )
        assert path.read_bytes() == before
        assert read_rows(path) == [plain(HEADER), *ROWS]
        assert journal.of("edit") == ROWS
        journal.write(more)
    assert read_rows(path) == [plain(HEADER), *ROWS, *more]


def test_a_run_that_finds_no_room_at_all_can_be_begun_later(path: Path) -> None:
    with files_up_to(10), pytest.raises(RunFull, match="its 0 finished rows stay"):
        Journal(path, HEADER)
    assert os.path.getsize(path) == 0
    with Journal(path, HEADER) as journal:
        assert journal.rows == [HEADER]
