"""LoRA: Low-Rank Adaptation of Large Language Models (Hu et al., ICLR 2022, arXiv 2106.09685).

    W x + (α / r) B A x        §4.1; A, B ← Adam on one edit, until it is learnt; then the next edit

One adapter takes all edits, one after the other, as in EasyEdit (Wang et al., ACL 2024, arXiv
2308.07269). An edit's change is what its training added to A and B; changes add up in the order of
the log, from the A that the seed gives. The layers are PEFT's own (:mod:`memoir.host.adapters`).

Settings are those of EasyEdit's LLaMA configs: rank 8, α 32, on the query and value projections of
every layer (for other families, on what PEFT names for them), Adam, at most 70 steps. What differs:

* plain LoRA, and not AdaLoRA, whose ranks are pruned on a schedule that would restart with every edit;
* Adam's step is 5e-4 and not 5e-3, tuned on four training records of ZsRE with a model of 135M: with
  theirs, which is for AdaLoRA, the last edit becomes the answer to everything;
* an edit is done below ``stop_loss``; EasyEdit takes all 70 steps;
* no dropout (EasyEdit: .1), so that fitting is deterministic;
* nothing is taught behind the target, where EasyEdit puts an end-of-text mark.

Nothing is scaled to a model's size: what B's steps add does not depend on the width, since A's numbers
are drawn from ±1/√d_in, and α / r is fixed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from memoir.adapting import adapt
from memoir.errors import EditRefused
from memoir.host import Host
from memoir.host.summed_adapter import SummedAdapter, added
from memoir.methods.base import Batch, Change, Merges, Need, Prepared, Summing
from memoir.types import Edit, Progress, no_progress


@dataclass(frozen=True)
class LoraConfig:
    """Settings of LoRA.

    Attributes:
        rank: r, rows of A and columns of B (EasyEdit: 8).
        alpha: α; what an adapter adds is scaled by α / r (EasyEdit: 32).
        modules: names of the layers that get an adapter (EasyEdit: q_proj and v_proj). None: those
            that PEFT names for the model's family.
        lr: Adam's step on A and B (EasyEdit, for AdaLoRA: 5e-3).
        max_steps: updates of one edit at most (EasyEdit: 70).
        stop_loss: an edit is done below this loss, nats per target token.
        seed: of A before the first edit.
    """

    rank: int = 8
    alpha: float = 32.0
    modules: tuple[str, ...] | None = None
    lr: float = 5e-4
    max_steps: int = 70
    stop_loss: float = 1e-2
    seed: int = 0


class Lora(Summing):
    """One adapter for all edits."""

    Config: ClassVar[type] = LoraConfig
    presets: ClassVar[Mapping[str, LoraConfig]] = {"default": LoraConfig()}
    paper: ClassVar[str] = "LoRA, ICLR 2022, arXiv 2106.09685"
    needs: ClassVar[tuple[Need, ...]] = ()
    batch: ClassVar[Batch] = "one by one"
    storage: ClassVar[str] = "two thin matrices for each adapted layer"
    merges: ClassVar[Merges] = "rounded"

    attachment: SummedAdapter

    def __init__(self, host: Host, prepared: Prepared) -> None:
        self.host = host
        config: LoraConfig = prepared.config
        self.config = config
        self.attachment = SummedAdapter(
            host, config.rank, config.alpha, config.modules, config.seed
        )

    def fit(
        self, edits: Sequence[Edit], progress: Progress = no_progress
    ) -> list[Change | EditRefused]:
        """One edit after another, each from the adapter that those before it left."""
        results: list[Change | EditRefused] = []
        weights = self.attachment.weights
        for number, edit in enumerate(edits):
            try:
                found = adapt(self.host, self.attachment.layers, weights, edit, self.config)
            except EditRefused as refused:
                results.append(refused)
                continue
            change = {name: each - weights[name] for name, each in found.weights.items()}
            weights = added(weights, change)  # not what was trained, but for rounding: what will be
            seconds = {"fit": found.seconds}
            results.append(Change(edit, change, found.losses, found.said, seconds))
            progress("fitting", number + 1, len(edits))
        return results
