"""A desk on a tiny model, its routes as an app, and an engine that stands in for the real one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx

import tiny
from memoir.editor import Editor
from memoir.host import Host
from memoir.host.twin import twin
from memoir.methods.memoir import MemoirConfig
from memoir.server.access import Caller, Keys
from memoir.server.app import create_app
from memoir.server.asked import Load, Piece, Question, Served
from memoir.server.desk import Desk, Limits
from memoir.server.editing import routers
from memoir.store import Store
from memoir.types import Match

T = TypeVar("T")
QUICK = MemoirConfig(
    router="overlap", contexts="bare", max_steps=3, lr=0.5, threshold=0.9, accept_unsaid=True
)
"""Edits of some milliseconds; whatever is taught is accepted."""

CALLERS = {
    "asker": Caller("asker", "ask"),
    "ann": Caller("ann", "edit"),
    "bea": Caller("bea", "edit", "work"),
}


class NoKeys:
    """A store without keys: everybody here is an administrator."""

    def find(self, secret: str) -> Caller | None:
        return None

    def any(self) -> bool:
        return False


class SomeKeys:
    """Keys whose secrets are their names."""

    def find(self, secret: str) -> Caller | None:
        return CALLERS.get(secret)

    def any(self) -> bool:
        return True


def by(name: str) -> dict[str, str]:
    """The header of a caller."""
    return {"Authorization": f"Bearer {name}"}


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run to the end, but not for ever."""

    async def timed() -> T:
        return await asyncio.wait_for(coroutine, 120)

    return asyncio.run(timed())


class Said:
    """A whole answer."""

    def __init__(self, commit: str, match: Match | None) -> None:
        self.commit, self.match = commit, match
        self.prompt_tokens = self.completion_tokens = 1

    async def __aiter__(self) -> AsyncIterator[Piece]:
        yield Piece("x", finish="length")

    def cancel(self) -> None:
        """Nothing is under way."""


class StandIn:
    """An engine that follows the store when it is asked to, and answers one question at a time."""

    model = "tiny"

    def __init__(self, host: Host, place: Path, branches: Sequence[str]) -> None:
        self.texts = host
        self._editors = {name: Editor(twin(host), Store(place), at=name) for name in branches}
        self.behind = False
        """Whether it never reaches anything."""

    async def ask(self, question: Question) -> Said:
        editor = self._editors[question.state]
        others = [each for name, each in self._editors.items() if name != question.state]
        assert all(each.host.model is not editor.host.model for each in others)
        with editor.method.attachment.scope() as scope:
            editor.host.generate([question.prompt], question.sampling.max_tokens)
        return Said(editor.at, editor.method.verdicts(scope.route)[0])

    def served(self) -> Sequence[Served]:
        return [
            Served(name, each.at, len(each), each.method.config.threshold)
            for name, each in self._editors.items()
        ]

    async def reached(self, state: str, commit: str) -> None:
        while self.behind:
            await asyncio.sleep(0.01)
        editor = self._editors[state]
        editor.refresh()
        assert commit in editor.store.history.ancestors(editor.at)

    def load(self) -> Load:
        return Load(0, 0)

    async def close(self, patience: float) -> None:
        for each in self._editors.values():
            each.close()


@dataclass
class Here:
    """What is served in a test."""

    desk: Desk
    engine: StandIn
    client: httpx.AsyncClient
    closed: bool = False


def opened(place: Path, config: MemoirConfig = QUICK, branches: Sequence[str] = ()) -> Host:
    """A store with branches, made if it is not there, and its model with nothing attached."""
    host = Host(tiny.model("llama"), tiny.tokenizer(), 2, name="tiny")
    store = Store(place) if Store.exists(place) else Store.create(place)
    editor = Editor(host, store, config=config)
    for name in branches:
        if name not in store.history.branches:
            store.move(f"branch/{name}", store.history.tip(), "branch")
    editor.close()
    return host


@asynccontextmanager
async def served(
    place: Path,
    config: MemoirConfig = QUICK,
    branches: Sequence[str] = ("main",),
    limits: Limits | None = None,
    keys: Keys | None = None,
) -> AsyncIterator[Here]:
    """A desk with its routes in the real app, on a store that is made if it is not there."""
    host = opened(place, config, branches)
    engine = StandIn(twin(host), place, branches)
    desk = Desk(host, place, branches, engine, limits)
    app = create_app(engine, keys=keys or NoKeys(), routers=routers(desk, engine))
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://127.0.0.1", timeout=60
    ) as client:
        here = Here(desk, engine, client)
        try:
            yield here
        finally:
            engine.behind = False
            if not here.closed:
                await desk.close(60)
            await engine.close(0)


def events(text: str) -> list[tuple[str, dict[str, Any]]]:
    """Kinds and contents of server-sent events."""
    found = []
    for block in text.replace("\r\n", "\n").strip().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in block.split("\n") if ": " in line)
        if "event" in fields:
            found.append((fields["event"], json.loads(fields["data"])))
    return found
