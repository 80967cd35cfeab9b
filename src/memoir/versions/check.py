"""Is everything that was taught still said, and nothing else? What broke, and which commit broke it.

A question is not asked again where its answer is known: with a method whose edits are apart, an answer
depends on the prompt and on the edit that fires alone. So it is kept under both, and a new edit sends
only those questions to the model on which it fires.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from memoir.editor import Editor
from memoir.store import Row
from memoir.types import Match, Progress, no_progress
from memoir.versions.states import at_state
from memoir.versions.suite import Question, suite

AT_ONCE = 32


@dataclass(frozen=True)
class Broken:
    """A question whose answer is not as it must be.

    Attributes:
        question: what was asked.
        answer: what was said.
        match: which edit fired; None if nothing decided.
        commit: the first commit at which it was so; None if nobody looked.
    """

    question: Question
    answer: str
    match: Match | None = None
    commit: str | None = None


@dataclass(frozen=True)
class Report:
    """What a check found.

    Attributes:
        broken: what is not as it must be.
        expired: edits whose last day has passed.
        asked: questions put to the model now.
        skipped: questions whose answer was known.
        why_skipped: why that is safe; empty if none was skipped.
    """

    broken: list[Broken]
    expired: list[Row]
    asked: int
    skipped: int
    why_skipped: str = ""

    @property
    def passed(self) -> bool:
        """Whether nothing broke and nothing expired."""
        return not self.broken and not self.expired

    def as_dict(self) -> dict[str, Any]:
        """The report as plain values, for ``--json``."""
        return {
            "passed": self.passed,
            "asked": self.asked,
            "skipped": self.skipped,
            "why_skipped": self.why_skipped,
            "broken": [asdict(each) for each in self.broken],
            "expired": [{"id": row.id, **row.body} for row in self.expired],
        }


WHY_SKIPPED = (
    "the same edit fires on them as when they were asked last, or none does, and with this method an "
    "answer depends on nothing else"
)


def check(
    editor: Editor,
    probes: Sequence[Question] = (),
    *,
    unrelated: int = 40,
    anew: bool = False,
    progress: Progress = no_progress,
) -> Report:
    """Ask everything that the present state is held to.

    Args:
        editor: at that state.
        probes: a user's own questions, beside the edits'.
        unrelated: how many questions that no edit is about.
        anew: ask also what is known.
        progress: told while it asks.
    """
    questions = suite(editor, probes, unrelated)
    keys = _keys(editor, questions)
    remembered = {} if anew or not keys else editor.store.log.remembered()
    known = {each: remembered[key] for each, key in keys.items() if key in remembered}
    todo = [each for each in questions if each not in known]
    found = {question: json.loads(text) for question, text in known.items()}
    for start in range(0, len(todo), AT_ONCE):
        some = todo[start : start + AT_ONCE]
        found |= _asked(editor, some)
        progress("checking", start + len(some), len(todo))
    if keys:
        editor.store.log.remember({keys[each]: json.dumps(found[each]) for each in todo})
    broken = [
        Broken(each, found[each]["answer"], _match(found[each]["match"]))
        for each in questions
        if not found[each]["holds"]
    ]
    return Report(
        broken,
        expired(editor),
        len(todo),
        len(known),
        WHY_SKIPPED if known else "",
    )


def expired(editor: Editor, today: date | None = None) -> list[Row]:
    """Edits in force whose last day has passed."""
    now = (today or date.today()).isoformat()
    return [row for row in editor.live() if (row.body.get("expires") or now) < now]


def _asked(editor: Editor, questions: Sequence[Question]) -> dict[Question, dict[str, object]]:
    """Answers of the present state, and whether they are as they must be."""
    found: dict[Question, dict[str, object]] = {}
    # Longer answers than asked for may break a probe, but no edit's answer: these are asked together.
    groups: dict[tuple[bool, int], list[Question]] = {}
    for each in questions:
        groups.setdefault((each.chat, 0 if each.edit else each.tokens), []).append(each)
    for (chat, _), some in groups.items():
        tokens = max(each.tokens for each in some)
        answers = editor.ask_many([each.prompt for each in some], chat=chat, max_new_tokens=tokens)
        plain = [each for each in some if each.kind == "unrelated"]
        unedited = editor.ask_many(
            [each.prompt for each in plain], chat=chat, max_new_tokens=tokens, edits=False
        )
        without = {each: answer.text for each, answer in zip(plain, unedited, strict=True)}
        for each, answer in zip(some, answers, strict=True):
            found[each] = {
                "answer": answer.text,
                "match": None if answer.match is None else asdict(answer.match),
                "holds": each.holds(answer.text, without.get(each)),
            }
    return found


def _match(plain: Mapping[str, object] | None) -> Match | None:
    return None if plain is None else Match(**plain)  # type: ignore[arg-type]


# ---------------------------------------------------------------------- what is known


def _keys(editor: Editor, questions: Sequence[Question]) -> dict[Question, str]:
    """What the answer of each question depends on, as a digest; none if on more than one edit, or if
    only the model can tell which."""
    if not editor.method.edits_apart:
        return {}
    bare = [each for each in questions if not each.chat]
    chat = [each for each in questions if each.chat]
    rows = [editor.host.encode(each.prompt) for each in bare]
    rows += [editor.host.encode_chat([{"role": "user", "content": each.prompt}]) for each in chat]
    matches = editor.method.foresee(rows)
    if matches is None:
        return {}
    settings = editor.store.settings(editor.at)
    bound = settings.id if settings else ""
    return {
        each: _digest(bound, each, match.edit_id if match.fired else None)
        for each, match in zip([*bare, *chat], matches, strict=True)
    }


def _digest(settings: str, question: Question, fires: str | None) -> str:
    content = json.dumps([settings, asdict(question), fires], sort_keys=True)
    return hashlib.sha256(content.encode()).hexdigest()


# ---------------------------------------------------------------------- since when


def blamed(editor: Editor, broken: Sequence[Broken]) -> list[Broken]:
    """The same with the first commit at which each was so, found by halving the line of commits."""
    store = editor.store
    line = store.history.line(editor.at)
    made = store.history.made(editor.at)
    start = {
        number: line.index(commit) if (commit := made.get(each.question.edit or "")) in line else 0
        for number, each in enumerate(broken)
    }
    good = {number: first - 1 for number, first in start.items()}
    bad = dict.fromkeys(start, len(line) - 1)
    # The commit that made an edit may have been wrong from the start: it is looked at as well.
    while any(bad[number] - good[number] > 1 for number in start):
        middles: dict[int, list[int]] = {}
        for number in start:
            if bad[number] - good[number] > 1:
                middles.setdefault((bad[number] + good[number]) // 2, []).append(number)
        at, numbers = next(iter(middles.items()))
        with at_state(editor, line[at]) as then:
            found = _asked(then, [broken[number].question for number in numbers])
        for number in numbers:
            (good if found[broken[number].question]["holds"] else bad)[number] = at
    return [
        Broken(each.question, each.answer, each.match, line[bad[number]])
        for number, each in enumerate(broken)
    ]
