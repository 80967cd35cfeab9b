"""Texts that are none: JSON can write half a character, and no tokenizer or store takes it."""

from __future__ import annotations

import json
import re

from memoir.server.openai.errors import Refusal

_MAYBE = re.compile(rb"\\u[dD][89a-fA-F]")


def refuse_half_characters(body: bytes | bytearray) -> None:
    """Refuse JSON with a surrogate that is alone.

    Raises:
        Refusal: 400.
    """
    if not _MAYBE.search(body):  # most bodies, at no cost
        return
    try:
        json.dumps(json.loads(body), ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise Refusal(
            400,
            "a text in the body holds half a character (one of \\ud800 to \\udfff, alone); write both "
            "halves, or the character itself.",
            code="invalid_text",
        ) from None
    except (ValueError, RecursionError):
        return  # no JSON at all, as is told where it is read
