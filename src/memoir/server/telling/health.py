"""What machines ask of a server: is it up, does it take questions, which version of what is it?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel

from memoir import __version__
from memoir.server.access.callers import Caller, allowed, bearer, caller_of
from memoir.server.asked import Engine, Served
from memoir.server.openai.errors import RESPONSES
from memoir.server.telling.record import Record


class BranchState(BaseModel):
    """A served branch.

    Attributes:
        name: of it.
        commit: id of the commit its answers begin with now.
        edits: number of edits in force.
        error: why it does not follow its store; None if it does.
    """

    name: str
    commit: str
    edits: int
    error: str | None


class Health(BaseModel):
    """Whether the process is up, or takes questions."""

    status: str
    branches: list[BranchState]


class Version(BaseModel):
    """What is served.

    Attributes:
        version: of memoir.
        model: how it is called.
        branches: of its edits, the default one first.
    """

    version: str
    model: str
    branches: list[BranchState]


def error_told(served: Served, caller: Caller | None) -> str | None:
    """Why a branch does not follow its store, as a caller is told it: what the store or the model says
    may name places on the server's disk, which is for administrators."""
    if served.error is None or (caller is not None and caller.may("admin")):
        return served.error
    return "it does not follow its store; administrators of the server are told why."


def router(engine: Engine, record: Record, draining: Callable[[], bool]) -> APIRouter:
    """The routes.

    Args:
        engine: what is served.
        record: what Prometheus reads.
        draining: whether the server takes no more questions, since it is about to end.
    """
    routes = APIRouter(tags=["health"])

    def branches(request: Request) -> list[BranchState]:
        caller = caller_of(request)
        return [
            BranchState(name=s.name, commit=s.commit, edits=s.edits, error=error_told(s, caller))
            for s in engine.served()
        ]

    @routes.get("/health", summary="Is the process up?")
    async def health(request: Request) -> Health:
        return Health(status="ok", branches=branches(request))

    @routes.get(
        "/ready",
        summary="Does it take questions?",
        responses={503: {"model": Health, "description": "Not now."}},
    )
    async def ready(request: Request, response: Response) -> Health:
        found = branches(request)
        # A server that only answers with what was is best asked no more; /health lets it live.
        takes = any(branch.error is None for branch in found) and not draining()
        response.status_code = 200 if takes else 503
        return Health(status="ready" if takes else "not ready", branches=found)

    @routes.get("/version", summary="Which version of what is it?")
    async def version(request: Request) -> Version:
        return Version(version=__version__, model=engine.model, branches=branches(request))

    @routes.get(
        "/metrics",
        summary="Numbers for Prometheus",
        response_class=Response,
        responses={200: {"content": {"text/plain": {}}}, **RESPONSES},
        dependencies=[Depends(bearer)],
    )
    async def metrics(_caller: Annotated[Caller, Depends(allowed("admin"))]) -> Response:
        return Response(generate_latest(record.registry), media_type=CONTENT_TYPE_LATEST)

    return routes
