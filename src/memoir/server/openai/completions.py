"""``/v1/completions``"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from functools import partial
from typing import Annotated, Any, ClassVar, Literal

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, Field

from memoir.host.texts import Texts
from memoir.host.tokens import Encoded
from memoir.server.access.callers import Caller, allowed
from memoir.server.asked import Piece
from memoir.server.openai.answers import Whole
from memoir.server.openai.errors import RESPONSES, Refusal
from memoir.server.openai.fields import IGNORED, REFUSED, Asked, Integer
from memoir.server.openai.logprobs import TextLogprobs, of_text
from memoir.server.openai.prompts import answer_tokens, encoded, given_ids
from memoir.server.openai.responding import Service, answer
from memoir.server.openai.usage import Usage
from memoir.server.openai.verdicts import Verdict

PATH = "/v1/completions"

USUAL_TOKENS = 16
"""Of an answer, where the client does not say: OpenAI's."""

Ids = Annotated[list[Integer], Field(min_length=1)]


class CompletionRequest(Asked):
    """Prompts to be gone on with.

    Attributes:
        prompt: a text, several, token ids, or several lists of them.
        logprobs: of how many of the likeliest tokens log-probabilities are told, beside the chosen
            one; null for none.
    """

    ignored = IGNORED
    refused: ClassVar[Mapping[str, tuple[Any, ...]]] = {
        **REFUSED,
        "best_of": (1,),
        "echo": (False,),
        "suffix": ("",),
    }

    prompt: (
        str
        | Annotated[list[str], Field(min_length=1)]
        | Ids
        | Annotated[list[Ids], Field(min_length=1)]
    )
    logprobs: Integer | None = Field(None, ge=0, le=5)

    @property
    def prompts(self) -> list[tuple[str, str | list[int]]]:
        """Each prompt, after the name of the field it is from."""
        given = self.prompt
        if isinstance(given, str):
            return [("prompt", given)]
        if isinstance(given[0], int):
            return [("prompt", [id for id in given if isinstance(id, int)])]
        return [
            (f"prompt[{i}]", one) for i, one in enumerate(given) if isinstance(one, (str, list))
        ]

    @property
    def several(self) -> bool:
        """Whether prompts came as a list."""
        return not isinstance(self.prompt, str) and not isinstance(self.prompt[0], int)


class Choice(BaseModel):
    """An answer."""

    index: int
    text: str
    logprobs: TextLogprobs | None
    finish_reason: Literal["stop", "length"]


class Completion(BaseModel):
    """The answers; those to a prompt stand together, in the order of the prompts.

    Attributes:
        system_fingerprint: beginning of the id of the commit whose edits were in force.
        memoir: which edit fired; there if it was asked for, and for each prompt if they came as a list.
    """

    id: str
    object: Literal["text_completion"]
    created: int
    model: str
    system_fingerprint: str
    choices: list[Choice]
    usage: Usage
    memoir: Verdict | list[Verdict] | None = None


class TextForm:
    """How answers are worded here.

    Args:
        logprobs: whether log-probabilities are told.
    """

    prefix, object, chunk = "cmpl", "text_completion", "text_completion"

    def __init__(self, logprobs: bool) -> None:
        self._logprobs = logprobs
        self._before: Counter[int] = Counter()

    def opening(self, index: int) -> dict[str, Any] | None:
        """Nothing."""

    def piece(self, index: int, piece: Piece) -> dict[str, Any]:
        """What came since."""
        logprobs = of_text(piece.tokens, self._before[index]) if self._logprobs else None
        self._before[index] += sum(len(token.text) for token in piece.tokens)
        return {
            "index": index,
            "text": piece.text,
            "logprobs": logprobs,
            "finish_reason": piece.finish,
        }

    def whole(self, index: int, answer: Whole) -> dict[str, Any]:
        """All of it."""
        return {
            "index": index,
            "text": answer.text,
            "logprobs": of_text(answer.tokens) if self._logprobs else None,
            "finish_reason": answer.finish,
        }


def router(service: Service) -> APIRouter:
    """The route."""
    routes = APIRouter(tags=["openai"])
    texts, settings = service.engine.texts, service.settings

    @routes.post(
        PATH,
        summary="Go on with prompts",
        response_model=Completion,
        responses={200: {"content": {"text/event-stream": {}}}, **RESPONSES},
    )
    async def complete(
        body: CompletionRequest,
        request: Request,
        caller: Annotated[Caller, Depends(allowed("ask"))],
    ) -> Response:
        given = body.prompts
        if len(given) > settings.prompts:
            raise Refusal(
                400,
                f"prompt holds {len(given)}, but this server takes at most {settings.prompts} at once.",
                param="prompt",
            )
        prompts = [(param, await _tokens(texts, param, one)) for param, one in given]
        most = settings.max_tokens
        asked = [
            (prompt, body.sampling(_room(texts, prompt, body, most, param), body.logprobs))
            for param, prompt in prompts
        ]
        form = TextForm(body.logprobs is not None)
        return await answer(service, request, caller, body, asked, form, body.several)

    return routes


async def _tokens(texts: Texts, param: str, given: str | list[int]) -> Encoded:
    if isinstance(given, str):
        return await encoded(param, partial(texts.encode, given))
    return given_ids(texts, given, param)


def _room(texts: Texts, prompt: Encoded, body: CompletionRequest, most: int, param: str) -> int:
    return answer_tokens(texts, prompt, body.max_tokens, USUAL_TOKENS, most, param)
