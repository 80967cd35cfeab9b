"""No editing at all: the unedited model as a row of every table.

Whatever a method achieves must be read against what the model says anyway.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from torch import Tensor

from memoir.errors import EditRefused
from memoir.host import Attachment, Fed, Host
from memoir.host.answering import answer
from memoir.methods.base import Batch, Change, Need, Prepared, Usual
from memoir.types import Edit, Progress, no_progress


@dataclass(frozen=True)
class NoneConfig:
    """Settings of no editing.

    Attributes:
        batch_size: edits looked at side by side.
    """

    batch_size: int = 16


class Unedited(Usual):
    """Accepts every edit and does nothing."""

    Config: ClassVar[type] = NoneConfig
    presets: ClassVar[Mapping[str, NoneConfig]] = {"default": NoneConfig()}
    paper: ClassVar[str] = "none: the model as it is"
    undo: ClassVar[Literal["exact", "replay"]] = "exact"
    spares_others: ClassVar[bool] = True
    needs: ClassVar[tuple[Need, ...]] = ()
    batch: ClassVar[Batch] = "side by side"
    storage: ClassVar[str] = "nothing"

    def __init__(self, host: Host, prepared: Prepared) -> None:
        self.host = host
        self.config: NoneConfig = prepared.config
        self.attachment = Attachment(host, self)

    def fit(
        self, edits: Sequence[Edit], progress: Progress = no_progress
    ) -> list[Change | EditRefused]:
        """Look how well the model already says each target."""
        start = time.perf_counter()
        rows = [self.host.encode(edit.prompt, edit.target) for edit in edits]
        answered = answer(self.host, rows, [[row.target] for row in rows], 0)
        seconds = (time.perf_counter() - start) / len(edits)
        return [
            Change(edit, {}, (score.loss,), all(score.correct), {"read": seconds})
            for edit, (_, (score,)) in zip(edits, answered, strict=True)
        ]

    def apply(self, id: str, edit: Edit, tensors: Mapping[str, Tensor]) -> None:
        """Nothing to do."""

    def remove(self, id: str) -> None:
        """Nothing to do."""

    def decide(self, activations: Tensor, fed: Fed) -> None:
        """There is nothing to route."""

    def act(self, activations: Tensor, output: Tensor, route: Any, fed: Fed) -> None:
        """Leave the site's output as it is."""
