"""Methods of one's own, as a user of the harness would bring them: one that knows everything, and one
that forgets on purpose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar
from weakref import WeakKeyDictionary

import torch
from torch import Tensor

from memoir.host import Attachment, Host
from memoir.methods.base import Change, Prepared
from memoir.metrics.base import GIVES_TARGET
from memoir.types import Edit, Match, Progress, Record, no_progress


@dataclass(frozen=True)
class OracleConfig:
    batch_size: int = 2


class Oracle:
    """Says every target it was taught, after every prompt that asks for it, and nothing else new.

    It is handed the records beforehand, and overrules the model's logits.
    """

    Config: ClassVar[type] = OracleConfig
    presets: ClassVar[Mapping[str, OracleConfig]] = {"default": OracleConfig()}
    paper: ClassVar[str] = "none"
    undo: ClassVar[str] = "exact"
    spares_others: ClassVar[bool] = True
    edits_apart = True
    records: ClassVar[Sequence[Record]] = ()

    def __init__(self, host: Host, prepared: Prepared) -> None:
        self.host = host
        self.config = prepared.config
        self.live: dict[str, int] = {}
        self.attachment = Attachment(host, self)
        self._seen: WeakKeyDictionary[Any, Tensor] = WeakKeyDictionary()
        self._hook = host.model.register_forward_hook(self._overrule, with_kwargs=True)

    def close(self) -> None:
        self._hook.remove()
        self.attachment.undo()

    @classmethod
    def prepare(cls, host: Host, config: Any, progress: Progress = no_progress) -> Prepared:
        return Prepared(config, {}, {})

    def fit(self, edits: Sequence[Edit], progress: Progress = no_progress) -> list[Change]:
        known = [record.edit for record in self.records]
        return [
            Change(
                edit, {"index": torch.tensor([known.index(edit)])}, (1.0, 0.0), True, {"fit": 0.1}
            )
            for edit in edits
        ]

    def apply(self, id: str, edit: Edit, tensors: Mapping[str, Tensor]) -> None:
        self.live[id] = int(tensors["index"])

    def remove(self, id: str) -> None:
        del self.live[id]

    def decide(self, activations: Tensor, fed: Any) -> None:
        return None

    def act(self, activations: Tensor, output: Tensor, route: Any, fed: Any) -> None:
        return None

    def foresee(self, prompts: Sequence[Any]) -> None:
        return None

    def verdicts(self, route: Any) -> list[Match]:
        return []

    # ------------------------------------------------------------------ saying the targets

    def _overrule(self, _model: Any, _args: Any, kwargs: dict[str, Any], output: Any) -> None:
        if self.attachment._paused.get():
            return
        ids, real = kwargs["input_ids"], kwargs["attention_mask"].bool()
        cache = kwargs.get("past_key_values")
        past = real.shape[1] - ids.shape[1]
        if past:
            ids = torch.cat([self._seen[cache][:, :past], ids], dim=1)
        if output.past_key_values is not None:
            self._seen[output.past_key_values] = ids
        keep = output.logits.shape[1]
        for row in range(len(ids)):
            for at in range(keep):
                end = ids.shape[1] - keep + at + 1
                said = self._next(ids[row, :end][real[row, :end]].tolist())
                if said is not None:
                    output.logits[row, at] = -50.0
                    output.logits[row, at, said] = 50.0

    def _next(self, tokens: list[int]) -> int | None:
        for index in self.live.values():
            for prompt, target in _questions(self.host, self.records[index]):
                told = tokens[len(prompt) :]
                if tokens[: len(prompt)] == prompt and told == target[: len(told)]:
                    return target[len(told)] if len(told) < len(target) else self._end()
        return None

    def _end(self) -> int:
        return next(iter(self.host.end_ids))


class Forgetful(Oracle):
    """Knows the last edit only."""

    def apply(self, id: str, edit: Edit, tensors: Mapping[str, Tensor]) -> None:
        self.live = {id: int(tensors["index"])}


def _questions(host: Host, record: Record) -> list[tuple[list[int], list[int]]]:
    """Token ids of everything that asks for a target, bare and in chat."""
    pairs = [(record.edit.prompt, record.edit.target)]
    pairs += [(p.prompt, p.expected or "") for p in record.probes if p.kind in GIVES_TARGET]
    found = []
    for prompt, target in pairs:
        row = host.encode(prompt, target)
        chat = host.encode_chat([{"role": "user", "content": prompt}])
        found += [(list(row.prompt), list(row.target)), (list(chat.prompt), list(row.target))]
    return found
