"""What happens to every request for answers, in whichever form it comes."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from fastapi import Request, Response
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from memoir.errors import MemoirError
from memoir.host.tokens import Encoded
from memoir.server.access.callers import Caller, caller_of, reason
from memoir.server.asked import Engine, Piece, Question, Sampling
from memoir.server.openai import errors
from memoir.server.openai.answers import Answers, Whole, begin, while_there
from memoir.server.openai.errors import Refusal
from memoir.server.openai.fields import Asked
from memoir.server.openai.models import Models
from memoir.server.openai.verdicts import header, permit, verdict
from memoir.server.settings import Settings
from memoir.server.telling import logs
from memoir.server.telling.record import Record
from memoir.store.rows import short

Fields = dict[str, Any]


class Form(Protocol):
    """How one of OpenAI's interfaces words answers.

    Attributes:
        prefix: of ids.
        object, chunk: names of a whole response, and of a piece of a stream.
    """

    prefix: str
    object: str
    chunk: str

    def opening(self, index: int) -> Fields | None:
        """What a stream says of an answer before its first piece."""

    def piece(self, index: int, piece: Piece) -> Fields:
        """A piece of an answer."""

    def whole(self, index: int, answer: Whole) -> Fields:
        """An answer at its end."""


@dataclass(frozen=True)
class Service:
    """What all requests share.

    Attributes:
        engine: answers them.
        models: the names of what it serves.
        settings: limits.
        record: remembers answers.
    """

    engine: Engine
    models: Models
    settings: Settings
    record: Record


class EventStream(StreamingResponse):
    """Server-sent events; however it ends, what it was made from is closed."""

    def __init__(self, events: AsyncIterator[str], close: Callable[[], None]) -> None:
        super().__init__(events, media_type="text/event-stream")
        self.headers["X-Accel-Buffering"] = "no"  # proxies shall pass pieces on
        self._close = close

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send them."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._close()


async def answer(
    service: Service,
    request: Request,
    caller: Caller,
    asked: Asked,
    prompts: Sequence[tuple[Encoded, Sampling]],
    form: Form,
    several: bool = False,
) -> Response:
    """Answer prompts, at once or as a stream.

    Args:
        service: what all requests share.
        request, caller, asked: this one.
        prompts: what is answered, and how.
        form: words the answers.
        several: whether prompts came as a list, so that verdicts go as one.

    Raises:
        Refusal: it is not carried out.
        ServerBusy: too many questions wait already.
    """
    served = service.models.find(asked.model, caller)
    permit(asked, caller)
    each = asked.n or 1
    if each > service.settings.n:
        raise Refusal(
            400,
            f"n is {each}, but this server gives at most {service.settings.n} answers.",
            param="n",
        )
    questions = [
        Question(prompt, _seeded(sampling, i), served.name, asked.edits)
        for prompt, sampling in prompts
        for i in range(each)
    ]
    answers = await begin(
        service.engine,
        questions,
        each,
        service.settings.timeout,
        service.record,
        request.state.told,
    )
    head = {
        "id": f"{form.prefix}-{secrets.token_hex(12)}",
        "created": int(time.time()),
        "model": asked.model or service.engine.model,
        "system_fingerprint": short(answers.generations[0].commit),
    }
    if asked.stream:
        return await _streamed(request, asked, answers, form, head)
    try:
        whole = await while_there(request, answers.whole())
        choices = [form.whole(i, one) for i, one in enumerate(whole)]
        content = {**head, "object": form.object, "choices": choices, "usage": answers.usage()}
        headers = {}
        if asked.explain:
            firsts = range(0, len(whole), each)
            verdicts = [verdict(served.name, answers.generations[i]) for i in firsts]
            content["memoir"] = verdicts if several else verdicts[0]
            headers = header(verdicts)
        return Response(_json(content), headers=headers, media_type="application/json")
    finally:
        answers.close()


async def _streamed(
    request: Request, asked: Asked, answers: Answers, form: Form, head: Fields
) -> Response:
    """A stream, begun with the first piece: until then, what goes wrong still has a status."""
    pieces = answers.pieces()
    try:
        first = await while_there(request, anext(pieces))
    except BaseException:
        answers.close()
        raise
    events = _events(request, asked, answers, first, pieces, form, head)
    return EventStream(events, answers.close)


async def _events(
    request: Request,
    asked: Asked,
    answers: Answers,
    first: tuple[int, Piece],
    pieces: AsyncIterator[tuple[int, Piece]],
    form: Form,
    head: Fields,
) -> AsyncIterator[str]:
    head = {**head, "object": form.chunk, **({"usage": None} if asked.counted else {})}
    for i in range(len(answers.generations)):
        opening = form.opening(i)
        if opening is not None:
            yield _event({**head, "choices": [opening]})
    try:
        async for i, piece in _with(first, pieces):
            chunk = {**head, "choices": [form.piece(i, piece)]}
            if piece.finish is not None and asked.explain:
                chunk["memoir"] = verdict(answers.questions[i].state, answers.generations[i])
            yield _event(chunk)
    except Exception as error:
        yield _event(_told(request, error))
        return
    if asked.counted:
        yield _event({**head, "choices": [], "usage": answers.usage()})
    yield "data: [DONE]\n\n"


async def _with(
    first: tuple[int, Piece], rest: AsyncIterator[tuple[int, Piece]]
) -> AsyncIterator[tuple[int, Piece]]:
    yield first
    async for each in rest:
        yield each


def _told(request: Request, error: Exception) -> Fields:
    """What a client is told of an error in the middle of a stream."""
    refused = errors.refusal(error) if isinstance(error, MemoirError) else None
    if refused is None:
        logs.tell_error("error", error, id=request.state.id)
        refused = errors.trouble(request.state.id, reason(error, caller_of(request)))
    return errors.body(str(refused), refused.type, refused.param, refused.code)


def _seeded(sampling: Sampling, i: int) -> Sampling:
    return sampling if sampling.seed is None else replace(sampling, seed=sampling.seed + i)


def _event(content: Fields) -> str:
    return f"data: {_json(content)}\n\n"


def _json(content: Fields) -> str:
    return json.dumps(content, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
