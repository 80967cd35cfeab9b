"""Which edit answers a prompt, and who made it, when and why. Needs the model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from memoir.editor import Editor
from memoir.store import Row, Store
from memoir.types import Match
from memoir.versions.log import plain


@dataclass(frozen=True)
class Blame:
    """Where an answer is from.

    Attributes:
        prompt: what was asked.
        match: the router's verdict; None with a method that decides nothing prompt by prompt.
        edit: row of the edit that fits best, whether it fires or not; None if none could be meant.
        commit: row of the commit that brought that edit into force first.
    """

    prompt: str
    match: Match | None
    edit: Row | None
    commit: Row | None

    @property
    def fired(self) -> bool:
        """Whether the edit answers the prompt."""
        return self.match is not None and self.match.fired

    def as_dict(self) -> dict[str, Any]:
        """The finding as plain values, for ``--json``."""
        commit = self.commit
        return {
            "prompt": self.prompt,
            "fired": self.fired,
            "match": None if self.match is None else {**vars(self.match), "fired": self.fired},
            "edit": None if self.edit is None else plain(self.edit),
            "commit": None
            if commit is None
            else {
                "id": commit.id,
                "time": commit.time,
                "author": commit.body["author"],
                "message": commit.body["message"],
            },
        }


def blame(editor: Editor, prompt: str, *, chat: bool = False) -> Blame:
    """Ask for the first token of an answer, and look up the edit that decided it.

    Args:
        editor: of the store; its state is asked.
        prompt: bare text.
        chat: put it into the model's chat template, as a user's turn.

    Raises:
        BadInput: the prompt is empty or too long.
    """
    match = editor.ask(prompt, chat=chat, max_new_tokens=1).match
    return traced(editor.store, editor.at, prompt, match)


def traced(store: Store, at: str, prompt: str, match: Match | None) -> Blame:
    """The edit that a verdict names, and the commit that made it.

    Args:
        store: where both are kept.
        at: the commit whose edits were asked.
        prompt: what was asked.
        match: the router's verdict on it.
    """
    if match is None or match.edit_id is None:
        return Blame(prompt, match, None, None)
    made = store.history.made(at)[match.edit_id]
    rows = store.log.get([match.edit_id, made])
    return Blame(prompt, match, rows[match.edit_id], rows[made])
