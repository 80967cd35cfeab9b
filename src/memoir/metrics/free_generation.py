"""Free generation: what the model says when nobody feeds it the answer. Higher is better, 0..1.

Greedy text, from the bare prompt and, where the model has one, from its own chat template:

    …_fg             the text begins with the target, as whole words
    …_exact          the text is the target and nothing else
    …_contains       the target occurs in the text
    …_chat           in chat, the text begins with the target
    …_chat_exact     in chat, the text is the target and nothing else
    …_chat_contains  in chat, the target occurs in the text

Texts are compared after :func:`memoir.metrics.text.normalise`. A probe that must stay as it was
counts 1 if its whole text is that of the unedited model, letter for letter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from memoir.metrics.base import GIVES_TARGET, STAYS, Ask, Output, Said, Say
from memoir.metrics.text import begins_with, contains, equals
from memoir.types import Record

FORMS = {"fg": begins_with, "exact": equals, "contains": contains}
MEANS = {
    "fg": "begins with the target",
    "exact": "is the target alone",
    "contains": "has the target",
}


def _outputs() -> dict[str, Output]:
    found: dict[str, Output] = {}
    for kind, name in GIVES_TARGET.items():
        for form, means in MEANS.items():
            found[f"{name}_{form}"] = Output(
                "higher", f"Greedy text after the {kind} prompt {means}."
            )
            in_chat = "chat" if form == "fg" else f"chat_{form}"
            found[f"{name}_{in_chat}"] = Output(
                "higher", f"The answer to the {kind} prompt in the chat template {means}."
            )
    for kind in STAYS:
        for form, place in (("fg", "after"), ("chat", "in the chat template, asked")):
            found[f"{kind}_{form}"] = Output(
                "higher", f"Greedy text {place} a {kind} prompt is the unedited model's, exactly."
            )
    return found


@dataclass(frozen=True)
class FreeGeneration:
    """Reliability, generalization and locality by free text; several probes are averaged.

    Attributes:
        tokens: longest answer, in tokens; a longer target can never be said in full.
        chat: also ask inside the chat template.
        chat_tokens: longest answer there.
    """

    over: ClassVar[str] = "records"
    outputs: ClassVar[dict[str, Output]] = _outputs()

    tokens: int = 24
    chat: bool = False
    chat_tokens: int = 24

    def asks(self, record: Record) -> Sequence[Ask]:
        """Every prompt bare, and in chat if wanted; those that must stay also without the edits."""
        return [ask for _, asks in self._pairs(record) for ask in asks]

    def score(self, record: Record, said: Said, own: str | None) -> dict[str, float]:
        """Shares of the probes of each kind whose text is as wanted."""
        values: dict[str, list[float]] = {}
        for name, (ask, *unedited) in self._pairs(record):
            text = said[ask].text
            if unedited:
                same = text == said[unedited[0]].text
                values.setdefault(f"{name}_{'chat' if ask.chat else 'fg'}", []).append(float(same))
                continue
            for form, fits in FORMS.items():
                in_chat = "chat" if form == "fg" else f"chat_{form}"
                key = f"{name}_{in_chat if ask.chat else form}"
                values.setdefault(key, []).append(float(fits(text, ask.want or "")))
        return {name: float(np.mean(each)) for name, each in values.items()}

    def _pairs(self, record: Record) -> list[tuple[str, list[Say]]]:
        """Name and questions: one for what must be said, edited and unedited for what must stay."""
        prompts = [("edit", record.edit.prompt, record.edit.target)]
        prompts += [(probe.kind, probe.prompt, probe.expected or "") for probe in record.probes]
        pairs = []
        for chat in (False, True) if self.chat else (False,):
            tokens = self.chat_tokens if chat else self.tokens
            for kind, prompt, target in prompts:
                if kind in GIVES_TARGET and target:
                    ask = Say(prompt, tokens, kind, chat, want=target)
                    pairs.append((GIVES_TARGET[kind], [ask]))
                elif kind in STAYS:
                    both = [Say(prompt, tokens, kind, chat, edits) for edits in (True, False)]
                    pairs.append((kind, both))
        return pairs
