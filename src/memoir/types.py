"""The values that travel between the rooms: frozen, named, and free of behaviour.

Axis names used in every signature of this package:

    batch   sequences          edits   edits fitted side by side
    seq     token positions    keys    token positions that carry a key (all contexts of one edit)
    d_in    inputs of the edited linear layer      d_out   its outputs
    hidden  width of the residual stream           vocab   tokens of the vocabulary
    k       active columns of one mask             stored  edits in an index
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
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
    """

    prompt: str
    target: str
    subject: str | None = None


@dataclass(frozen=True)
class Probe:
    """A prompt that tests an edit.

    Attributes:
        kind: ``rephrase`` (same fact, other words: must give the target), ``neighbour`` (same
            relation, other subject) or ``locality`` (something else): both must stay as they were.
        prompt: the text.
        expected: the answer known to be right, where the data set gives one.
    """

    kind: str
    prompt: str
    expected: str | None = None


@dataclass(frozen=True)
class Record:
    """One record of a data set: an edit and what tests it."""

    edit: Edit
    probes: tuple[Probe, ...] = ()

    def of(self, kind: str) -> list[Probe]:
        """The probes of one kind."""
        return [probe for probe in self.probes if probe.kind == kind]


@dataclass(frozen=True)
class Match:
    """The router's verdict on one prompt.

    Attributes:
        edit_id: the stored edit that overlaps most; ``None`` when nothing is stored.
        overlap: share of active columns in common with that edit, 0..1.
        threshold: the overlap from which an edit fires (the paper's τ), 0..1.
    """

    edit_id: str | None
    overlap: float
    threshold: float

    @property
    def fired(self) -> bool:
        """Whether the memory acted on this prompt."""
        return self.edit_id is not None and self.overlap >= self.threshold


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
class Receipt:
    """Proof that an edit is stored, returned only once it is durable.

    Attributes:
        id: name of the edit in the log; what ``revert`` takes.
        edit: what was taught.
        steps: optimiser updates made.
        loss: what the fit minimised, after the last update: mean cross-entropy on the target (nats
            per token), plus the anchor's term where the method has one.
        said: whether the model, fed the prompt and the target, ranks every target token first.
        bytes: size of the edit's tensors on disk.
        seconds: wall time of each stage: ``read``, ``fit``, ``write``. An edit fitted in a batch
            carries its share of the batch's time.
    """

    id: str
    edit: Edit
    steps: int
    loss: float
    said: bool
    bytes: int
    seconds: dict[str, float] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """The receipt as plain values, for ``--json``."""
        return {
            "id": self.id,
            "prompt": self.edit.prompt,
            "target": self.edit.target,
            "subject": self.edit.subject,
            "steps": self.steps,
            "loss": self.loss,
            "said": self.said,
            "bytes": self.bytes,
            "seconds": self.seconds,
        }
