"""The values that travel between the rooms: frozen, named, and free of behaviour.

Axis names used in every signature of this package:

    batch   sequences          edits   edits fitted side by side
    seq     token positions    keys    token positions that carry a key (all contexts of one edit)
    d_in    inputs of the edited linear layer      d_out   its outputs
    hidden  width of the residual stream           vocab   tokens of the vocabulary
    k       active columns of one mask             stored  edits in an index
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Progress = Callable[[str, int, int], None]
"""Called with (what is being done, units done, units in all)."""


def no_progress(_what: str, _done: int, _total: int) -> None:
    """The silent progress callback."""


@dataclass(frozen=True)
class Edit:
    """One fact to teach: after ``prompt`` the model shall say ``target``.

    Attributes:
        prompt: text whose continuation is changed; not empty.
        target: the new continuation, without the space that separates it from the prompt.
        subject: what the fact is about, if known. Methods that need it say so.
        phrasings: the same prompt in other words, if known; each must mean the same.
        aliases: other names of the subject.
        source: where the fact is from: an address, or words.
        expires: the last day it is known to hold, ISO 8601 (``2026-12-31``).
        tags: words to find it by.
    """

    prompt: str
    target: str
    subject: str | None = None
    phrasings: tuple[str, ...] = ()
    aliases: tuple[str, ...] = ()
    source: str | None = None
    expires: str | None = None
    tags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Note:
    """Who changes a store, and why.

    Attributes:
        message: why, in a line; empty for a description of the change.
        author: who; None for ``MEMOIR_AUTHOR`` or the user's name on this machine.
        forced: objections that were overridden.
    """

    message: str = ""
    author: str | None = None
    forced: tuple[str, ...] = ()


@dataclass(frozen=True)
class Probe:
    """A prompt that tests an edit.

    Attributes:
        kind: what the prompt is to the edit. Must give ``expected``:

            ``rephrase``       the same fact in other words
            ``alias``          the same fact, its subject under another name
            ``consequence``    something that follows from the fact
            ``ood``            the edit's prompt, continued as another text on the subject does

            Must stay as they were:

            ``locality``       something else
            ``neighbour``      the same relation, another subject
            ``attribute``      another subject that truly has the new target
            ``same_subject``   the same subject, another relation
            ``forgetfulness``  the same question, asking for its other answer than the target
        prompt: the text; not empty.
        expected: the answer known to be right, where the data set gives one; not empty.
    """

    kind: str
    prompt: str
    expected: str | None = None


@dataclass(frozen=True)
class Record:
    """One record of a data set: an edit and what tests it.

    Attributes:
        edit: what is taught.
        probes: what tests it.
        message: why it is taught, in a line, where the record says so.
        where: its file and place there, for messages.
    """

    edit: Edit
    probes: tuple[Probe, ...] = ()
    message: str = ""
    where: str = field(default="", compare=False)

    def of(self, kind: str) -> list[Probe]:
        """The probes of one kind."""
        return [probe for probe in self.probes if probe.kind == kind]


@dataclass(frozen=True)
class Question:
    """A question about the world.

    Attributes:
        prompt: the question, as the data set writes it; not empty.
        answers: every answer that counts as right; at least one.
    """

    prompt: str
    answers: tuple[str, ...]


@dataclass(frozen=True)
class Choice:
    """A question with answers to choose from.

    Attributes:
        query: the question; not empty.
        choices: the answers, none empty; at least two.
        gold: index of the right one, 0..len(choices) - 1.
    """

    query: str
    choices: tuple[str, ...]
    gold: int


Item = Record | Question | Choice | str
"""What data sets are made of; the last is a text."""


@dataclass(frozen=True)
class Dropped:
    """Something a file holds and its data set does not.

    Attributes:
        where: ``record 25`` (from 0) or ``line 7`` (from 1), as in the file.
        what: ``record``, or the kind of the probe that lost its prompt or its expected answer.
        why: the reason, in the same words for every record it applies to.
    """

    where: str
    what: str
    why: str


@dataclass(frozen=True)
class DataSet:
    """One split of a data set, as read from one file.

    Attributes:
        name: the data set's name.
        file: where it was read.
        sha256: of the file's bytes, in hex.
        items: what is usable, in the file's order; at least one.
        read: records in the file, usable or not.
        dropped: what is missing from ``items``, in the file's order.
    """

    name: str
    file: Path
    sha256: str
    items: tuple[Item, ...]
    read: int
    dropped: tuple[Dropped, ...] = ()


@dataclass(frozen=True)
class Match:
    """The router's verdict on one prompt.

    Attributes:
        edit_id: the stored edit that fits best; ``None`` when none could be meant.
        score: how well it fits, 0..1: the paper's overlap, or the probability that it is meant.
        threshold: the score from which an edit fires (the paper's τ), 0..1.
        evidence: why, as plain values: words recognised, scores of subject and relation.
    """

    edit_id: str | None
    score: float
    threshold: float
    evidence: Mapping[str, Any] = field(default_factory=dict)

    @property
    def fired(self) -> bool:
        """Whether the memory acted on this prompt."""
        return self.edit_id is not None and self.score >= self.threshold


@dataclass(frozen=True)
class Answer:
    """Generated text with the evidence of what produced it.

    Attributes:
        text: the continuation alone, special tokens removed, outer white space stripped.
        match: the router's verdict; ``None`` when the edits were switched off.
    """

    text: str
    match: Match | None = None


@dataclass(frozen=True)
class Score:
    """Teacher-forced score of one target.

    Attributes:
        correct: per target token, whether it ranks first given prompt and true earlier tokens.
        predicted: per target token, the id that ranks first.
        loss: mean cross-entropy on the target, nats per token.
    """

    correct: tuple[bool, ...]
    predicted: tuple[int, ...]
    loss: float

    @property
    def accuracy(self) -> float:
        """Share of target tokens that rank first, 0..1."""
        return sum(self.correct) / len(self.correct)


@dataclass(frozen=True)
class Receipt:
    """Proof that an edit is stored, returned only once it is durable.

    Attributes:
        id: name of the edit in the log; ``revert`` takes it, or a beginning of it.
        commit: the commit that brought it into force.
        edit: what was taught.
        steps: optimiser updates made.
        loss: what the fit minimised, after the last update: mean cross-entropy on the target (nats
            per token), plus the anchor's term where the method has one.
        said: whether the model, fed the prompt and the target, ranks every target token first.
        bytes: size of the edit's tensors on disk.
        seconds: wall time of each stage: ``read``, ``fit``, ``write``, and of what else the method
            does. An edit fitted in a batch carries its share of the batch's time.
    """

    id: str
    edit: Edit
    steps: int
    loss: float
    said: bool
    bytes: int
    seconds: dict[str, float] = field(default_factory=dict)
    commit: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """The receipt as plain values, for ``--json``."""
        return {
            "id": self.id,
            "commit": self.commit,
            "prompt": self.edit.prompt,
            "target": self.edit.target,
            "subject": self.edit.subject,
            "phrasings": list(self.edit.phrasings),
            "aliases": list(self.edit.aliases),
            "source": self.edit.source,
            "expires": self.edit.expires,
            "tags": list(self.edit.tags),
            "steps": self.steps,
            "loss": self.loss,
            "said": self.said,
            "bytes": self.bytes,
            "seconds": self.seconds,
        }
