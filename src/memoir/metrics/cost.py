"""What edits cost: time and bytes of each, memory of the process, speed of decoding afterwards."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from memoir.host import Attachment, Host
from memoir.metrics.base import Output


@dataclass(frozen=True)
class Cost:
    """Measured while a benchmark runs, on whatever else the machine is doing: compare ratios.

    Attributes:
        batch: prompts decoded side by side.
        tokens: tokens decoded for each.
        turns: how often the edited and the unedited model take turns; the fastest turn counts.
    """

    over: ClassVar[str] = "run"
    outputs: ClassVar[dict[str, Output]] = {
        "seconds_per_edit": Output("lower", "Wall time of one edit: reading, fitting, writing."),
        "bytes_per_edit": Output("lower", "Size of one edit on disk."),
        "steps_per_edit": Output(None, "Optimiser updates of one edit."),
        "peak_memory_mb": Output(
            "lower", "Most memory the process has held so far, model included, MB (10⁶ bytes)."
        ),
        "tokens_per_second": Output("higher", "Greedy decoding on edited prompts, edits in force."),
        "tokens_per_second_unedited": Output(
            None, "Greedy decoding on the same prompts without the edits, taking turns."
        ),
    }

    batch: int = 4
    tokens: int = 24
    turns: int = 3

    def measure(
        self, host: Host, attachment: Attachment, prompts: Sequence[str]
    ) -> dict[str, float]:
        """Memory now, and the speed of decoding after some prompts."""
        rows = [host.encode(prompt) for prompt in prompts[: self.batch]]
        edited, unedited = [], []
        for _ in range(self.turns):
            with attachment.paused():
                unedited.append(self._seconds(host, rows))
            edited.append(self._seconds(host, rows))
        made = len(rows) * self.tokens
        return {
            "peak_memory_mb": peak_memory(host) / 1e6,
            "tokens_per_second": made / min(edited),
            "tokens_per_second_unedited": made / min(unedited),
        }

    def _seconds(self, host: Host, rows: Sequence[Any]) -> float:
        start = time.perf_counter()
        host.generate(rows, self.tokens, exactly=True)
        return time.perf_counter() - start


def of_edit(row: dict[str, Any]) -> dict[str, float]:
    """Costs of one edit, from its row in a run file; none for an edit that was refused.

    Edits of one batch carry equal shares of its time, refused ones among them, so the mean over those
    that were made is the mean over all.
    """
    if row["refused"] is not None:
        return {}
    return {
        "seconds_per_edit": sum(row["seconds"].values()),
        "bytes_per_edit": float(row["bytes"]),
        "steps_per_edit": float(row["steps"]),
    }


def peak_memory(host: Host) -> float:
    """Bytes, on the accelerator if the model is on one, else resident in main memory."""
    if host.device.type == "cuda":
        return float(torch.cuda.max_memory_allocated(host.device))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return float(peak) * (1 if sys.platform == "darwin" else 1024)
