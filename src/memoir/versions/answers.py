"""What a model answers differently in two states. Needs the model, which is loaded once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from memoir.data import files
from memoir.editor import Editor
from memoir.errors import BadInput, BadRecord
from memoir.versions.states import at_state


@dataclass(frozen=True)
class Differing:
    """A prompt with two answers.

    Attributes:
        prompt: what was asked.
        before: the text of the one state.
        after: the text of the other.
    """

    prompt: str
    before: str
    after: str

    def as_dict(self) -> dict[str, str]:
        """The three texts, for ``--json``."""
        return asdict(self)


def differing(
    editor: Editor, before: str, prompts: Sequence[str], *, max_new_tokens: int = 32
) -> list[Differing]:
    """Ask another state and this editor's the same, and keep what they answer differently.

    Args:
        editor: stands at the later state.
        before: name of the commit whose state is asked first.
        prompts: bare texts.
        max_new_tokens: longest answer, in tokens.

    Raises:
        UnknownName: no such commit.
        BadInput: a prompt is empty or too long.
    """
    with at_state(editor, before) as other:
        texts = [answer.text for answer in other.ask_many(prompts, max_new_tokens=max_new_tokens)]
    after = [answer.text for answer in editor.ask_many(prompts, max_new_tokens=max_new_tokens)]
    found = zip(prompts, texts, after, strict=True)
    return [Differing(prompt, old, new) for prompt, old, new in found if old != new]


def read_probes(path: Path) -> list[str]:
    """Prompts from a file: one a line, or JSON lines with the field ``prompt``.

    Raises:
        BadInput: it cannot be read, or holds none.
        BadRecord: a line is malformed.
    """
    text, _ = files.content(path)
    if text.lstrip().startswith("{"):
        records = files.records(text, path)
        prompts = [_prompt(files.sound(value), f"{path}, {place}") for place, value in records]
    else:
        prompts = [line.strip() for line in text.split("\n") if line.strip()]
    if not prompts:
        raise BadInput(f"{path} holds no prompts; give one a line, or JSON lines with 'prompt'.")
    return prompts


def _prompt(record: Any, where: str) -> str:
    prompt = record.get("prompt") if isinstance(record, dict) else None
    if not isinstance(prompt, str) or not prompt.strip():
        raise BadRecord(f"{where}: field 'prompt' must be a non-empty text, not {prompt!r}.")
    return prompt.strip()
