"""What machines ask of a server: is it up, does it take questions, which version of what is it?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel

from memoir import __version__
from memoir.server.access.callers import Caller, allowed, bearer
from memoir.server.asked import Engine
from memoir.server.openai.errors import RESPONSES
from memoir.server.telling.record import Record


class BranchState(BaseModel):
    """A served branch.

    Attributes:
        name: of it.
        commit: id of the commit its answers begin with now.
        edits: number of edits in force.
    """

    name: str
    commit: str
    edits: int


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


def router(engine: Engine, record: Record, draining: Callable[[], bool]) -> APIRouter:
    """The routes.

    Args:
        engine: what is served.
        record: what Prometheus reads.
        draining: whether the server takes no more questions, since it is about to end.
    """
    routes = APIRouter(tags=["health"])

    def branches() -> list[BranchState]:
        return [BranchState(name=s.name, commit=s.commit, edits=s.edits) for s in engine.served()]

    @routes.get("/health", summary="Is the process up?")
    async def health() -> Health:
        return Health(status="ok", branches=branches())

    @routes.get(
        "/ready",
        summary="Does it take questions?",
        responses={503: {"model": Health, "description": "Not now."}},
    )
    async def ready(response: Response) -> Health:
        found = branches()
        takes = bool(found) and not draining()
        response.status_code = 200 if takes else 503
        return Health(status="ready" if takes else "not ready", branches=found)

    @routes.get("/version", summary="Which version of what is it?")
    async def version() -> Version:
        return Version(version=__version__, model=engine.model, branches=branches())

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
