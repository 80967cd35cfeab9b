"""Errors in OpenAI's words: ``{"error": {"message", "type", "param", "code"}}``, with a status."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from math import ceil
from typing import Any, NamedTuple

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from memoir.errors import (
    BadInput,
    CheckFailed,
    EditRefused,
    MemoirError,
    MergeConflict,
    NotServable,
    Objected,
    PromptTooLong,
    ServerBusy,
    StoreBusy,
    StoreFull,
    UnknownName,
)

INVALID = "invalid_request_error"


class Problem(BaseModel):
    """What went wrong.

    Attributes:
        message: for people.
        type: the kind, in OpenAI's words.
        param: the field it is about.
        code: for programs.
    """

    message: str
    type: str
    param: str | None
    code: str | None


class ErrorBody(BaseModel):
    """The body of every error."""

    error: Problem


RESPONSES: dict[int | str, dict[str, Any]] = {
    "4XX": {"model": ErrorBody, "description": "The request is refused."},
    "5XX": {"model": ErrorBody, "description": "The server could not answer."},
}
"""For the description of a route."""


class Refusal(MemoirError):
    """A request that is not carried out, for a reason that HTTP has a status for.

    Args:
        status: of the response.
        message, type, param, code: as in :class:`Problem`.
        headers: of the response.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        type: str = INVALID,
        param: str | None = None,
        code: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status, self.type, self.param, self.code = status, type, param, code
        self.headers = dict(headers or {})


class _Meaning(NamedTuple):
    """What an error is over HTTP."""

    status: int
    type: str
    code: str | None = None


MEANINGS: dict[type[MemoirError], _Meaning] = {  # the first that fits
    PromptTooLong: _Meaning(400, INVALID, "context_length_exceeded"),
    BadInput: _Meaning(400, INVALID),
    UnknownName: _Meaning(404, INVALID, "not_found"),
    NotServable: _Meaning(400, INVALID, "not_servable"),
    Objected: _Meaning(409, INVALID, "objected"),
    MergeConflict: _Meaning(409, INVALID, "merge_conflict"),
    CheckFailed: _Meaning(422, INVALID, "check_failed"),
    EditRefused: _Meaning(422, INVALID, "edit_refused"),
    ServerBusy: _Meaning(429, "rate_limit_error", "server_busy"),
    StoreBusy: _Meaning(503, "server_error", "store_busy"),
    StoreFull: _Meaning(507, "server_error", "store_full"),
}
"""All others are the server's own trouble: 500, and told in its log, and to administrators."""


_LOG = re.compile(r"(see: )memoir log( --[a-z]+)?(\.?)$", re.IGNORECASE)
"""How the store's words end where they name the verb that lists what there is."""


def body(
    message: str, type: str = INVALID, param: str | None = None, code: str | None = None
) -> dict[str, Any]:
    """The body of an error."""
    return {"error": {"message": message, "type": type, "param": param, "code": code}}


def refusal(error: MemoirError) -> Refusal | None:
    """An error as a client is told it; None if it is told no more than that there is one."""
    if isinstance(error, Refusal):
        return error
    for kind, (status, type, code) in MEANINGS.items():
        if isinstance(error, kind):
            wait = error.retry_after if isinstance(error, ServerBusy) else 1.0
            again = {"Retry-After": str(max(1, ceil(wait)))} if status in (429, 503) else {}
            message = _LOG.sub(r"\1GET /v1/log\3", str(error))
            return Refusal(status, message, type=type, code=code, headers=again)
    return None


def trouble(request_id: str, reason: str | None) -> Refusal:
    """What a client is told of an error that is not its own.

    Args:
        request_id: under which the log tells of it.
        reason: what went wrong, if this client may know; see
            :func:`memoir.server.access.callers.reason`.
    """
    if reason is None:
        message = (
            f"the server could not answer; its log tells why under the request's id {request_id}."
        )
    else:
        message = f"{reason} (in the server's log under the request's id {request_id})"
    return Refusal(
        500,
        message,
        type="server_error",
        code="internal_error",
    )


def response(refused: Refusal) -> Response:
    """The response to a request that was refused. Characters beyond ASCII are escaped, so whatever a
    client sent can be told."""
    content = json.dumps(body(str(refused), refused.type, refused.param, refused.code))
    return Response(content, refused.status, refused.headers, "application/json")


def handle(app: FastAPI) -> None:
    """Let an app answer all errors in this way."""
    app.add_exception_handler(MemoirError, _memoir)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http)


async def _memoir(_request: Request, error: Exception) -> Response:
    assert isinstance(error, MemoirError)
    told = refusal(error)
    if told is None:
        raise error  # logged, and answered, further out
    return response(told)


async def _http(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    message = str(error.detail)
    if error.status_code == 404:
        message = f"there is nothing at {request.url.path}."
    if error.status_code == 405:
        message = f"{request.url.path} does not take {request.method}."
    return response(Refusal(error.status_code, message, headers=error.headers))


async def _invalid(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    found: dict[str | None, list[str]] = {}
    for each in error.errors():
        if each["type"] == "json_invalid":
            return response(Refusal(400, f"the body is no JSON: {each['ctx']['error']}."))
        wanted = each["msg"].replace("Input should", "it should")
        found.setdefault(_param(each["loc"], error.body), []).append(wanted)
    # Of a field with alternatives, the one that went furthest is the one that was meant.
    param, reasons = max(found.items(), key=lambda item: len(re.findall(r"[.\[]", item[0] or "")))
    why = "; or ".join(dict.fromkeys(reasons))
    return response(Refusal(400, f"{param or 'the request'} cannot be used: {why}.", param=param))


def _param(location: Sequence[int | str], given: Any) -> str | None:
    """The field that an error is about, as ``messages[0].content``; None for the request itself.

    A location also names the alternatives of a field, which are no fields: only what leads into the
    body counts, and one name more where that field is missing.
    """
    where, *path = location
    if where != "body":
        return str(path[0]) if path else None
    param = ""
    for number, part in enumerate(path, start=1):
        if isinstance(given, dict):
            if part not in given and number < len(path):
                continue
            param += f".{part}"
            if part not in given:
                break
        elif isinstance(given, list) and isinstance(part, int):
            param += f"[{part}]"
        else:
            continue
        given = given[part]
    return param.removeprefix(".") or None
