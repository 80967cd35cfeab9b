"""From what is sent to tokens, with room for the answer."""

from __future__ import annotations

from collections.abc import Callable

import anyio
from jinja2 import TemplateError

from memoir.errors import BadInput, PromptTooLong
from memoir.host.texts import Texts
from memoir.host.tokens import Encoded
from memoir.server.openai.errors import INVALID, Refusal

TOO_LONG = "context_length_exceeded"


async def encoded(param: str, encode: Callable[[], Encoded]) -> Encoded:
    """A prompt's tokens, found beside the event loop.

    Args:
        param: the field it is from.
        encode: finds them.

    Raises:
        Refusal: 400, if they cannot be found or are too many.
    """
    try:
        return await anyio.to_thread.run_sync(encode)
    except PromptTooLong as error:
        raise Refusal(400, str(error), param=param, code=TOO_LONG) from None
    except BadInput as error:
        raise Refusal(400, str(error), param=param) from None
    except TemplateError as error:
        raise Refusal(
            400, f"the model's chat template refuses this conversation: {error}.", param=param
        ) from None


def given_ids(texts: Texts, ids: list[int], param: str) -> Encoded:
    """A prompt that comes as token ids.

    Raises:
        Refusal: 400, for an id that the tokenizer does not have.
    """
    size = len(texts.tokenizer)
    for id in ids:
        if not 0 <= id < size:
            raise Refusal(
                400, f"{param} holds the token id {id}; ids are 0 to {size - 1}.", param=param
            )
    return Encoded(ids)


def answer_tokens(
    texts: Texts, prompt: Encoded, asked: int | None, usual: int, most: int, param: str
) -> int:
    """How many tokens an answer may have.

    Args:
        texts: knows the context window.
        prompt: what is answered.
        asked: what the client wants; None leaves it to us.
        usual: what it then is, if there is room.
        most: what it may be at all.
        param: the field that a prompt without room is from.

    Raises:
        Refusal: 400, if there is no room.
    """
    if asked is not None and asked > most:
        raise Refusal(
            400,
            f"max_tokens is {asked}, but this server gives at most {most} tokens.",
            param="max_tokens",
        )
    window = texts.context_window
    left = most if window is None else window - len(prompt.prompt)
    if left < (asked or 1):
        raise Refusal(
            400,
            f"{texts.name} reads at most {window} tokens: the prompt has {len(prompt.prompt)}, and "
            f"{asked or 1} are asked for; shorten either.",
            type=INVALID,
            param=param,
            code=TOO_LONG,
        )
    return asked or min(usual, most, left)
