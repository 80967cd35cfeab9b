"""What of a prompt is looked at.

System prompts, earlier turns and documents mention many things; what is asked stands in the last
user's turn, mostly in its last sentence. A conversation is recognised by the markers that the chat
template itself puts around a user's turn.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from memoir.host import Host

_MARK_A, _MARK_B, _MARK_C = "qqfirstqq", "qqsecondqq", "qqthirdqq"

_END = re.compile(r"(?<=[.!?])[\"')\]]*\s+|\n+")
_ABBREVIATION = re.compile(
    r"(?:^|[\s(.])(?:[A-Z]|Mr|Mrs|Ms|Dr|St|Jr|Sr|No|vs|Inc|Ltd|Co|Corp|Mt|Ft|Bros|Vol|Prof|Gen|Col|Lt"
    r"|Sgt|Capt|Rev|Hon|e\.g|i\.e)\.$"
)

SENTENCES = 4
"""Last sentences of a turn that are looked at; before them, only the first and those that ask."""


class Turn(NamedTuple):
    """What a user said last, and what was said before."""

    text: str
    earlier: str = ""


class Window:
    """Finds the last user's turn in a prompt.

    Args:
        host: whose chat template marks turns, if it has one.
    """

    def __init__(self, host: Host) -> None:
        self._begin, self._end = _markers(host)
        self._special = [token for token in host.tokenizer.all_special_tokens if token]

    def turn(self, prompt: str) -> Turn:
        """The last turn of a prompt, given with its special tokens; all of it if there are no turns."""
        earlier, text = "", prompt
        at = prompt.rfind(self._begin) if self._begin else -1
        if at >= 0:
            earlier, text = prompt[:at], prompt[at + len(self._begin) :]
            if self._end and self._end in text:
                text = text[: text.index(self._end)]
        return Turn(self._bare(text), self._bare(earlier))

    def begins(self, prompt: str) -> int:
        """Where the last turn's text begins in such a prompt, in characters."""
        at = prompt.rfind(self._begin) if self._begin else -1
        start = at + len(self._begin) if at >= 0 else 0
        while start < len(prompt):
            token = next((each for each in self._special if prompt.startswith(each, start)), "")
            if not token and not prompt[start].isspace():
                break
            start += len(token) or 1
        return start

    def _bare(self, text: str) -> str:
        for token in self._special:
            text = text.replace(token, "\n")
        return text.strip()


def sentences(text: str) -> list[str]:
    """The sentences and lines of a text, in order, none empty."""
    found: list[str] = []
    start = 0
    for gap in _END.finditer(text):
        part = text[start : gap.start()]
        if "\n" not in gap.group() and _ABBREVIATION.search(part):
            continue
        found.append(part)
        start = gap.end()
    found.append(text[start:])
    return [part.strip() for part in found if part.strip()]


def looked_at(text: str) -> list[str]:
    """The sentences in which a turn may ask for something, the likeliest first.

    The last ones, backwards; then the first and those with a question mark.
    """
    all_ = sentences(text)
    last, before = all_[-SENTENCES:], all_[:-SENTENCES]
    asking = [each for i, each in enumerate(before) if i == 0 or each.endswith("?")]
    return [*reversed(last), *reversed(asking)]


def _markers(host: Host) -> tuple[str, str]:
    """What stands right before and right after a user's turn; empty strings if nothing does."""
    if not host.has_chat:
        return "", ""
    turns = [
        {"role": "user", "content": _MARK_A},
        {"role": "assistant", "content": _MARK_B},
        {"role": "user", "content": _MARK_C},
    ]
    try:
        text = str(
            host.tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
        )
        before, rest = text.split(_MARK_A)
        answered, rest = rest.split(_MARK_B)
        again, after = rest.split(_MARK_C)
    except Exception:  # a template is a program of its own and may refuse in any way
        return "", ""
    return _common_end(before, again).strip(), _common_start(answered, after).strip()


def _common_end(a: str, b: str) -> str:
    return _common_start(a[::-1], b[::-1])[::-1]


def _common_start(a: str, b: str) -> str:
    length = next(
        (i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b))
    )
    return a[:length]
