"""What the unedited model said, kept on disk: it never changes, and every run asks the same."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path

from memoir.errors import RunDamaged, RunFull
from memoir.metrics.base import Ask, Say
from memoir.types import Answer, Score


class UneditedCache:
    """Answers of one model to questions asked without edits.

    Args:
        path: an SQLite file, made if it does not exist; processes may share it.
        identity: what distinguishes this model from others, see :meth:`memoir.host.Host.identity`.
    """

    def __init__(self, path: Path, identity: Mapping[str, str]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._model = f"{identity['hash']}/{identity['dtype']}"
        self._db = sqlite3.connect(path, timeout=60, isolation_level=None)
        with self._explaining():
            # Not in WAL mode: switching to it fails when several processes open a new file at once.
            self._db.execute("CREATE TABLE IF NOT EXISTS said (key TEXT PRIMARY KEY, answer TEXT)")

    def close(self) -> None:
        """Release the file."""
        self._db.close()

    def get(self, ask: Ask) -> Answer | Score | None:
        """The answer to a question, if it was asked before."""
        with self._explaining():
            found = self._db.execute("SELECT answer FROM said WHERE key = ?", [self._key(ask)])
            row = found.fetchone()
        if row is None:
            return None
        values = json.loads(row[0])
        if isinstance(ask, Say):
            return Answer(values["text"])
        return Score(tuple(values["correct"]), tuple(values["predicted"]), values["loss"])

    def put(self, answers: Iterable[tuple[Ask, Answer | Score]]) -> None:
        """Keep answers, all of them or none.

        Raises:
            RunFull: the disk took no more.
        """
        rows = [(self._key(ask), json.dumps(_plain(answer))) for ask, answer in answers]
        with self._explaining():
            self._db.execute("BEGIN IMMEDIATE")
            self._db.executemany("INSERT OR REPLACE INTO said VALUES (?, ?)", rows)
            self._db.execute("COMMIT")

    @contextmanager
    def _explaining(self) -> Iterator[None]:
        """Turn SQLite's errors into ours, and take back what was half done."""
        try:
            yield
        except sqlite3.DatabaseError as error:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            if isinstance(error, sqlite3.OperationalError):
                raise RunFull(
                    f"{self._path} could not be extended ({error}); finished rows of the run stay. "
                    "Make room and run the same command again."
                ) from error
            raise RunDamaged(
                f"{self._path} cannot be read ({error}). Remove it: what it held will be asked again."
            ) from error

    def _key(self, ask: Ask) -> str:
        fields = asdict(ask)
        for comment in ("about", "want"):  # do not change what is said
            fields.pop(comment, None)
        text = json.dumps([self._model, type(ask).__name__, fields], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()


def _plain(answer: Answer | Score) -> dict[str, object]:
    if isinstance(answer, Answer):
        return {"text": answer.text}
    return asdict(answer)
