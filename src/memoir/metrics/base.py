"""The contract every metric keeps, and the questions it may ask.

A metric never touches a model. It says what to ask about an item, and computes numbers from what was
said; whoever runs it may batch, share and cache the asking:

    asks(item) → questions       pure
    score(item, said) → numbers  pure

An item is a :class:`~memoir.types.Record` (``over = "records"``), or an item of the data set that
``over`` names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Protocol, overload

from memoir.types import Answer, Match, Score


@dataclass(frozen=True)
class Force:
    """Feed a prompt and its answer, and look where each answer token ranks.

    Only the prompt decides which edit fires; it is asked bare.

    Attributes:
        prompt, target: bare texts.
        edits: False asks the unedited model.
    """

    prompt: str
    target: str
    edits: bool = True


@dataclass(frozen=True)
class Say:
    """Let the model go on greedily after a prompt.

    Attributes:
        prompt: bare text.
        tokens: longest answer, in tokens.
        about: what the prompt is to the edit: ``edit`` or the kind of a probe.
        setting: what surrounds the prompt, see :data:`memoir.surroundings.SETTINGS`.
        edits: False asks the unedited model.
        want: what it should say, if anything; for readers of the answers.
    """

    prompt: str
    tokens: int
    about: str
    setting: str = "bare"
    edits: bool = True
    want: str | None = None


@dataclass(frozen=True)
class Compare:
    """Read a text with and without the edits, side by side.

    Attributes:
        prompt: its beginning, which decides which edit fires.
        text: the rest, on which both are compared.
    """

    prompt: str
    text: str


@dataclass(frozen=True)
class GoOn:
    """Let the edited model say its target, and see how the text goes on after it.

    Attributes:
        prompt: bare text.
        target: what it should say.
        tokens: longest answer, the target in it, in tokens.
        about: what the prompt is to the edit: ``edit`` or the kind of a probe.
        setting: what surrounds the prompt, see :data:`memoir.surroundings.SETTINGS`.
    """

    prompt: str
    target: str
    tokens: int
    about: str
    setting: str = "bare"


Ask = Force | Say | Compare | GoOn


@dataclass(frozen=True)
class Compared:
    """What became of a :class:`Compare`.

    Attributes:
        nll, unedited_nll: mean cross-entropy on the text, nats per token.
        kl: mean over tokens of KL(unedited ‖ edited), nats.
        match: the router's verdict, if the method has one.
    """

    nll: float
    unedited_nll: float
    kl: float
    match: Match | None = None


@dataclass(frozen=True)
class WentOn:
    """What became of a :class:`GoOn`, beside the unedited model going on from the same tokens.

    Attributes:
        text: all that the edited model said, the target in it.
        repetition, unedited_repetition: share of the bigrams of token ids after the target that
            occurred before in that continuation, 0..1; None for fewer than five tokens.
        nll, unedited_nll: mean cross-entropy of each continuation under the unedited model, nats per
            token; None if it is empty.
        said: whether the target occurs in the text. If not, all numbers are None.
    """

    text: str
    repetition: float | None = None
    unedited_repetition: float | None = None
    nll: float | None = None
    unedited_nll: float | None = None
    said: bool = False


class Said:
    """Everything that was said, by question."""

    def __init__(self) -> None:
        self._answers: dict[Ask, Any] = {}

    def put(self, ask: Ask, answer: Any) -> None:
        """Note an answer."""
        self._answers[ask] = answer

    @overload
    def __getitem__(self, ask: Force) -> Score: ...
    @overload
    def __getitem__(self, ask: Say) -> Answer: ...
    @overload
    def __getitem__(self, ask: Compare) -> Compared: ...
    @overload
    def __getitem__(self, ask: GoOn) -> WentOn: ...
    def __getitem__(self, ask: Ask) -> Any:
        return self._answers[ask]


@dataclass(frozen=True)
class Output:
    """One number a metric gives.

    Attributes:
        better: which direction is better; None where it only describes.
        means: its definition, one sentence.
        mean: how values of single items become one: ``arithmetic``, or ``exp`` for the exponential
            of their arithmetic mean (mean cross-entropies become a perplexity).
    """

    better: Literal["higher", "lower"] | None
    means: str
    mean: Literal["arithmetic", "exp"] = "arithmetic"


class Metric(Protocol):
    """A metric; its options are fields of a frozen dataclass.

    One that is not over records has an option ``items``: how many items of the data set it asks about.
    """

    over: ClassVar[str]
    outputs: ClassVar[Mapping[str, Output]]

    def asks(self, item: Any) -> Sequence[Ask]:
        """The questions that :meth:`score` needs answered."""

    def score(self, item: Any, said: Said, own: str | None) -> dict[str, float]:
        """Numbers by name; a name is left out where it does not apply to the item.

        Args:
            item: what was asked about.
            said: the answers.
            own: id of the item's own edit; None if it was refused, or if the item is no record.
        """


GIVES_TARGET = {
    "edit": "reliability",
    "rephrase": "generalization",
    "alias": "alias",
    "consequence": "consequence",
}
"""What must give a new answer, and the name under which that is reported."""

STAYS = ("locality", "neighbour", "attribute", "same_subject", "forgetfulness")
"""Kinds of probes whose answers must stay what they were."""
