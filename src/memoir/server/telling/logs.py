"""Logs as one JSON object a line.

What is asked and answered is never logged, nor a key: an unexpected error is told by its kind and by
the lines it passed, since its message may quote what it was given.
"""

from __future__ import annotations

import json
import logging
import queue
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from typing import Any, TextIO

from memoir.errors import MemoirError

KEPT = 10_000
"""Lines that may wait to be written."""
PATIENCE = 1.0
"""Seconds that closing waits for them."""

LOGGER, UVICORN = logging.getLogger("memoir.server"), logging.getLogger("uvicorn.error")


class JsonLines(logging.Formatter):
    """Formats records, with what they carry as ``extra={"told": {…}}``."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        time = datetime.fromtimestamp(record.created, timezone.utc)
        line: dict[str, Any] = {
            "time": time.isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
            **getattr(record, "told", {}),
        }
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            line["error"] = type(error).__name__
            line["lines"] = [
                f"{frame.filename}:{frame.lineno} {frame.name}"
                for frame in traceback.extract_tb(error.__traceback__)
            ]
        if isinstance(error, MemoirError):  # says what is wrong with a store or a model
            line["message"] = str(error)
        return json.dumps(line, default=str)


class _Queued(logging.Handler):
    """Leaves writing to another thread: a reader that is slow, or stopped reading, holds up nobody who
    asks. What is more than :data:`KEPT` is lost."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self.setFormatter(JsonLines())
        self._stream = stream
        self._lines: queue.Queue[str | None] = queue.Queue(KEPT)
        self._thread = threading.Thread(target=self._write, name="memoir-log", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        with suppress(queue.Full):
            self._lines.put_nowait(self.format(record))

    def close(self) -> None:
        with suppress(queue.Full):
            self._lines.put_nowait(None)
        self._thread.join(PATIENCE)
        super().close()

    def _write(self) -> None:
        for line in iter(self._lines.get, None):
            with suppress(OSError, ValueError):  # nobody is there any more
                self._stream.write(line + "\n")
                self._stream.flush()


@contextmanager
def written_to(stream: TextIO, level: int = logging.INFO) -> Iterator[None]:
    """Log to a stream, and nowhere else: the server's lines, and what others have to say meanwhile.
    Nobody else may write to a stream that may not be read: he would wait for ever."""
    handler = _Queued(stream)
    # The root, and those that may pass nothing on to it.
    ends = [logging.getLogger(name) for name in (None, "transformers", "uvicorn")]
    before = [(each, each.handlers[:], each.propagate) for each in ends]
    levels = [(each, each.level) for each in (LOGGER, UVICORN)]
    for end in ends:
        end.handlers, end.propagate = [handler], False
    for logger, _ in levels:
        logger.setLevel(level)
    logging.captureWarnings(True)
    try:
        yield
    finally:
        logging.captureWarnings(False)
        for end, handlers, propagate in before:
            end.handlers, end.propagate = handlers, propagate
        for logger, old in levels:
            logger.setLevel(old)
        handler.close()


def tell(event: str, **told: Any) -> None:
    """Log something that happened."""
    LOGGER.info(event, extra={"told": told})


def tell_error(event: str, error: BaseException, **told: Any) -> None:
    """Log something that must not happen."""
    LOGGER.error(event, exc_info=error, extra={"told": told})
