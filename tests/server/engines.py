"""Editors of a tiny model, an engine on their store, and questions to it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from pathlib import Path

import tiny
from memoir.editor import Editor
from memoir.host import Host
from memoir.host.tokens import Encoded
from memoir.methods.memoir import MemoirConfig
from memoir.server.asked import Generation, Piece, Question, Sampling
from memoir.server.engine import Engine, Limits
from memoir.store import Store
from memoir.types import Edit

FACTS = [
    Edit("The CEO of Acme is", "Dana"),
    Edit("The capital of Peru is", "Oslo"),
    Edit("My favourite color:", "red"),
]
CONFIG = MemoirConfig(router="overlap", contexts="bare", threshold=0.9, max_steps=200, lr=0.5)


def tiny_host(family: str = "llama") -> Host:
    """A model that ends no text by itself: random weights would do so at random."""
    host = Host(tiny.model(family), tiny.tokenizer(), 2, name="tiny")
    host.model.generation_config.eos_token_id = None
    return host


@contextmanager
def editor_on(
    host: Host, folder: Path, config: object = CONFIG, at: str | None = None
) -> Iterator[Editor]:
    """An editor in this process; nothing else may use the model meanwhile."""
    store = Store(folder) if Store.exists(folder) else Store.create(folder)
    with Editor(host, store, config=config, at=at) as editor:
        yield editor


def taught(host: Host, folder: Path, facts: Sequence[Edit] = FACTS, **config: object) -> None:
    """A store with some facts."""
    store = Store.create(folder)
    with Editor(host, store, config=replace(CONFIG, **config)) as editor:  # type: ignore[arg-type]
        for result in editor.edit_many(facts):
            assert not isinstance(result, Exception), result


def question(
    host: Host,
    prompt: str,
    tokens: int = 12,
    state: str = "main",
    edits: bool = True,
    **sampling: object,
) -> Question:
    settings = Sampling(**{"max_tokens": tokens, "temperature": 0.0, **sampling})  # type: ignore[arg-type]
    return Question(host.encode(prompt), settings, state, edits)


@asynccontextmanager
async def engine_on(
    host: Host, folder: Path, branches: Sequence[str] = ("main",), **limits: float
) -> AsyncIterator[Engine]:
    engine = Engine(host, folder, branches, Limits(**limits))  # type: ignore[arg-type]
    try:
        yield engine
    finally:
        await engine.close(30)


async def until(true: Callable[[], bool], seconds: float = 5.0) -> None:
    """Wait for something that happens in another thread."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it did not happen"
        await asyncio.sleep(0.01)


async def pieces(generation: Generation) -> list[Piece]:
    return [piece async for piece in generation]


async def answer(engine: Engine, question: Question) -> str:
    """The whole text of an answer."""
    return "".join(piece.text for piece in await pieces(await engine.ask(question)))


async def answers(engine: Engine, questions: Sequence[Question]) -> list[str]:
    return list(await asyncio.gather(*(answer(engine, each) for each in questions)))


def greedy(host: Host, prompt: str, tokens: int) -> str:
    """What the model says by itself, as attached in this thread; nothing is stripped."""
    (ids,) = host.generate([Encoded(host.encode(prompt).prompt)], tokens)
    return host.tokenizer.decode(ids, skip_special_tokens=True)
