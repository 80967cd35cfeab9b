"""What a state is held to: its own edits, a user's probes, and questions that no edit is about."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from memoir.calibration import Background
from memoir.data import files
from memoir.editor import Editor
from memoir.errors import BadRecord
from memoir.metrics.text import begins_with, contains
from memoir.store import taught

ANSWER = 24
"""Tokens of an answer to a probe."""

BEYOND = 4
"""Tokens that an edit's answer may take more than its target."""


@dataclass(frozen=True)
class Question:
    """Something to ask, and what its answer must be like.

    Attributes:
        kind: ``edit`` and ``phrasing``: begins with the target; ``must say`` and ``must never say``:
            holds the text, or does not; ``unrelated``: is what the unedited model answers.
        prompt: the text.
        chat: whether it is asked as a user's turn in the chat template.
        text: what is looked for; empty for ``unrelated``.
        edit: id of the edit it is about; None for probes and unrelated questions.
        tokens: longest answer.
    """

    kind: str
    prompt: str
    text: str = ""
    chat: bool = False
    edit: str | None = None
    tokens: int = ANSWER

    def holds(self, answer: str, unedited: str | None) -> bool:
        """Whether an answer is as it must be."""
        if self.kind in ("edit", "phrasing"):
            return begins_with(answer, self.text)
        if self.kind == "must say":
            return contains(answer, self.text)
        if self.kind == "must never say":
            return not contains(answer, self.text)
        return answer == unedited

    @property
    def unlike(self) -> str:
        """What is wrong with an answer that does not hold, in words."""
        return {
            "must say": f"does not say {self.text!r}",
            "must never say": f"says {self.text!r}",
            "unrelated": "is not as without edits",
        }.get(self.kind, f"does not begin with {self.text!r}")


def suite(editor: Editor, probes: Sequence[Question] = (), unrelated: int = 40) -> list[Question]:
    """Everything that a state is asked.

    Args:
        editor: at that state.
        probes: a user's own.
        unrelated: how many of the prompts that ship with the package.
    """
    prompts = list(Background.shipped().prompts)
    random.Random(0).shuffle(prompts)
    return [
        *_of_edits(editor),
        *probes,
        *(Question("unrelated", prompt) for prompt in prompts[:unrelated]),
    ]


def _of_edits(editor: Editor) -> Iterator[Question]:
    for row in editor.live():
        edit = taught(row)
        tokens = len(editor.host.encode(edit.prompt, edit.target).target) + BEYOND
        yield Question("edit", edit.prompt, edit.target, False, row.id, tokens)
        for phrasing in edit.phrasings:
            yield Question("phrasing", phrasing, edit.target, False, row.id, tokens)


def read_probes(file: Path) -> list[Question]:
    """A user's probes: JSON lines with ``prompt`` and ``must_say`` or ``must_never_say``, and perhaps
    ``chat``.

    Raises:
        BadInput: the file cannot be read.
        BadRecord: a line is no such probe; the message names it.
    """
    text, _ = files.content(file)
    return [_probe(value, f"{file}, {place}") for place, value in files.records(text, file)]


def _probe(given: Any, where: str) -> Question:
    try:
        fields = dict(given)
        prompt, chat = fields.pop("prompt"), fields.pop("chat", False)
        ((key, text),) = fields.items()
        kind = {"must_say": "must say", "must_never_say": "must never say"}[key]
        if not (prompt.strip() and text.strip() and isinstance(chat, bool)):
            raise ValueError("empty text")
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise BadRecord(
            f"{where}: a probe is a JSON object with 'prompt', 'must_say' or 'must_never_say', and "
            'perhaps "chat": true.'
        ) from error
    return Question(kind, prompt, text, chat)
