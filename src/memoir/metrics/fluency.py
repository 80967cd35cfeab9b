"""Fluency: how the text goes on once the target has been said, beside the unedited model.

An edit that knows its answer can still spoil what follows. The edited model speaks; from the token
that completes the target on, its text is compared with what the unedited model, given exactly the
same tokens, would have said there:

    …_repetition           share of pairs of adjacent tokens that occurred before; lower is better, 0..1
    …_nll                  surprise of the unedited model at the text; nats per token, lower is better
    …_unedited_repetition  the same of the unedited model's own text: what to compare with
    …_unedited_nll         (its greedy text surprises it little, so an edited text rarely gets below)

Both texts may be equally long. A text without the target counts nowhere, and each number is left out
where there is too little text for it, so look at n.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from memoir.metrics.base import Ask, GoOn, Output, Said
from memoir.metrics.settings import WHERE, Share, asked_in, check, named, probes_in
from memoir.types import Record

KINDS = ("edit", "rephrase")
MEANS = {
    "repetition": "Share of token pairs after the target that occurred before in that text",
    "unedited_repetition": "Share of token pairs that occurred before in the unedited model's own "
    "text after the target",
    "nll": "Mean cross-entropy, under the unedited model, of the text after the target",
    "unedited_nll": "Mean cross-entropy, under the unedited model, of its own text after the target",
}
UNEDITED = {
    named(f"{kind}_{measure}", setting): named(f"{kind}_unedited_{measure}", setting)
    for setting in WHERE
    for kind in KINDS
    for measure in ("repetition", "nll")
}
"""Numbers of the edited model, each with that of the unedited one."""


def _outputs() -> dict[str, Output]:
    return {
        named(f"{kind}_{measure}", setting): Output("lower", f"{means}, {kind} prompt{where}.")
        for setting, where in WHERE.items()
        for kind in KINDS
        for measure, means in MEANS.items()
    }


@dataclass(frozen=True)
class Fluency:
    """Repetition and surprise after the target; several rephrases are averaged.

    Attributes:
        tokens: longest answer, the target in it, in tokens; at most 20 after it are looked at.
        settings: asked in besides the bare prompt.
        share: of the records, how many are asked in settings, in all or by setting; all are asked
            bare.
        setting_probes: at most so many rephrases are asked in settings; None for all.
    """

    over: ClassVar[str] = "records"
    outputs: ClassVar[dict[str, Output]] = _outputs()

    tokens: int = 40
    settings: tuple[str, ...] = ()
    share: Share = 1.0
    setting_probes: int | None = None

    def __post_init__(self) -> None:
        check(self.settings, self.share)

    def asks(self, record: Record) -> Sequence[Ask]:
        """The edit's prompt and its rephrases, with the edits in force."""
        return self._goes(record)

    def score(self, record: Record, said: Said, own: str | None) -> dict[str, float]:
        """Means over the prompts of each kind whose texts say the target and have more to say."""
        values: dict[str, list[float]] = {}
        for ask in self._goes(record):
            for measure in MEANS:
                value = getattr(said[ask], measure)
                if value is not None:
                    name = named(f"{ask.about}_{measure}", ask.setting)
                    values.setdefault(name, []).append(value)
        return {name: float(np.mean(each)) for name, each in values.items()}

    def _goes(self, record: Record) -> list[GoOn]:
        goes = []
        for setting in asked_in(record, self.settings, self.share):
            goes.append(GoOn(record.edit.prompt, record.edit.target, self.tokens, "edit", setting))
            goes += [
                GoOn(probe.prompt, probe.expected, self.tokens, probe.kind, setting)
                for probe in probes_in(record, setting, self.setting_probes)
                if probe.kind == "rephrase" and probe.expected
            ]
        return goes
