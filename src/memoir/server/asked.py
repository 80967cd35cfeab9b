"""What is asked of a served model, and what comes back piece by piece.

The web layer knows an :class:`Engine` and nothing of the model behind it.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from memoir.host.texts import Texts
from memoir.host.tokens import Encoded
from memoir.types import Match


@dataclass(frozen=True)
class Sampling:
    """How tokens are chosen.

    Attributes:
        max_tokens: of the answer, from 1.
        temperature: 0 takes the likeliest token; up to 2.
        top_p: share of the probability that may be drawn from, above 0 and up to 1.
        seed: of the draws; None for another one each time.
        stop: texts that end the answer, which does not hold them.
        likeliest: how many alternatives to tell at each token, with their log-probabilities; None for
            no log-probabilities at all.
    """

    max_tokens: int
    temperature: float = 1.0
    top_p: float = 1.0
    seed: int | None = None
    stop: tuple[str, ...] = ()
    likeliest: int | None = None


@dataclass(frozen=True)
class Question:
    """One prompt.

    Attributes:
        prompt: its tokens.
        sampling: how it is answered.
        state: the branch whose edits are in force.
        edits: False asks the unedited model.
    """

    prompt: Encoded
    sampling: Sampling
    state: str
    edits: bool = True


@dataclass(frozen=True)
class Token:
    """A token of an answer.

    Attributes:
        id, text: it.
        logprob: natural logarithm of the model's probability for it, before temperature and top_p.
        likeliest: the likeliest tokens there, each with its text and logarithm, the best first.
    """

    id: int
    text: str
    logprob: float
    likeliest: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class Piece:
    """What came since the last piece.

    Attributes:
        text: may be empty, while a stop text may still be completed.
        tokens: given if log-probabilities were asked for.
        finish: why nothing follows: ``stop`` (an end token or a stop text) or ``length``; None before.
    """

    text: str
    tokens: tuple[Token, ...] = ()
    finish: Literal["stop", "length"] | None = None


class Generation(Protocol):
    """An answer under way; iterate over it once.

    Attributes:
        commit: id of the commit whose edits are in force in it, whatever is committed meanwhile.
        match: the router's verdict, from the first piece on; None where nothing decides.
        prompt_tokens, completion_tokens: so far.
    """

    commit: str
    match: Match | None
    prompt_tokens: int
    completion_tokens: int

    def __aiter__(self) -> AsyncIterator[Piece]:
        """The pieces as they come; the last one says why it ends."""

    def cancel(self) -> None:
        """Stop the work; calling it again, or at the end, does nothing."""


@dataclass(frozen=True)
class Served:
    """A branch as it is served now.

    Attributes:
        name: of the branch.
        commit: id of the commit its answers begin with now.
        edits: number of edits in force.
        threshold: score from which an edit fires; None where nothing decides.
        error: why it does not follow its store any more, for those who keep the server; None if it
            does. What it served last is in force still, or it cannot be asked.
    """

    name: str
    commit: str
    edits: int
    threshold: float | None
    error: str | None = None


@dataclass(frozen=True)
class Load:
    """How busy an engine is, in questions."""

    running: int
    waiting: int


class Engine(Protocol):
    """Answers questions side by side, on every served branch, with one copy of the weights.

    Attributes:
        texts: encodes prompts and conversations.
        model: how the model is called.
    """

    texts: Texts
    model: str

    async def ask(self, question: Question) -> Generation:
        """Take a question in.

        Raises:
            ServerBusy: too many wait already, or the server is closing.
            UnknownName: no such branch is served.
        """

    def served(self) -> Sequence[Served]:
        """The branches."""

    async def reached(self, state: str, commit: str) -> None:
        """Wait until questions on a branch begin with a commit or a later one."""

    def load(self) -> Load:
        """How busy it is."""

    async def close(self, patience: float) -> None:
        """Take no more questions, and wait for those under way, at most so many seconds."""
