"""One question between its first token and its last."""

from __future__ import annotations

import time
from typing import Literal

from memoir.host.scoped import Scope
from memoir.host.texts import Texts
from memoir.server.asked import Piece, Token
from memoir.server.engine.answering import Answering, News
from memoir.server.engine.branches import Branch
from memoir.server.engine.sampling import Chooser, Chosen
from memoir.server.engine.text import Decoder, Stops


class Row:
    """A question being answered.

    Args:
        answering: who is told.
        branch: whose edits are in force.
        texts: decodes tokens.

    Attributes:
        scope: what was decided on its prompt, while an edit may act; else None.
        chooser: how its tokens are chosen.
        finish: why nothing follows; None before.
        begun: when, on :func:`time.monotonic`'s clock.
    """

    def __init__(self, answering: Answering, branch: Branch, texts: Texts) -> None:
        question = answering.question
        self.answering = answering
        self.branch = branch
        self.scope = Scope() if question.edits else None
        self.chooser = Chooser(question.sampling)
        self.finish: Literal["stop", "length"] | None = None
        self.begun = time.monotonic()
        self._texts = texts
        self._decoder = Decoder(texts, question.prompt.prompt)
        self._stops = Stops(question.sampling.stop)
        self._tokens = 0

    @property
    def goes_on(self) -> bool:
        """Whether another token is wanted."""
        return self.finish is None and not self.answering.gone

    def judged(self) -> None:
        """Take note of what was decided on the prompt; where no edit fired there is nothing to act."""
        if self.scope is None:
            return
        verdicts = self.branch.method.verdicts(self.scope.route)
        if verdicts:
            (self.answering.match,) = verdicts
        if self.scope.route is None or not all(verdict.fired for verdict in verdicts):
            self.scope = None

    def take(self, chosen: Chosen) -> News | None:
        """Go on by a token; what there is to tell, which is never nothing at first and at last."""
        self._tokens += 1
        if self.scope is not None and self.branch.method.spent(self.scope.route):
            self.scope = None
        text, tokens = "", self._told(chosen)
        ended = chosen.id in self._texts.end_ids
        if not ended:
            text = self._stops.add(self._decoder.add(chosen.id))
        if ended or self._tokens >= self.answering.question.sampling.max_tokens:
            text += self._stops.add(self._decoder.rest())
            text += self._stops.rest()
            self.finish = "stop" if ended else "length"
        if self._stops.stopped:
            self.finish = "stop"
        if not (text or tokens or self.finish or self._tokens == 1):
            return None
        return News(self.answering, Piece(text, tokens, self.finish), self._tokens)

    def _told(self, chosen: Chosen) -> tuple[Token, ...]:
        if chosen.logprob is None or chosen.id in self._texts.end_ids:
            return ()
        likeliest = tuple((self._text(id), logprob) for id, logprob in chosen.likeliest)
        return (Token(chosen.id, self._text(chosen.id), chosen.logprob, likeliest),)

    def _text(self, id: int) -> str:
        tokenizer = self._texts.tokenizer
        return str(tokenizer.decode([id], clean_up_tokenization_spaces=False))
