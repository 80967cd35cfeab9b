"""The app around a fake engine, in this process or behind a real server."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import httpx
import uvicorn
from fastapi import FastAPI
from starlette.testclient import TestClient

from memoir.server.access import Caller

ASK, EDIT, ADMIN, TRIAL = (f"memoir-{letter * 43}" for letter in "qeat")
CALLERS = {
    ASK: Caller("reader", "ask"),
    EDIT: Caller("writer", "edit"),
    ADMIN: Caller("boss", "admin"),
    TRIAL: Caller("tester", "edit", "trial"),
}


class FakeKeys:
    """Keys by secret."""

    def __init__(self, callers: Mapping[str, Caller]) -> None:
        self.callers = callers

    def find(self, secret: str) -> Caller | None:
        return self.callers.get(secret)

    def any(self) -> bool:
        return bool(self.callers)


KEYS, NO_KEYS = FakeKeys(CALLERS), FakeKeys({})


def local(app: FastAPI, secret: str | None = None, host: str = "127.0.0.1") -> TestClient:
    """A client in this process, on this machine."""
    headers = {} if secret is None else {"Authorization": f"Bearer {secret}"}
    return TestClient(
        app,
        base_url=f"http://{host}",
        headers=headers,
        client=("127.0.0.1", 50000),
        raise_server_exceptions=False,
    )


@contextmanager
def listening(app: FastAPI) -> Iterator[str]:
    """A real server on a port of the system's choice; gives its address."""
    config = uvicorn.Config(app, "127.0.0.1", 0, log_config=None, timeout_graceful_shutdown=2)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        eventually(lambda: server.started, "the server did not start")
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


def eventually(holds: object, otherwise: str, seconds: float = 10.0) -> None:
    """Wait until something holds."""
    assert callable(holds)
    until = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < until, otherwise
        time.sleep(0.01)


def problem(response: httpx.Response) -> dict[str, str | None]:
    """The error in a response, which must have OpenAI's shape."""
    assert response.headers["content-type"] == "application/json"
    (name, error), *others = response.json().items()
    assert name == "error"
    assert not others
    assert set(error) == {"message", "type", "param", "code"}
    return error
