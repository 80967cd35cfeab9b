"""Numbers for Prometheus, in a registry of the app's own."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from memoir.server.asked import Engine
from memoir.server.telling.answered import Answered
from memoir.store.rows import short

SECONDS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
SCORES = tuple(step / 20 for step in range(1, 21))


class Metrics:
    """What is counted as it happens."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Counter(
            "memoir_requests",
            "Requests answered",
            ["route", "method", "status"],
            registry=registry,
        )
        self._request_seconds = Histogram(
            "memoir_request_seconds",
            "From a request's arrival to the end of its response",
            ["route"],
            buckets=SECONDS,
            registry=registry,
        )
        self._first = Histogram(
            "memoir_first_token_seconds",
            "From a question to the first piece of its answer",
            ["branch"],
            buckets=SECONDS,
            registry=registry,
        )
        self._answer_seconds = Histogram(
            "memoir_answer_seconds",
            "From a question to the end of its answer",
            ["branch"],
            buckets=SECONDS,
            registry=registry,
        )
        self._prompt_tokens = Counter(
            "memoir_prompt_tokens", "Tokens of prompts", ["branch"], registry=registry
        )
        self._completion_tokens = Counter(
            "memoir_completion_tokens", "Tokens of answers", ["branch"], registry=registry
        )
        self._answers = Counter(
            "memoir_answers",
            "Answers, by why they ended",
            ["branch", "finish"],
            registry=registry,
        )
        self._asked = Counter(
            "memoir_edits_asked",
            "Answers where the router decided whether an edit is meant",
            ["branch"],
            registry=registry,
        )
        self._fired = Counter(
            "memoir_edits_fired", "Answers that an edit gave", ["branch"], registry=registry
        )
        self._overlap = Histogram(
            "memoir_overlap",
            "How well the best edit fitted a prompt",
            ["branch"],
            buckets=SCORES,
            registry=registry,
        )

    def requested(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count a request, under its route's template and not its address."""
        self._requests.labels(route, method, status).inc()
        self._request_seconds.labels(route).observe(seconds)

    def answered(self, answer: Answered, prompt_tokens: int) -> None:
        """Count an answer."""
        branch, match = answer.branch, answer.match
        self._answers.labels(branch, answer.finish).inc()
        self._prompt_tokens.labels(branch).inc(prompt_tokens)
        self._completion_tokens.labels(branch).inc(answer.completion_tokens)
        self._answer_seconds.labels(branch).observe(answer.seconds)
        if answer.first is not None:
            self._first.labels(branch).observe(answer.first)
        if match is not None:
            self._asked.labels(branch).inc()
            self._fired.labels(branch).inc(match.fired)
            self._overlap.labels(branch).observe(match.score)


class State(Collector):
    """What the engine says of itself when it is looked at."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def describe(self) -> list[Metric]:
        """Nothing: names need not be known before the engine is."""
        return []

    def collect(self) -> Iterator[Metric]:
        """The gauges."""
        live = GaugeMetricFamily("memoir_edits_live", "Edits in force", labels=["branch"])
        commit = GaugeMetricFamily(
            "memoir_commit", "The commit answers begin with now", labels=["branch", "commit"]
        )
        follows = GaugeMetricFamily(
            "memoir_follows", "Whether a branch follows its store, 1 or 0", labels=["branch"]
        )
        for served in self._engine.served():
            follows.add_metric([served.name], served.error is None)
            live.add_metric([served.name], served.edits)
            commit.add_metric([served.name, short(served.commit)], 1)
        load = self._engine.load()
        questions = GaugeMetricFamily(
            "memoir_questions", "Questions at work and in the queue", labels=["state"]
        )
        questions.add_metric(["running"], load.running)
        questions.add_metric(["waiting"], load.waiting)
        yield from (live, commit, follows, questions)
