"""What the page asks: what it may do here, and numbers to draw."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from memoir import __version__
from memoir.server.access.callers import Caller, Role, allowed
from memoir.server.openai.errors import RESPONSES
from memoir.server.openai.models import Models
from memoir.server.settings import Settings
from memoir.server.telling.health import error_told
from memoir.server.telling.record import Record


class OpenBranch(BaseModel):
    """A branch that the caller may ask.

    Attributes:
        name: of it.
        model: the name to ask it under.
        commit: id of the commit its answers begin with now.
        edits: number of edits in force.
        threshold: score from which an edit fires; None where nothing decides.
        default: whether it answers where none is named.
        error: why it does not follow its store; None if it does.
    """

    name: str
    model: str
    commit: str
    edits: int
    threshold: float | None
    default: bool
    error: str | None


class Who(BaseModel):
    """The caller."""

    name: str
    role: Role
    branch: str | None


class Limits(BaseModel):
    """What the server takes; see :class:`memoir.server.settings.Settings`."""

    body_bytes: int
    messages: int
    prompts: int
    n: int
    max_tokens: int
    concurrency: int
    requests_per_minute: int
    timeout: float
    context_window: int | None


class Console(BaseModel):
    """What the page needs to know before anything is asked."""

    version: str
    model: str
    caller: Who
    branches: list[OpenBranch]
    limits: Limits


class Row(BaseModel):
    """An answer.

    Attributes:
        time: when it was asked for, in seconds since 1970.
        branch: whose edits were in force.
        seconds: from the question to the last piece.
        first_token_seconds: from the question to the first piece; None if none came.
        prompt_tokens, completion_tokens: of it.
        score, threshold: how well the best edit fits, and from where on it fires; None where nothing
            decides.
        fired: whether it gave the answer.
        finish: ``stop``, ``length``, or ``cancelled``.
    """

    time: float
    branch: str
    seconds: float
    first_token_seconds: float | None
    prompt_tokens: int
    completion_tokens: int
    score: float | None
    threshold: float | None
    fired: bool
    finish: str


class Stats(BaseModel):
    """The last few hundred answers, oldest first, and how busy the server is."""

    running: int
    waiting: int
    answers: list[Row]


def router(models: Models, settings: Settings, record: Record) -> APIRouter:
    """The routes."""
    routes = APIRouter(prefix="/v1", tags=["console"], responses=RESPONSES)
    engine = models.engine

    @routes.get("/console", summary="What may I do here?")
    async def console(caller: Annotated[Caller, Depends(allowed("ask"))]) -> Console:
        default = models.default(caller).name
        return Console(
            version=__version__,
            model=engine.model,
            caller=Who(name=caller.name, role=caller.role, branch=caller.branch),
            branches=[
                OpenBranch(
                    name=served.name,
                    model=models.named(served),
                    commit=served.commit,
                    edits=served.edits,
                    threshold=served.threshold,
                    default=served.name == default,
                    error=error_told(served, caller),
                )
                for served in models.open_to(caller)
            ],
            limits=Limits.model_validate(
                {**asdict(settings), "context_window": engine.texts.context_window}
            ),
        )

    @routes.get("/stats", summary="The last answers, as numbers")
    async def stats(caller: Annotated[Caller, Depends(allowed("ask"))]) -> Stats:
        load = engine.load()
        seen = [a for a in record.recent if caller.branch in (None, a.branch)]
        return Stats(
            running=load.running,
            waiting=load.waiting,
            answers=[
                Row(
                    time=answer.time,
                    branch=answer.branch,
                    seconds=answer.seconds,
                    first_token_seconds=answer.first,
                    prompt_tokens=answer.prompt_tokens,
                    completion_tokens=answer.completion_tokens,
                    score=answer.match.score if answer.match else None,
                    threshold=answer.match.threshold if answer.match else None,
                    fired=answer.match is not None and answer.match.fired,
                    finish=answer.finish,
                )
                for answer in seen
            ],
        )

    return routes
