"""What is remembered of answers: counted for Prometheus, and the last ones for the page's plots."""

from __future__ import annotations

from collections import deque

from prometheus_client import CollectorRegistry

from memoir.server.asked import Engine
from memoir.server.telling.answered import Answered, Told
from memoir.server.telling.metrics import Metrics, State

RECENT = 500
"""Answers that are remembered."""


class Record:
    """Remembers answers.

    Args:
        engine: for what is served now, and how busy it is.

    Attributes:
        registry: everything Prometheus may read.
        metrics: what is counted.
        recent: the last answers, oldest first.
    """

    def __init__(self, engine: Engine) -> None:
        self.registry = CollectorRegistry()
        self.metrics = Metrics(self.registry)
        self.registry.register(State(engine))
        self.recent: deque[Answered] = deque(maxlen=RECENT)

    def answered(self, answer: Answered, prompt_tokens: int, told: Told) -> None:
        """Remember an answer.

        Args:
            answer: it.
            prompt_tokens: that count for it: several answers to one prompt count it once.
            told: of its request.
        """
        self.recent.append(answer)
        self.metrics.answered(answer, prompt_tokens)
        told.prompt_tokens += prompt_tokens
        told.completion_tokens += answer.completion_tokens
        match = answer.match
        if match is not None and match.fired and match.edit_id not in told.fired:
            told.fired.append(str(match.edit_id))
