"""A language model as judge: does the answer, read as a person would, state the target? Off by default.

Any OpenAI-compatible endpoint will do. The judge sees the question, the target and the answer, and
must reply YES or NO. It is never replaced by something else: if it cannot be reached, or replies
neither, the run stops with the reason, and finished records stay.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import httpx
import numpy as np

from memoir.errors import BadInput, JudgeUnavailable, UnknownName
from memoir.metrics.base import GIVES_TARGET, Ask, Output, Said, Say
from memoir.surroundings import SETTINGS
from memoir.types import Record

INSTRUCTION = (
    "You grade answers. Reply with exactly one word: YES if the answer states the reference as its "
    "answer to the question, NO if it does not, contradicts it, or does not answer."
)


@dataclass(frozen=True)
class Judge:
    """Reliability and generalization as judged on the text.

    Attributes:
        url: the endpoint's base, e.g. ``http://127.0.0.1:8000/v1``.
        model: name of the judging model, as the endpoint calls it.
        key_variable: environment variable that holds the API key, if the endpoint wants one.
        tokens: longest answer of the edited model, in tokens.
        setting: what surrounds the question, see :data:`memoir.surroundings.SETTINGS`.
        timeout: seconds to wait for one verdict.
    """

    over: ClassVar[str] = "records"
    outputs: ClassVar[dict[str, Output]] = {
        f"{name}_judge": Output("higher", f"A judging model says the {kind} answer is the target.")
        for kind, name in GIVES_TARGET.items()
    }

    url: str = ""
    model: str = ""
    key_variable: str = "MEMOIR_JUDGE_KEY"
    tokens: int = 32
    setting: str = "bare"
    timeout: float = 60.0

    def __post_init__(self) -> None:
        if not self.url or not self.model:
            raise BadInput(
                "the metric judge needs the url of an OpenAI-compatible endpoint and the name of a "
                'model there, e.g. [metrics.judge] url = "http://127.0.0.1:8000/v1", model = "judge".'
            )
        if self.setting not in SETTINGS:
            raise UnknownName.among("setting", self.setting, SETTINGS)

    def asks(self, record: Record) -> Sequence[Ask]:
        """The prompts that must give a target."""
        return self._says(record)

    def score(self, record: Record, said: Said, own: str | None) -> dict[str, float]:
        """Shares of YES per kind.

        Raises:
            JudgeUnavailable: the endpoint failed, or its reply is no verdict.
        """
        values: dict[str, list[float]] = {}
        with httpx.Client(timeout=self.timeout, headers=self._headers()) as client:
            for ask in self._says(record):
                verdict = self._verdict(client, ask, said[ask].text)
                values.setdefault(f"{GIVES_TARGET[ask.about]}_judge", []).append(float(verdict))
        return {name: float(np.mean(each)) for name, each in values.items()}

    def _says(self, record: Record) -> list[Say]:
        prompts = [("edit", record.edit.prompt, record.edit.target)]
        prompts += [(probe.kind, probe.prompt, probe.expected or "") for probe in record.probes]
        return [
            Say(prompt, self.tokens, kind, self.setting, want=target)
            for kind, prompt, target in prompts
            if kind in GIVES_TARGET and target
        ]

    def _headers(self) -> dict[str, str]:
        key = os.environ.get(self.key_variable)
        return {"Authorization": f"Bearer {key}"} if key else {}

    def _verdict(self, client: httpx.Client, ask: Say, text: str) -> bool:
        question = f"Question: {ask.prompt}\nReference: {ask.want}\nAnswer: {text}"
        body = {
            "model": self.model,
            "temperature": 0,
            "max_tokens": 3,
            "messages": [
                {"role": "system", "content": INSTRUCTION},
                {"role": "user", "content": question},
            ],
        }
        try:
            reply = client.post(f"{self.url.rstrip('/')}/chat/completions", json=body)
            reply.raise_for_status()
            word = str(reply.json()["choices"][0]["message"]["content"]).strip().strip(".").upper()
        except (
            httpx.HTTPError,
            httpx.InvalidURL,
            ValueError,
            KeyError,
            IndexError,
            TypeError,
        ) as error:
            raise JudgeUnavailable(
                f"the judge at {self.url} gave no verdict ({type(error).__name__}: {error}). "
                "Nothing was judged in its place; start it and run the same command again."
            ) from error
        if word not in ("YES", "NO"):
            raise JudgeUnavailable(
                f"the judge at {self.url} ({self.model}) replied {word!r}, not YES or NO. "
                "Choose a model that follows the instruction."
            )
        return word == "YES"
