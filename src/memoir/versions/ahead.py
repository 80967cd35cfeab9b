"""A router beside an editor's own: edits are tried in it one after the other, fitted or not."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from torch import Tensor

from memoir.editor import Editor
from memoir.host.tokens import Encoded
from memoir.routing.base import Router
from memoir.routing.prepared import foreseen
from memoir.types import Edit, Match


class Ahead:
    """Edits that go into a router like the editor's, and out of it, by their numbers. Where the method
    has no router ahead of the model, none of them ever fires.

    Args:
        editor: its model and its kind of router.
        edits: those that are tried; none is in the router yet.
        stored: their tensors, if they were fitted; None if they were not.
    """

    def __init__(
        self,
        editor: Editor,
        edits: Sequence[Edit],
        stored: Sequence[Mapping[str, Tensor]] | None = None,
    ) -> None:
        self._editor = editor
        self._edits = edits
        self._router: Router | None = editor.method.empty_router()
        self._keys: Sequence[Mapping[str, Tensor]] = stored or []
        if stored is None and self._router is not None and edits:
            self._keys = self._router.keys(edits)

    def add(self, number: int) -> None:
        """Take an edit in."""
        if self._router is not None:
            self._router.add(str(number), self._edits[number], self._keys[number])

    def remove(self, number: int) -> None:
        """Take an edit out."""
        if self._router is not None:
            self._router.remove(str(number))

    def fires(self, prompt: str) -> Iterator[tuple[str, Match]]:
        """The edit that fires on a prompt, if any: its number as a text, and the verdict."""
        if self._router is not None:
            yield from _fired(foreseen(self._router, [self._editor.host.encode(prompt)]))

    def tried(self, edit: Edit) -> dict[str, Match]:
        """Edits that fire on an edit's prompt or phrasings; the best verdict on each."""
        fired = (each for prompt in (edit.prompt, *edit.phrasings) for each in self.fires(prompt))
        return dict(sorted(fired, key=lambda each: each[1].score))

    def meant(self, edit: Edit) -> Iterator[tuple[str, Match]]:
        """Edits, in force or tried, that fire on an edit's prompt or phrasings; each once."""
        prompts = [edit.prompt, *edit.phrasings]
        rows: list[Encoded] = [self._editor.host.encode(prompt) for prompt in prompts]
        seen = dict(_fired(self._editor.method.foresee(rows) or []))
        yield from (seen | self.tried(edit)).items()


def _fired(matches: Iterable[Match]) -> Iterator[tuple[str, Match]]:
    for match in matches:
        if match.fired and match.edit_id is not None:
            yield match.edit_id, match
