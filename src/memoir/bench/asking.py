"""Putting a metric's questions to the model: batched by length, one prefill a prompt, each once.

Questions with the same prompt share its prefill, whether text is generated or answers are fed.
What the unedited model says is asked once per model and kept; it is also the answer wherever the
method knows beforehand that no edit fires.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, TypeVar

import torch
from torch.nn import functional as F

from memoir.bench.cache import UneditedCache
from memoir.bench.going_on import Begun, begun, went_on
from memoir.editor import Editor
from memoir.host.answering import answer
from memoir.host.tokens import Encoded
from memoir.metrics.base import Ask, Compare, Compared, Force, GoOn, Said, Say
from memoir.surroundings import conversation
from memoir.types import Answer, Match, Score

Item = TypeVar("Item")

TOKENS_AT_ONCE = 2048
"""Tokens of one batch, prompts and answers together: bounds memory, whatever the prompts' lengths."""

LOGITS_AT_ONCE = 512
"""Positions of one batch at which all logits are compared."""


class _Place(NamedTuple):
    """Where questions share a prefill."""

    prompt: str
    setting: str
    edits: bool


@dataclass
class _Job:
    """All questions of one place, and the longest text that was said there, as token ids."""

    prompt: Encoded
    says: list[Say] = field(default_factory=list)
    goes: list[GoOn] = field(default_factory=list)
    forces: list[Force] = field(default_factory=list)
    targets: list[Sequence[int]] = field(default_factory=list)
    said: Sequence[int] = ()

    @property
    def tokens(self) -> int:
        """The longest text asked for."""
        asks: list[Say | GoOn] = [*self.says, *self.goes]
        return max((ask.tokens for ask in asks), default=0)

    @property
    def length(self) -> int:
        """Tokens of the prompt and of what follows it."""
        longest = max((len(target) for target in self.targets), default=0)
        return len(self.prompt.prompt) + max(self.tokens, longest)


class Asker:
    """Asks an editor's model, edited and unedited.

    Args:
        editor: whose edits are in force.
        cache: for what the unedited model says.
    """

    def __init__(self, editor: Editor, cache: UneditedCache) -> None:
        self._editor = editor
        self._cache = cache

    def ask(self, asks: Iterable[Ask]) -> Said:
        """Every answer; a question that occurs twice is asked once."""
        said = Said()
        todo = []
        for question in dict.fromkeys(asks):
            known = None if _edited(question) else self._cache.get(question)
            if known is None:
                todo.append(question)
            else:
                said.put(question, known)
        self._compare([each for each in todo if isinstance(each, Compare)], said)
        for edits in (False, True):
            jobs = self._jobs(
                each for each in todo if not isinstance(each, Compare) and _edited(each) is edits
            )
            if edits and jobs:
                jobs = self._not_silent(jobs, said)
            self._answer(jobs, edits, said)
            self._go_on(jobs, said)
        return said

    def _not_silent(self, jobs: Sequence[_Job], said: Said) -> list[_Job]:
        """The jobs in which an edit fires. Of the others, where that is known beforehand, the unedited
        model's answers are put down: not one bit of the logits is another there, as the methods' tests
        assert."""
        matches = self._editor.method.foresee([job.prompt for job in jobs])
        if matches is None:
            return list(jobs)
        left = []
        quiet: dict[Say | Force, Match] = {}
        for job, match in zip(jobs, matches, strict=True):
            if match.fired or job.goes:
                left.append(job)
            else:
                quiet |= dict.fromkeys((*job.says, *job.forces), match)
        unedited = {ask: replace(ask, edits=False) for ask in quiet}
        known = self.ask(unedited.values())
        for ask, match in quiet.items():
            answer = known[unedited[ask]]
            said.put(ask, replace(answer, match=match) if isinstance(answer, Answer) else answer)
        return left

    def _jobs(self, asks: Iterable[Force | Say | GoOn]) -> list[_Job]:
        """The questions by prompt."""
        host = self._editor.host
        jobs: dict[_Place, _Job] = {}
        for ask in asks:
            setting = "bare" if isinstance(ask, Force) else ask.setting
            place = _Place(ask.prompt, setting, _edited(ask))
            if place not in jobs:
                jobs[place] = _Job(self._encode(setting, ask.prompt))
            job = jobs[place]
            if isinstance(ask, Say):
                job.says.append(ask)
            elif isinstance(ask, GoOn):
                job.goes.append(ask)
            else:
                job.forces.append(ask)
                job.targets.append(host.encode(ask.prompt, ask.target).target)
        return list(jobs.values())

    def _encode(self, setting: str, prompt: str) -> Encoded:
        put = conversation(setting, prompt)
        host = self._editor.host
        return host.encode(put) if isinstance(put, str) else host.encode_chat(put)

    def _answer(self, jobs: Sequence[_Job], edits: bool, said: Said) -> None:
        # Rows of one batch generate equally far, so that none waits for another.
        for tokens in sorted({job.tokens for job in jobs}):
            same = [job for job in jobs if job.tokens == tokens]
            for batch in batches(same, lambda job: job.length, TOKENS_AT_ONCE):
                answers = self._answer_batch(batch, tokens, edits)
                for ask, each in answers:
                    said.put(ask, each)
                if not edits:
                    self._cache.put(answers)

    def _answer_batch(
        self, jobs: Sequence[_Job], tokens: int, edits: bool
    ) -> list[tuple[Say | Force, Answer | Score]]:
        editor, host = self._editor, self._editor.host
        with editor.edits_in_force(edits), editor.method.attachment.scope() as scope:
            answered = answer(
                host, [job.prompt for job in jobs], [job.targets for job in jobs], tokens
            )
        matches = _matches(editor, scope.route, len(jobs))
        found: list[tuple[Say | Force, Answer | Score]] = []
        for job, each, match in zip(jobs, answered, matches, strict=True):
            job.said = each.continuation
            for say in job.says:
                text = host.decode(each.continuation[: say.tokens])
                found.append((say, Answer(text, match)))
            found += zip(job.forces, each.scores, strict=True)
        return found

    def _go_on(self, jobs: Sequence[_Job], said: Said) -> None:
        """Let the unedited model go on where a target was said; the jobs are answered."""
        editor = self._editor
        texts: list[Begun] = []
        for job in jobs:
            for ask in job.goes:
                text = begun(editor.host, ask, job.prompt, job.said)
                if isinstance(text, Begun):
                    texts.append(text)
                else:
                    said.put(ask, text)
        for batch in batches(texts, lambda text: text.length, TOKENS_AT_ONCE):
            with editor.edits_in_force(False):
                found = went_on(editor.host, batch)
            for text, each in zip(batch, found, strict=True):
                said.put(text.ask, each)

    @torch.no_grad()
    def _compare(self, asks: Sequence[Compare], said: Said) -> None:
        host = self._editor.host
        rows = {ask: host.encode(ask.prompt, ask.text) for ask in asks}
        for batch in batches(list(asks), lambda ask: len(rows[ask].ids), LOGITS_AT_ONCE):
            for ask, compared in zip(
                batch, self._compare_batch([rows[ask] for ask in batch]), strict=True
            ):
                said.put(ask, compared)

    def _compare_batch(self, rows: Sequence[Encoded]) -> list[Compared]:
        editor, host = self._editor, self._editor.host
        tokens = host.batch(rows)
        keep = tokens.longest_answer + 1
        with editor.edits_in_force(False):
            old = host.logits(tokens, keep)[:, :-1].float().log_softmax(-1)
        with editor.method.attachment.scope([len(row.prompt) for row in rows]) as scope:
            new = host.logits(tokens, keep)[:, :-1].float().log_softmax(-1)
        ids, real = tokens.ids[:, 1 - keep :], tokens.target[:, 1 - keep :]
        kl = F.kl_div(new, old, reduction="none", log_target=True).sum(-1)
        nll, old_nll = (-each.gather(-1, ids.unsqueeze(-1)).squeeze(-1) for each in (new, old))
        means = [((each * real).sum(1) / real.sum(1)).tolist() for each in (nll, old_nll, kl)]
        matches = _matches(editor, scope.route, len(rows))
        return [Compared(*each) for each in zip(*means, matches, strict=True)]


def batches(
    items: Sequence[Item], length: Callable[[Item], int], at_once: int
) -> Iterator[list[Item]]:
    """Items of similar length together, longest last; padded, no batch exceeds ``at_once``.

    An item longer than that stands alone.
    """
    batch: list[Item] = []
    for item in sorted(items, key=length):
        if batch and length(item) * (len(batch) + 1) > at_once:
            yield batch
            batch = []
        batch.append(item)
    if batch:
        yield batch


def _matches(editor: Editor, route: object, rows: int) -> Sequence[Match | None]:
    return [None] * rows if route is None else editor.method.verdicts(route)


def _edited(ask: Ask) -> bool:
    return isinstance(ask, Compare | GoOn) or ask.edits
