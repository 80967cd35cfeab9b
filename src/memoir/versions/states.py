"""The same model at another state of its store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from memoir.editor import Editor


@contextmanager
def at_state(editor: Editor, name: str) -> Iterator[Editor]:
    """An editor of another branch, tag or commit, on the same model and store, for as long as the
    block lasts; the edits of the one that is given are out of force meanwhile.

    Raises:
        UnknownName: no such state.
    """
    editor.store.history.resolve(name)
    with editor.method.attachment.paused():
        then = Editor(editor.host, editor.store, at=name)
        try:
            yield then
        finally:
            then.method.close()
