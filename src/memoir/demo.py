"""The demo: thirty facts taught one after the other, then everything asked.

Answers are greedy text. A bare prompt holds if its answer begins with the target; a chat question, if
the target occurs in its answer (a good answer there is a sentence). Neighbours and unrelated prompts
hold if their answer is exactly the one the unedited model gave.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

from memoir.editor import Editor
from memoir.errors import EditRefused
from memoir.metrics.text import begins_with, contains
from memoir.store import Row, Store
from memoir.types import Answer, Progress, no_progress

ANSWER_TOKENS = 16


@dataclass(frozen=True)
class Question:
    """One thing asked of the model about one fact.

    Attributes:
        fact: index of the fact.
        kind: ``prompt``, ``rephrase``, ``chat``, ``neighbour`` or ``unrelated``.
        text: what is asked.
    """

    fact: int
    kind: str
    text: str


@dataclass(frozen=True)
class Asked:
    """A question with its answers.

    Attributes:
        question: what was asked.
        before: text of the unedited model.
        after: answer after the last edit.
        held: whether it is as it should be.
    """

    question: Question
    before: str
    after: Answer
    held: bool


@dataclass(frozen=True)
class Outcome:
    """Everything the demo found.

    Attributes:
        facts: the facts, as in the file.
        asked: every question with its answers.
        refused: messages of edits that were refused.
        seconds_per_edit: mean wall time of an edit.
        taken_back: the edit that was reverted, with its prompt's text before any edit, in force,
            and after the revert.
        reverted_restored: after the revert all prompts answer as from a store in which that edit was
            never made, and all others as they did.
        reloaded_identical: the store, opened in a new process, gives the same texts.
    """

    facts: list[dict[str, Any]]
    asked: list[Asked]
    refused: list[str]
    seconds_per_edit: float
    taken_back: dict[str, str]
    reverted_restored: bool
    reloaded_identical: bool

    def share(self, kind: str) -> float:
        """Share of the questions of a kind that hold, 0..1."""
        held = [asked.held for asked in self.asked if asked.question.kind == kind]
        return sum(held) / len(held)

    def summary(self) -> dict[str, Any]:
        """The figures, named as in the documentation."""
        return {
            "n": len(self.facts),
            "reliability": self.share("prompt"),
            "generalization": self.share("rephrase"),
            "neighbours_unchanged": self.share("neighbour"),
            "unrelated_unchanged": self.share("unrelated"),
            "chat": self.share("chat"),
            "reverted_restored": self.reverted_restored,
            "reloaded_identical": self.reloaded_identical,
        }

    def as_dict(self) -> dict[str, Any]:
        """Summary and every single answer, for ``--json``."""
        return {
            "summary": self.summary(),
            "refused": self.refused,
            "seconds_per_edit": self.seconds_per_edit,
            "taken_back": self.taken_back,
            "facts": [
                {
                    "id": fact["id"],
                    "prompt": fact["prompt"],
                    "target": fact["target"],
                    "answers": [_plain(asked) for asked in self.asked if asked.question.fact == i],
                }
                for i, fact in enumerate(self.facts)
            ],
        }


def load_facts() -> list[dict[str, Any]]:
    """The facts that ship with the package."""
    lines = (files("memoir") / "resources" / "demo_facts.jsonl").read_text("utf-8").splitlines()
    return [json.loads(line) for line in lines if line.strip()]


def run_demo(editor: Editor, progress: Progress = no_progress) -> Outcome:
    """Teach every fact to a new store's editor, one after the other, and ask everything."""
    facts = load_facts()
    questions = _questions(facts)
    progress("asking the unedited model", 0, 1)
    before = _ask(editor, questions, edits=False)
    progress("asking the unedited model", 1, 1)

    receipts, refused = [], []
    for done, fact in enumerate(facts):
        progress("teaching facts", done, len(facts))
        try:
            receipts.append(editor.edit(fact["prompt"], fact["target"], fact["subject"]))
        except EditRefused as error:
            refused.append(str(error))
    progress("teaching facts", len(facts), len(facts))

    progress("asking the edited model", 0, 1)
    after = _ask(editor, questions)
    asked = [
        Asked(question, old.text, new, _held(facts[question.fact], question, old, new))
        for question, old, new in zip(questions, before, after, strict=True)
    ]
    progress("asking the edited model", 1, 1)

    progress("opening the store in a new process", 0, 1)
    prompts = [fact["prompt"] for fact in facts]
    texts = [answer.text for answer in editor.ask_many(prompts, max_new_tokens=ANSWER_TOKENS)]
    identical = _asked_in_new_process(editor, prompts) == texts
    progress("opening the store in a new process", 1, 1)

    progress("taking one edit back", 0, 1)
    reverted = receipts[len(receipts) // 2]
    editor.revert(reverted.id)
    restored = [answer.text for answer in editor.ask_many(prompts, max_new_tokens=ANSWER_TOKENS)]
    at = prompts.index(reverted.edit.prompt)
    others_stay = restored[:at] + restored[at + 1 :] == texts[:at] + texts[at + 1 :]
    as_never_made = restored == _asked_without(editor, reverted.id, prompts)
    unedited = next(one.before for one in asked if one.question.text == reverted.edit.prompt)
    progress("taking one edit back", 1, 1)

    return Outcome(
        facts,
        asked,
        refused,
        sum(sum(receipt.seconds.values()) for receipt in receipts) / len(receipts),
        {
            "id": reverted.id,
            "prompt": reverted.edit.prompt,
            "unedited": unedited,
            "in_force": texts[at],
            "reverted": restored[at],
        },
        others_stay and as_never_made,
        identical,
    )


def _questions(facts: Sequence[dict[str, Any]]) -> list[Question]:
    questions = []
    for i, fact in enumerate(facts):
        questions.append(Question(i, "prompt", fact["prompt"]))
        questions += [Question(i, "rephrase", text) for text in fact["rephrases"]]
        questions += [Question(i, kind, fact[kind]) for kind in ("chat", "neighbour", "unrelated")]
    return questions


def _ask(editor: Editor, questions: Sequence[Question], edits: bool = True) -> list[Answer]:
    """Answers in order; chat questions go through the chat template."""
    answers: dict[Question, Answer] = {}
    for chat in (False, True):
        part = [question for question in questions if (question.kind == "chat") == chat]
        texts = [question.text for question in part]
        found = editor.ask_many(
            texts,
            chat=chat,
            max_new_tokens=2 * ANSWER_TOKENS if chat else ANSWER_TOKENS,
            edits=edits,
        )
        answers.update(zip(part, found, strict=True))
    return [answers[question] for question in questions]


def _held(fact: dict[str, Any], question: Question, before: Answer, after: Answer) -> bool:
    if question.kind == "chat":
        return contains(after.text, fact["target"])
    if question.kind in ("prompt", "rephrase"):
        return begins_with(after.text, fact["target"])
    return after.text == before.text


def _asked_without(editor: Editor, id: str, prompts: Sequence[str]) -> list[str]:
    """Answers from a new store that holds every edit but one, copied row by row."""
    with tempfile.TemporaryDirectory(prefix="memoir-demo-") as folder:
        copy = Store.create(Path(folder) / "store")
        settings = editor.store.settings()
        assert settings is not None, "an editor's store is bound to its model"

        def copied(row: Row) -> Row:
            return copy.row(row.kind, row.body, editor.store.tensors(row))

        with copy.writing():
            others = [copied(row) for row in editor.store.live() if row.id != id]
            copy.commit(others, settings=copied(settings))
        with editor.method.attachment.paused(), Editor(editor.host, copy) as other:
            return [answer.text for answer in other.ask_many(prompts, max_new_tokens=ANSWER_TOKENS)]


def _asked_in_new_process(editor: Editor, prompts: Sequence[str]) -> list[str]:
    command = [sys.executable, "-m", "memoir", "ask", "--json", "--store", str(editor.store.folder)]
    options = ["--max-new-tokens", str(ANSWER_TOKENS), "--", *prompts]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=True)
    return [answer["text"] for answer in json.loads(done.stdout)]


def _plain(asked: Asked) -> dict[str, Any]:
    match = asked.after.match
    return {
        "kind": asked.question.kind,
        "prompt": asked.question.text,
        "before": asked.before,
        "after": asked.after.text,
        "match": None if match is None else {**vars(match), "fired": match.fired},
        "score": float(asked.held),
    }
