"""Objections to edits before they are fitted: contradictions, edits that change nothing, and edits that
would fire on what they are not about.

What one edit has to do with another is the router's own verdict on its prompts. A method that has no
router ahead of the model is asked for the same prompts only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from memoir.calibration import Background
from memoir.editor import Editor
from memoir.errors import Objected
from memoir.routing.meaning import normal
from memoir.store import short, taught
from memoir.types import Edit, Match
from memoir.versions.ahead import Ahead
from memoir.versions.facts import plain, same_answer, told

SCORED_AT_ONCE = 32

_CHOICE = re.compile(r"\S\s+(or|/)\s+\S")


@dataclass(frozen=True)
class Objection:
    """Why an edit should not be made as it is.

    Attributes:
        kind: ``contradicts`` (another answer to the same), ``shadows`` (it would answer what an older
            edit was taught for), ``known`` (it changes nothing), ``generic`` (it would fire on
            unrelated text), or ``undecided`` (a target that names two answers).
        number: which of the edits, from 0.
        edit: that edit.
        what: what is wrong, in a sentence.
        remedy: what to do about it.
        others: the edits involved: ids of stored ones.
        evidence: the router's, as plain values.
    """

    kind: str
    number: int
    edit: Edit
    what: str
    remedy: str
    others: tuple[str, ...] = ()
    evidence: dict[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.kind}: {self.what} {self.remedy}"

    @property
    def record(self) -> str:
        """What a commit that was made all the same keeps of it; :mod:`memoir.versions.conflicting`
        reads it."""
        return f"{self.kind}: {told(self.edit)}: {self.what}"


def objections(editor: Editor, edits: Sequence[Edit]) -> list[Objection]:
    """Everything there is to say against edits, in their order.

    Args:
        editor: in whose present state they are to be made.
        edits: the edits of one change; each is held against those before it too.
    """
    ahead = Ahead(editor, edits)
    found = [
        *_undecided(edits),
        *_contradictions(editor, edits, ahead),  # takes the edits in, one after the other
        *_known(editor, edits),
        *_generic(edits, ahead),
    ]
    return sorted(found, key=lambda each: each.number)


def _undecided(edits: Sequence[Edit]) -> Iterator[Objection]:
    for number, edit in enumerate(edits):
        if _CHOICE.search(edit.target):
            yield Objection(
                "undecided",
                number,
                edit,
                f"the target names more than one answer: {edit.target!r}.",
                "Teach one of them.",
            )


def _contradictions(editor: Editor, edits: Sequence[Edit], ahead: Ahead) -> Iterator[Objection]:
    """What a stored edit, or one before in the same change, answers otherwise."""
    stored = {row.id: taught(row) for row in editor.live()}
    by_prompt = {normal(edit.prompt): id for id, edit in stored.items()}
    met: set[tuple[str, int]] = set()
    for number, edit in enumerate(edits):
        for id, match in ahead.meant(edit):
            other = stored.get(id) or edits[int(id)]
            if not same_answer(other, edit):
                met.add((id, number))
                yield _contradiction(number, edit, id, other, match, id in stored)
        same = by_prompt.get(normal(edit.prompt))
        if same is not None and (same, number) not in met:
            other = stored.get(same) or edits[int(same)]
            if not same_answer(other, edit):
                met.add((same, number))
                yield _contradiction(number, edit, same, other, None, same in stored)
        by_prompt[normal(edit.prompt)] = str(number)
        ahead.add(number)
    # The other way round: what older edits were taught for, and a new one would answer.
    for id, edit in stored.items():
        for newer, match in ahead.fires(edit.prompt):
            new = edits[int(newer)]
            if (id, int(newer)) not in met and not same_answer(new, edit):
                yield Objection(
                    "shadows",
                    int(newer),
                    new,
                    f"it would answer what edit {short(id)} was taught for: {told(edit)}.",
                    "Take that one back first, or word this one more closely.",
                    (id,),
                    plain(match),
                )


def _contradiction(
    number: int, edit: Edit, id: str, other: Edit, match: Match | None, stored: bool
) -> Objection:
    name = f"edit {short(id)}" if stored else f"edit {int(id) + 1} of the same change"
    evidence: dict[str, object] = plain(match) if match else {"same_prompt": True}
    if evidence.get("same_prompt"):
        what = f"{name} answers the same prompt otherwise: {told(other)}."
        remedy = "leave this one out"
    else:
        what = (
            f"{name} is taken to be about the same (score {evidence['score']:.2f}, it fires from "
            f"{evidence['threshold']:.2f} on) and answers otherwise: {told(other)}."
        )
        remedy = "leave this one out; if they are different facts, make it all the same"
    first = "Take that one back first, or " if stored else ""
    remedy = f"{first}{remedy}."
    return Objection(
        "contradicts",
        number,
        edit,
        what,
        remedy[0].upper() + remedy[1:],
        (id,) if stored else (),
        evidence,
    )


def _known(editor: Editor, edits: Sequence[Edit]) -> Iterator[Objection]:
    for start in range(0, len(edits), SCORED_AT_ONCE):
        some = edits[start : start + SCORED_AT_ONCE]
        scores = editor.score_many([(edit.prompt, edit.target) for edit in some])
        for number, (edit, score) in enumerate(zip(some, scores, strict=True), start=start):
            if all(score.correct):
                yield Objection(
                    "known",
                    number,
                    edit,
                    f"the model says {edit.target!r} already.",
                    "Leave it out: it would change nothing now, and hold the answer fast later.",
                )


def _generic(edits: Sequence[Edit], ahead: Ahead) -> Iterator[Objection]:
    """Edits that fire on prompts that ship with the package and that no edit of a user is about."""
    fired: dict[int, list[str]] = {}
    prompts = Background.shipped().prompts
    for prompt in prompts:
        for id, _ in ahead.fires(prompt):
            if normal(prompt) != normal(edits[int(id)].prompt):
                fired.setdefault(int(id), []).append(prompt)
    for number, asked in sorted(fired.items()):
        yield Objection(
            "generic",
            number,
            edits[number],
            f"its prompt would fire on {len(asked)} of {len(prompts)} unrelated prompts, such as "
            f"{asked[0]!r}.",
            "Say in the prompt what it is about, or give the subject.",
        )


def others(error: Objected) -> list[str]:
    """Short ids of the stored edits that stand against the first of the objected ones, each once."""
    found = [each for each in error.objections if isinstance(each, Objection)]
    first = [each for each in found if each.number == found[0].number]
    return list(dict.fromkeys(short(id) for each in first for id in each.others))
