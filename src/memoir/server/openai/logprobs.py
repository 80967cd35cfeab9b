"""Log-probabilities in the two shapes that OpenAI's interfaces have."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel

from memoir.server.asked import Token

LEAST = -9999.0
"""Stands for a probability of 0, whose logarithm JSON cannot say."""


class TopLogprob(BaseModel):
    """A token that might have been chosen."""

    token: str
    logprob: float
    bytes: list[int] | None


class TokenLogprob(TopLogprob):
    """A token that was chosen, and the likeliest there."""

    top_logprobs: list[TopLogprob]


class ChatLogprobs(BaseModel):
    """Of an answer in a chat."""

    content: list[TokenLogprob] | None
    refusal: None = None


class TextLogprobs(BaseModel):
    """Of a completion: lists with one element for each token.

    Attributes:
        tokens: their texts.
        token_logprobs: of them.
        top_logprobs: of the likeliest there and of the chosen one, by text.
        text_offset: characters of the answer before each.
    """

    tokens: list[str]
    token_logprobs: list[float]
    top_logprobs: list[dict[str, float]]
    text_offset: list[int]


def of_chat(tokens: Sequence[Token]) -> dict[str, Any]:
    """As :class:`ChatLogprobs`."""
    return {
        "content": [
            {
                **_one(token.text, token.logprob),
                "top_logprobs": [_one(text, logprob) for text, logprob in token.likeliest],
            }
            for token in tokens
        ],
        "refusal": None,
    }


def of_text(tokens: Sequence[Token], offset: int = 0) -> dict[str, Any]:
    """As :class:`TextLogprobs`; ``offset`` characters of the answer came before."""
    offsets = []
    for token in tokens:
        offsets.append(offset)
        offset += len(token.text)
    return {
        "tokens": [token.text for token in tokens],
        "token_logprobs": [_said(token.logprob) for token in tokens],
        "top_logprobs": [_by_text(token) for token in tokens],
        "text_offset": offsets,
    }


def _by_text(token: Token) -> dict[str, float]:
    found: dict[str, float] = {}
    for text, logprob in (*token.likeliest, (token.text, token.logprob)):
        found.setdefault(text, _said(logprob))  # the best of those that look alike
    return found


def _one(text: str, logprob: float) -> dict[str, Any]:
    part = "\ufffd" in text  # of a character: its text does not tell its bytes
    return {
        "token": text,
        "logprob": _said(logprob),
        "bytes": None if part else list(text.encode()),
    }


def _said(logprob: float) -> float:
    return max(logprob, LEAST)
