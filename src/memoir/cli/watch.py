"""memoir watch"""

from __future__ import annotations

import json as jsonlib
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import typer

from memoir.cli import opening, telling
from memoir.cli.output import DEFAULT_STORE, JsonOption, StoreOption, err, reporting_errors

if TYPE_CHECKING:
    from memoir.store import Row, Store
    from memoir.store.rows import Move

EXAMPLES = "Examples:  memoir watch  |  memoir watch --json"


def run(store: StoreOption = DEFAULT_STORE, json: JsonOption = False) -> None:
    """Follow the store: print each new commit and each name that moves, as it comes.

    Ends with Ctrl-C. With --json each is one object on a line of its own. Needs no model.
    """
    with reporting_errors(json), opening.folder(store) as opened:
        from memoir.versions.watch import follow

        with suppress(KeyboardInterrupt):
            news = follow(opened)
            err.print(f"following {opened.folder}; Ctrl-C ends it", markup=False, soft_wrap=True)
            for each in news:
                text = jsonlib.dumps(_plain(opened, each), ensure_ascii=False) if json else None
                typer.echo(text or _told(opened, each))


def _plain(store: Store, news: Row | Move) -> dict[str, Any]:
    from memoir.store import Row
    from memoir.versions.log import described

    if isinstance(news, Row):
        (commit,) = described(store, [news])
        return {"kind": "commit", **commit.as_dict()}
    return {"kind": "move", **vars(news)}


def _told(store: Store, news: Row | Move) -> str:
    from memoir.store import Row
    from memoir.versions.log import described

    if isinstance(news, Row):
        (commit,) = described(store, [news])
        return "\n".join(telling.block(commit))
    if news.target is None:
        return f"{news.ref} is gone ({news.why})"
    return f"{news.ref} → {_target(news)} ({news.why})"


def _target(move: Move) -> str:
    from memoir.store.rows import HEAD

    assert move.target is not None
    return move.target if move.ref == HEAD else telling.short(move.target)
