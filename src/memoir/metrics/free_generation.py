"""Free generation: what the model says when nobody feeds it the answer. Higher is better, 0..1.

Greedy text, from the bare prompt and, where the model has a chat template, in other settings of a
conversation (``chat``, ``system``, ``turns``, ``document``; see :mod:`memoir.surroundings`):

    …_fg             the text begins with the target, as whole words
    …_exact          the text is the target and nothing else
    …_contains       the target occurs in the text
    …_chat           in chat, the text begins with the target
    …_chat_exact     in chat, the text is the target and nothing else
    …_chat_contains  in chat, the target occurs in the text; likewise …_system, …_turns, …_document

Texts are compared after :func:`memoir.metrics.text.normalise`. A probe that must stay as it was
counts 1 if its whole text is that of the unedited model, letter for letter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from memoir.metrics.base import GIVES_TARGET, STAYS, Ask, Output, Said, Say
from memoir.metrics.settings import BESIDES, WHERE, Share, asked_in, check, probes_in
from memoir.metrics.text import begins_with, contains, equals
from memoir.types import Record

FORMS = {"fg": begins_with, "exact": equals, "contains": contains}
MEANS = {
    "fg": "begins with the target",
    "exact": "is the target alone",
    "contains": "has the target",
}


def _form(form: str, setting: str) -> str:
    """How a form of a score is called in a setting: ``fg``, ``chat``, ``chat_exact``."""
    if setting == "bare":
        return form
    return setting if form == "fg" else f"{setting}_{form}"


def _outputs() -> dict[str, Output]:
    found: dict[str, Output] = {}
    for kind, name in GIVES_TARGET.items():
        for form, means in MEANS.items():
            found[f"{name}_{form}"] = Output(
                "higher", f"Greedy text after the {kind} prompt {means}."
            )
            for setting in BESIDES:
                found[f"{name}_{_form(form, setting)}"] = Output(
                    "higher", f"The answer to the {kind} prompt{WHERE[setting]} {means}."
                )
    for kind in STAYS:
        places = {"fg": " after"} | {each: f"{WHERE[each]}, asked" for each in BESIDES}
        for form, place in places.items():
            found[f"{kind}_{form}"] = Output(
                "higher", f"Greedy text{place} a {kind} prompt is the unedited model's, exactly."
            )
    return found


@dataclass(frozen=True)
class FreeGeneration:
    """Reliability, generalization and locality by free text; several probes are averaged.

    Attributes:
        tokens: longest answer, in tokens; a longer target can never be said in full.
        settings: asked in besides the bare prompt.
        setting_tokens: longest answer there.
        share: of the records, how many are asked in settings, in all or by setting; all are asked
            bare.
        setting_probes: at most so many probes of each kind are asked in settings; None for all.
    """

    over: ClassVar[str] = "records"
    outputs: ClassVar[dict[str, Output]] = _outputs()

    tokens: int = 24
    settings: tuple[str, ...] = ()
    setting_tokens: int = 24
    share: Share = 1.0
    setting_probes: int | None = None

    def __post_init__(self) -> None:
        check(self.settings, self.share)

    def asks(self, record: Record) -> Sequence[Ask]:
        """Every prompt in every setting; those that must stay also without the edits."""
        return [ask for _, asks in self._pairs(record) for ask in asks]

    def score(self, record: Record, said: Said, own: str | None) -> dict[str, float]:
        """Shares of the probes of each kind whose text is as wanted."""
        values: dict[str, list[float]] = {}
        for name, (ask, *unedited) in self._pairs(record):
            text = said[ask].text
            if unedited:
                same = text == said[unedited[0]].text
                values.setdefault(f"{name}_{_form('fg', ask.setting)}", []).append(float(same))
                continue
            for form, fits in FORMS.items():
                key = f"{name}_{_form(form, ask.setting)}"
                values.setdefault(key, []).append(float(fits(text, ask.want or "")))
        return {name: float(np.mean(each)) for name, each in values.items()}

    def _pairs(self, record: Record) -> list[tuple[str, list[Say]]]:
        """Name and questions: one for what must be said, edited and unedited for what must stay."""
        pairs = []
        for setting in asked_in(record, self.settings, self.share):
            tokens = self.tokens if setting == "bare" else self.setting_tokens
            prompts = [("edit", record.edit.prompt, record.edit.target)]
            probes = probes_in(record, setting, self.setting_probes)
            prompts += [(probe.kind, probe.prompt, probe.expected or "") for probe in probes]
            for kind, prompt, target in prompts:
                if kind in GIVES_TARGET and target:
                    ask = Say(prompt, tokens, kind, setting, want=target)
                    pairs.append((GIVES_TARGET[kind], [ask]))
                elif kind in STAYS:
                    both = [Say(prompt, tokens, kind, setting, edits) for edits in (True, False)]
                    pairs.append((kind, both))
        return pairs
