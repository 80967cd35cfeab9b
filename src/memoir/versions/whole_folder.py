"""A new folder for others to use, written whole or not at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from memoir.errors import BadInput
from memoir.store import tensors as tensor_files


@contextmanager
def new_folder(path: Path, what: str) -> Iterator[Path]:
    """A folder to write into, which becomes ``path`` at the end of the block, if that ends well.

    Args:
        path: new or empty.
        what: is written, e.g. ``checkpoint``.

    Raises:
        BadInput: the folder holds something.
        StoreError: it could not be written; nothing is left behind.
    """
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise BadInput(f"{path} is not an empty folder; choose a new one for the {what}.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent, prefix=".writing-") as scratch:
            unfinished = Path(scratch) / path.name
            unfinished.mkdir()
            yield unfinished
            shutil.rmtree(path, ignore_errors=True)
            unfinished.rename(path)
    except OSError as error:
        raise tensor_files.explained(error, f"a {what} in {path}") from error
