"""``/v1/chat/completions``"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any, ClassVar, Literal

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field

from memoir.server.access.callers import Caller, allowed
from memoir.server.asked import Piece
from memoir.server.openai.answers import Whole
from memoir.server.openai.errors import RESPONSES, Refusal
from memoir.server.openai.fields import IGNORED, REFUSED, Asked, Given, Integer
from memoir.server.openai.logprobs import ChatLogprobs, of_chat
from memoir.server.openai.prompts import answer_tokens, encoded
from memoir.server.openai.responding import Service, answer
from memoir.server.openai.usage import Usage
from memoir.server.openai.verdicts import Verdict

PATH = "/v1/chat/completions"


class TextPart(Given):
    """A part of a message; only text is understood."""

    type: Literal["text"]
    text: str


class Message(Given):
    """A message of a conversation.

    Attributes:
        role: who says it; a developer speaks as the system.
        content: what is said, in one piece or in parts.
    """

    ignored = frozenset({"annotations", "name"})
    refused: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        "audio": (),
        "function_call": (),
        "refusal": (),
        "tool_call_id": (),
        "tool_calls": ([],),
    }

    role: Literal["system", "developer", "user", "assistant"]
    content: str | Annotated[list[TextPart], Field(min_length=1)]

    def plain(self) -> dict[str, str]:
        """The message as chat templates take it."""
        said = self.content
        text = said if isinstance(said, str) else "".join(part.text for part in said)
        return {"role": "system" if self.role == "developer" else self.role, "content": text}


class ChatRequest(Asked):
    """A conversation to be gone on with.

    Attributes:
        messages: the conversation.
        max_completion_tokens: of an answer; the same as ``max_tokens``.
        logprobs: whether log-probabilities are told.
        top_logprobs: of how many of the likeliest tokens beside the chosen one.
    """

    ignored = IGNORED
    refused: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        **REFUSED,
        "audio": (),
        "function_call": ("none",),
        "functions": ([],),
        "modalities": (["text"],),
        "moderation": (),
        "reasoning_effort": ("none",),
        "response_format": ({"type": "text"},),
        "tool_choice": ("none", "auto"),
        "tools": ([],),
        "verbosity": ("medium",),
        "web_search_options": (),
    }

    messages: list[Message] = Field(min_length=1)
    max_completion_tokens: Integer | None = Field(None, ge=1)
    logprobs: bool | None = None
    top_logprobs: Integer | None = Field(None, ge=0, le=20)


class ChatMessage(BaseModel):
    """What was answered."""

    role: Literal["assistant"]
    content: str
    refusal: None


class ChatChoice(BaseModel):
    """An answer."""

    index: int
    message: ChatMessage
    logprobs: ChatLogprobs | None
    finish_reason: Literal["stop", "length"]


class ChatCompletion(BaseModel):
    """The answers.

    Attributes:
        system_fingerprint: beginning of the id of the commit whose edits were in force.
        memoir: which edit fired; there if it was asked for.
    """

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    system_fingerprint: str
    choices: list[ChatChoice]
    usage: Usage
    memoir: Verdict | None = None


class ChatForm:
    """How answers are worded here.

    Args:
        logprobs: whether log-probabilities are told.
    """

    prefix, object, chunk = "chatcmpl", "chat.completion", "chat.completion.chunk"

    def __init__(self, logprobs: bool) -> None:
        self._logprobs = logprobs

    def opening(self, index: int) -> dict[str, Any] | None:
        """Who speaks."""
        delta = {"role": "assistant", "content": ""}
        return {"index": index, "delta": delta, "logprobs": None, "finish_reason": None}

    def piece(self, index: int, piece: Piece) -> dict[str, Any]:
        """What came since."""
        return {
            "index": index,
            "delta": {"content": piece.text} if piece.text else {},
            "logprobs": of_chat(piece.tokens) if self._logprobs else None,
            "finish_reason": piece.finish,
        }

    def whole(self, index: int, answer: Whole) -> dict[str, Any]:
        """All of it."""
        return {
            "index": index,
            "message": {"role": "assistant", "content": answer.text, "refusal": None},
            "logprobs": of_chat(answer.tokens) if self._logprobs else None,
            "finish_reason": answer.finish,
        }


def router(service: Service) -> APIRouter:
    """The route."""
    routes = APIRouter(tags=["openai"])
    texts, settings = service.engine.texts, service.settings

    @routes.post(
        PATH,
        summary="Answer a conversation",
        response_model=ChatCompletion,
        responses={200: {"content": {"text/event-stream": {}}}, **RESPONSES},
    )
    async def chat(
        body: ChatRequest, request: Request, caller: Annotated[Caller, Depends(allowed("ask"))]
    ) -> Response:
        if len(body.messages) > settings.messages:
            raise Refusal(
                400,
                f"messages holds {len(body.messages)}, but this server takes at most "
                f"{settings.messages}.",
                param="messages",
            )
        if body.top_logprobs is not None and not body.logprobs:
            raise Refusal(400, "top_logprobs needs logprobs: true.", param="top_logprobs")
        messages = [message.plain() for message in body.messages]
        prompt = await encoded("messages", partial(texts.encode_chat, messages))
        asked = body.max_completion_tokens or body.max_tokens
        most = settings.max_tokens
        sampling = body.sampling(
            answer_tokens(texts, prompt, asked, most, most, "messages"),
            (body.top_logprobs or 0) if body.logprobs else None,
        )
        form = ChatForm(bool(body.logprobs))
        return await answer(service, request, caller, body, [(prompt, sampling)], form)

    return routes
