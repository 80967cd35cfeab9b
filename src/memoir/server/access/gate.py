"""The gate every request passes: who asks, may it work here, and how much does it send?"""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

import anyio
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from memoir.server.access.callers import LOCAL, Caller, unknown
from memoir.server.access.characters import refuse_half_characters
from memoir.server.access.keys import Keys
from memoir.server.access.rates import Rates
from memoir.server.openai.errors import Refusal, response
from memoir.server.settings import Settings

LOOKING = ("GET", "HEAD", "OPTIONS")
"""Methods that make no work."""

GUARDED = "/v1/"
"""Whoever has no key may only look, and at nothing below this."""


class Gate:
    """Finds the caller, and lets no request in that is too large or one too many.

    While there is no key, only this machine may ask, and only under a name of its own: a page on the
    internet must not reach the server through a visitor's browser, be it by a name that leads here
    (DNS rebinding) or by a form it sends.

    Args:
        app: what is behind.
        keys: whom we know.
        settings: limits.
    """

    def __init__(self, app: ASGIApp, keys: Keys, settings: Settings) -> None:
        self._app, self._keys, self._settings = app, keys, settings
        self._rates = Rates(settings.requests_per_minute, settings.concurrency)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, or answer it here."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        try:
            caller = await anyio.to_thread.run_sync(self._caller, scope, headers)
            scope.setdefault("state", {})["caller"] = caller
            looking = scope["method"] in LOOKING
            if looking and (caller or not scope["path"].startswith(GUARDED)):
                await self._app(scope, receive, send)
            elif caller is None:
                raise unknown()  # before anything that it sends is read
            elif caller is LOCAL:
                await self._app(scope, await self._read(headers, receive), send)
            else:
                with self._rates.working(caller.name):
                    await self._app(scope, await self._read(headers, receive), send)
        except Refusal as refused:
            await response(refused)(scope, receive, send)

    def _caller(self, scope: Scope, headers: Headers) -> Caller | None:
        if not self._keys.any():
            self._must_be_local(scope, headers)
            return LOCAL
        scheme, _, secret = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not secret.strip():
            return None
        return self._keys.find(secret.strip())

    def _must_be_local(self, scope: Scope, headers: Headers) -> None:
        client = scope.get("client") or ("",)
        origin = headers.get("origin")
        known = origin in (None, *self._settings.cors_origins) or _loopback(_host(origin))
        if not (known and _loopback(client[0]) and _loopback(_host(f"//{headers.get('host')}"))):
            raise Refusal(
                403,
                "this server has no API key, so it answers its own machine only, called 127.0.0.1, "
                "[::1] or localhost. For others make a key with: memoir keys add NAME",
                type="permission_error",
                code="local_only",
            )

    async def _read(self, headers: Headers, receive: Receive) -> Receive:
        """The same messages, with the whole body in the first one."""
        limit = self._settings.body_bytes
        told = headers.get("content-length", "")
        if told.isdecimal() and (len(told) > 18 or int(told) > limit):
            raise _too_large(limit)
        content = bytearray()
        first: Message | None = None
        with anyio.move_on_after(self._settings.timeout) as waiting:
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    first = message  # the client left
                    break
                content += message.get("body", b"")
                if len(content) > limit:
                    raise _too_large(limit)
                if not message.get("more_body"):
                    refuse_half_characters(content)
                    first = {"type": "http.request", "body": bytes(content), "more_body": False}
                    break
        if waiting.cancelled_caught or first is None:
            raise Refusal(
                408,
                f"the body did not come within {self._settings.timeout:g} s.",
                type="timeout_error",
                code="timeout",
            )
        kept = [first]

        async def replayed() -> Message:
            return kept.pop() if kept else await receive()

        return replayed


def _host(address: str | None) -> str:
    try:
        return urlsplit(address or "").hostname or ""
    except ValueError:  # brackets that hold no address
        return ""


def _loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _too_large(limit: int) -> Refusal:
    return Refusal(
        413,
        f"the body is larger than the {limit} bytes that this server takes; send less at once.",
        code="body_too_large",
        headers={"Connection": "close"},
    )
