"""Around every request: its id, its line in the log, its count, and what becomes of errors."""

from __future__ import annotations

import secrets
import time

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from memoir.server.access.callers import reason
from memoir.server.openai.errors import response, trouble
from memoir.server.telling import logs
from memoir.server.telling.answered import Told
from memoir.server.telling.record import Record

LEFT = 499
"""Status in logs of a request whose client left before it was answered."""


class Watching:
    """Watches requests.

    Args:
        app: what is behind.
        record: where they are counted.
    """

    def __init__(self, app: ASGIApp, record: Record) -> None:
        self._app, self._record = app, record

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Watch one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, id = time.monotonic(), f"req_{secrets.token_hex(12)}"
        state = scope.setdefault("state", {})
        state["id"], state["told"] = id, Told()
        status: int | None = None

        async def named(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-Id"] = id
            await send(message)

        try:
            await self._app(scope, receive, named)
        except Exception as error:
            logs.tell_error("error", error, id=id)
            if status is not None:
                raise  # half an answer is out: the connection must break
            await response(trouble(id, reason(error, state.get("caller"))))(scope, receive, named)
        finally:
            self._tell(scope, LEFT if status is None else status, time.monotonic() - began)

    def _tell(self, scope: Scope, status: int, seconds: float) -> None:
        state, route = scope["state"], scope.get("route")
        told, caller = state["told"], state.get("caller")
        template = getattr(route, "path", "") or "unknown"
        self._record.metrics.requested(template, _method(scope), status, seconds)
        logs.tell(
            "request",
            id=state["id"],
            key=caller.name if caller else None,
            method=scope["method"],
            path=scope["path"],
            status=status,
            seconds=round(seconds, 4),
            prompt_tokens=told.prompt_tokens,
            completion_tokens=told.completion_tokens,
            fired=told.fired,
        )


def _method(scope: Scope) -> str:
    """The method, if it is one of HTTP's: others are up to whoever sends them."""
    known = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")
    return scope["method"] if scope["method"] in known else "other"
