"""Opening an editor from the command line, with a word on what takes the time."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import TYPE_CHECKING

from memoir.cli.output import err
from memoir.errors import MissingExtra, NotAStore

if TYPE_CHECKING:
    from memoir.editor import Editor
    from memoir.store import Store


@contextmanager
def existing(
    store: str, model: str | None, dtype: str, device_map: str | None, at: str | None = None
) -> Iterator[Editor]:
    """The editor of a store that exists, at the branch in use or at another commit."""
    from memoir.store import Store
    from memoir.store.address import located

    if not Store.exists(store):
        place = located(store)  # as it may be shown
        raise NotAStore(
            f"{place} holds no memoir store. Make one with: memoir init --store {place}"
        )
    with err.status("loading the model"):
        from memoir.editor import Editor

        editor = Editor.open(model, store, dtype=dtype, device_map=device_map, at=at)
    with editor:
        from memoir.versions import gate

        gate.install(editor)
        yield editor


def check_serving() -> None:
    """Find out whether what serving needs is installed.

    Raises:
        MissingExtra: it is not.
    """
    if any(
        find_spec(name) is None
        for name in ("fastapi", "prometheus_client", "sse_starlette", "uvicorn")
    ):
        raise MissingExtra(
            "serving needs FastAPI and uvicorn; install them with: pip install 'memoir-edit[serve]'"
        )


@contextmanager
def folder(place: str) -> Iterator[Store]:
    """A store that exists, without its model."""
    from memoir.store import Store

    store = Store(place)
    try:
        yield store
    finally:
        store.close()
