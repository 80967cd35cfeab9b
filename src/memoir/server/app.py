"""The server as one app: what is asked, who may, and what is told of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from fastapi import APIRouter, Depends, FastAPI
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware

from memoir import __version__
from memoir.server import page_files
from memoir.server.access.callers import bearer
from memoir.server.access.gate import Gate
from memoir.server.access.headers import SecurityHeaders
from memoir.server.access.keys import Keys
from memoir.server.asked import Engine
from memoir.server.openai import chat, completions, errors, models
from memoir.server.openai.models import Models
from memoir.server.openai.responding import Service
from memoir.server.openai.verdicts import HEADER
from memoir.server.settings import Settings
from memoir.server.telling import console, health
from memoir.server.telling.record import Record
from memoir.server.telling.watching import Watching

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def create_app(
    engine: Engine,
    *,
    keys: Keys,
    settings: Settings | None = None,
    routers: Sequence[APIRouter] = (),
    page: Path | None = None,
    lifespan: Lifespan | None = None,
    draining: Callable[[], bool] = lambda: False,
) -> FastAPI:
    """The app.

    Args:
        engine: answers questions; the first branch it serves is the default one.
        keys: whom the server knows. While there are none, it answers its own machine only.
        settings: limits.
        routers: more routes, whose errors and callers are handled in the same way.
        page: folder of the page, as it was built; None for no page.
        lifespan: begins and ends with the server.
        draining: whether the server takes no more questions, since it is about to end.
    """
    settings = settings or Settings()
    record, names = Record(engine), Models(engine)
    service = Service(engine, names, settings, record)
    app = FastAPI(
        title="memoir",
        version=__version__,
        summary="A language model with edits, asked as OpenAI's are",
        docs_url=None,  # they would load scripts from elsewhere
        redoc_url=None,
        openapi_url="/openapi.json" if settings.docs else None,
        lifespan=lifespan,
        middleware=_around(keys, settings, record),
    )
    errors.handle(app)
    asked = (
        models.router(names),
        completions.router(service),
        chat.router(service),
        console.router(names, settings, record),
    )
    for routes in (*asked, *routers):
        app.include_router(routes, dependencies=[Depends(bearer)])
    app.include_router(health.router(engine, record, draining))
    if page is not None:
        page_files.mount(app, page)
    return app


def _around(keys: Keys, settings: Settings, record: Record) -> list[Middleware]:
    """What every request passes, from the outside in."""
    cors = Middleware(
        CORSMiddleware,
        allow_origins=settings.cors_origins,
        allow_methods=["GET", "POST", "DELETE"],
        allow_headers=["Authorization", "Content-Type", "Idempotency-Key", "Last-Event-ID"],
        expose_headers=["X-Request-Id", "Retry-After", HEADER],
    )
    return [
        Middleware(Watching, record=record),
        Middleware(SecurityHeaders),
        *([cors] if settings.cors_origins else []),
        Middleware(Gate, keys=keys, settings=settings),
    ]
