"""What may surround a prompt when it is asked: a chat, a system prompt, earlier turns, a document.

The texts ship with the package. The first half of each list is for fitting and calibration, the second
for evaluation, so that nothing is evaluated in a surrounding it was fitted in.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from importlib.resources import files
from typing import Any, TypeVar

from memoir.errors import UnknownName

Text = TypeVar("Text")

SETTINGS: tuple[str, ...] = ("bare", "chat", "system", "turns", "document")
"""How a prompt can be asked:

``bare``      the text alone
``chat``      as a user's turn in the chat template
``system``    the same behind a system prompt
``turns``     the same after two or three earlier turns about other facts
``document``  as the end of a user's turn that begins with a document of about 500 tokens
"""

PARTS: tuple[str, ...] = ("fitting", "evaluation")
"""The halves of every list."""


def conversation(setting: str, prompt: str, part: str = "evaluation") -> str | list[dict[str, str]]:
    """A prompt in a setting: bare text, or messages for the chat template.

    Which texts surround it is decided by the prompt alone: it is the same in every process.

    Args:
        setting: one of :data:`SETTINGS`.
        prompt: bare text.
        part: ``fitting`` or ``evaluation``: the half of the shipped texts to draw from.

    Raises:
        UnknownName: no such setting or part.
    """
    if setting not in SETTINGS:
        raise UnknownName.among("setting", setting, SETTINGS)
    if setting == "bare":
        return prompt
    if setting == "document":
        (document,) = _drawn(_half("documents", part), prompt, 1)
        return [_turn("user", f"{document}\n\n{prompt}")]
    return [*_before(setting, prompt, part), _turn("user", prompt)]


def asides(part: str) -> tuple[str, ...]:
    """Statements about things that do not exist, one sentence each."""
    return _half("asides", part)


def systems(part: str) -> tuple[str, ...]:
    """System prompts."""
    return _half("systems", part)


def wrappers(part: str) -> tuple[str, ...]:
    """Ways to put a question, each with ``{}`` where it goes."""
    return _half("wrappers", part)


def small_talk(part: str) -> tuple[str, ...]:
    """What users also say: requests that ask for no fact."""
    return _half("small_talk", part)


def _before(setting: str, prompt: str, part: str) -> list[dict[str, str]]:
    """The turns before the user's."""
    if setting == "system":
        return [_turn("system", text) for text in _drawn(systems(part), prompt, 1)]
    if setting == "turns":
        exchanges = _drawn(_half("exchanges", part), prompt, 2 + _number(prompt) % 2)
        return [_turn(role, each[role]) for each in exchanges for role in ("user", "assistant")]
    return []


def _turn(role: str, content: str) -> dict[str, str]:
    return {"role": role, "content": content}


def _half(name: str, part: str) -> tuple[Any, ...]:
    if part not in PARTS:
        raise UnknownName.among("part of the surroundings", part, PARTS)
    whole = _shipped()[name]
    middle = len(whole) // 2
    return tuple(whole[:middle] if part == "fitting" else whole[middle:])


def _drawn(texts: Sequence[Text], prompt: str, count: int) -> list[Text]:
    """So many different texts, in an order that the prompt decides."""
    order = sorted(range(len(texts)), key=lambda i: _number(f"{i} {prompt}"))
    return [texts[i] for i in order[:count]]


def _number(text: str) -> int:
    # Not hash(): it differs from process to process.
    return int(sha256(text.encode()).hexdigest(), 16)


@cache
def _shipped() -> dict[str, list[Any]]:
    path = files("memoir") / "resources" / "surroundings.json"
    found: dict[str, list[Any]] = json.loads(path.read_text("utf-8"))
    return found
