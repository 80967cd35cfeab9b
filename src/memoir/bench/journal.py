"""A run file: JSON lines, appended as results come, each durable before the next is made.

A process that is killed in the middle of a row leaves a line without its end; it is removed when the
file is opened again. Rows are described in ``docs/benchmarking.md``.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from filelock import FileLock, Timeout

from memoir.errors import OtherRun, RunBusy, RunDamaged, RunFull

PROTOCOL = 3
"""Version of the rows and of what the metrics mean; results of different versions are not compared."""

SAME_SCORES = (2, PROTOCOL)
"""Versions whose result files mean the same: version 3 changed the rows of answers, and no score."""

FORMERLY = {"subjects": "given"}
"""Entries that first rows and results from before them lack, and what they would say."""

CIRCUMSTANCES = ("machine", "versions", "commit", "date")
"""Entries of a run's first row that may differ when it is resumed."""

Row = dict[str, Any]


def read_rows(path: Path) -> list[Row]:
    """The complete rows of a run file.

    Raises:
        RunDamaged: a line is no row.
        OtherRun: it was written by another protocol version.
    """
    rows = []
    for number, line in enumerate(_complete(path).split(b"\n")[:-1], start=1):
        try:
            row = json.loads(line)
            row["kind"]
        except (ValueError, TypeError, KeyError) as error:
            raise RunDamaged(
                f"{path}, line {number} is no row of a run ({error!r}). Remove the file and its "
                "store to begin again, or restore it from a copy."
            ) from error
        rows.append(row)
    if rows:
        check_protocol(rows[0], path)
    return rows


def check_protocol(row: Row, path: Path, known: Sequence[int] = (PROTOCOL,)) -> None:
    """Refuse a file of another protocol version.

    Args:
        row: what says its version.
        path: the file.
        known: versions that can be read.

    Raises:
        OtherRun: it is one.
    """
    found = row.get("protocol")
    if found not in known:
        raise OtherRun(
            f"{path} follows protocol {found}, this version of memoir protocol {PROTOCOL}; their "
            "numbers do not mean the same. Run the benchmark again, or read it with the version of "
            "memoir that wrote it."
        )


class Journal:
    """A run file that is being written, by this process alone.

    Args:
        path: the file; begun if it does not exist.
        header: its first row. An existing file must have the same, but for :data:`CIRCUMSTANCES`.

    Attributes:
        rows: everything written so far.

    Raises:
        OtherRun: the file belongs to another plan or protocol version.
        RunBusy: another process holds it.
    """

    def __init__(self, path: Path, header: Row) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._lock = FileLock(path.with_suffix(".lock"), timeout=0)
        try:
            self._lock.acquire()
        except Timeout:
            raise RunBusy(
                f"another process is at work on {path}; wait for it, or give another --out."
            ) from None
        try:
            self.rows = read_rows(path) if path.exists() else []
            if self.rows:
                _check_same(self.rows[0], header, path)
            self._file = open(path, "ab", buffering=0)  # noqa: SIM115
        except BaseException:
            self._lock.release()
            raise
        try:
            self._file.truncate(len(_complete(path)))
            if not self.rows:
                self.write([header])
                return
            latest = [self.rows[0], *self.of("resumed")][-1]
            if any(latest.get(key) != header[key] for key in CIRCUMSTANCES):
                self.write([{"kind": "resumed", **{key: header[key] for key in CIRCUMSTANCES}}])
        except BaseException:
            self.close()
            raise

    def write(self, rows: Iterable[Row]) -> None:
        """Append rows; they are durable when this returns.

        Raises:
            RunFull: the disk took no more; none of these rows is in the file, all earlier ones are.
        """
        new = list(rows)
        text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in new).encode()
        before = os.fstat(self._file.fileno()).st_size
        try:
            view = memoryview(text)
            while view:
                view = view[self._file.write(view) :]
            os.fsync(self._file.fileno())
        except OSError as error:
            os.ftruncate(self._file.fileno(), before)
            raise RunFull(
                f"{self.path} could not be extended ({error.strerror}); its {len(self.rows)} "
                "finished rows stay. Make room and run the same command again."
            ) from error
        self.rows += new

    def of(self, kind: str) -> list[Row]:
        """All rows of one kind."""
        return [row for row in self.rows if row["kind"] == kind]

    def close(self) -> None:
        """Release the file."""
        self._file.close()
        self._lock.release()

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _complete(path: Path) -> bytes:
    """The file's bytes up to the end of its last complete line."""
    content = path.read_bytes()
    return content[: content.rfind(b"\n") + 1]


def _check_same(found: Row, wanted: Row, path: Path) -> None:
    found, stripped = ({**FORMERLY, **each} for each in (found, json.loads(json.dumps(wanted))))
    differ = [
        key
        for key in sorted(found.keys() | stripped.keys())
        if key not in CIRCUMSTANCES and found.get(key) != stripped.get(key)
    ]
    if differ:
        listed = "; ".join(f"{key}: {found.get(key)!r} ≠ {stripped.get(key)!r}" for key in differ)
        raise OtherRun(
            f"{path} was begun with another plan ({listed}). Give another --out or name, or remove "
            "the run to begin again."
        )
