"""Fine-tuning of one feed-forward output projection, edit after edit.

FT-L: *Modifying Memories in Transformer Models* (Zhu et al., 2020, arXiv 2012.00363: an L∞ bound on
the change), as the baseline of ROME (Meng et al., NeurIPS 2022, appendix E.1). Its usual code reads
the loss of every target token at the *last prompt token*, so that only the first one is taught
properly; FT-M ("masked": EasyEdit, Wang et al., ACL 2024) reads it where the target stands.

    W ← W − lr · Adam(∇_W loss)        on one edit, until it is learnt; then the next edit

Defaults are those of EasyEdit's LLaMA configs: layer 21 of 32, lr 5e-4, at most 25 steps, stop below a
loss of 1e-2. Each step runs the upper layers only.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional as F

from memoir.errors import EditRefused
from memoir.host import Host, Reading
from memoir.host.patch import Patch, Update, as_tensors
from memoir.host.tokens import Encoded
from memoir.methods.base import Batch, Change, Need, Patching, Prepared
from memoir.types import Edit, Progress, no_progress


@dataclass(frozen=True)
class FineTuningConfig:
    """Settings of fine-tuning.

    Attributes:
        depth: relative depth of the layer, 0..1 (LLaMA: 21 of 32).
        read_at: ``target``: the loss of each target token where it stands (FT-M); ``prompt``: of all of
            them at the last prompt token (FT-L).
        lr: Adam's step on the weight.
        max_steps: updates of one edit at most.
        stop_loss: an edit is done below this loss, nats per target token.
        clamp: bound on each number's change by one edit (Zhu et al.'s ε); None for no bound (EasyEdit).
            ROME's E.1 has 5e-4 for GPT-2 XL, as ``ft-l`` here, and 5e-5 for GPT-J, both at layer 0.
    """

    depth: float = 21 / 32
    read_at: Literal["target", "prompt"] = "target"
    lr: float = 5e-4
    max_steps: int = 25
    stop_loss: float = 1e-2
    clamp: float | None = None


class FineTuning(Patching):
    """Fine-tunes the host's site; see the module's docstring."""

    Config: ClassVar[type] = FineTuningConfig
    presets: ClassVar[Mapping[str, FineTuningConfig]] = {
        "default": FineTuningConfig(),
        "ft-l": FineTuningConfig(read_at="prompt", clamp=5e-4),
    }
    paper: ClassVar[str] = "FT-L, arXiv 2012.00363; FT-M, EasyEdit, arXiv 2308.07269"
    needs: ClassVar[tuple[Need, ...]] = ()
    batch: ClassVar[Batch] = "one by one"
    storage: ClassVar[str] = "a whole weight"

    def __init__(self, host: Host, prepared: Prepared) -> None:
        self.host = host
        self.config: FineTuningConfig = prepared.config
        self.attachment = Patch(host, [host.site.layer])

    def fit(
        self, edits: Sequence[Edit], progress: Progress = no_progress
    ) -> list[Change | EditRefused]:
        """One edit after another, each from the weights that those before it left."""
        changes: list[Change] = []
        total = torch.zeros_like(self.attachment.base(self.host.site.layer), dtype=torch.float32)
        for number, edit in enumerate(edits):
            with self._with(total):
                changes.append(self._fit(edit))
            total += changes[-1].tensors[f"{self.host.site.layer}.left"]
            progress("fitting", number + 1, len(edits))
        return list(changes)

    def _with(self, total: Float[Tensor, "d_out d_in"]) -> AbstractContextManager[None]:
        return self.attachment.tried({self.host.site.layer: Update(total)})

    def _fit(self, edit: Edit) -> Change:
        start = time.perf_counter()
        host, config = self.host, self.config
        row = host.encode(edit.prompt, edit.target)
        reading = host.read(host.batch([row]))
        read = time.perf_counter()
        base = self.attachment.base(host.site.layer)
        change = torch.zeros_like(base, dtype=torch.float32, requires_grad=True)
        adam = torch.optim.Adam([change], lr=config.lr)
        losses: list[float] = []
        for step in range(config.max_steps + 1):
            with torch.enable_grad():
                loss, said = self._loss(row, reading, change)
            losses.append(float(loss.detach()))
            if step == config.max_steps or losses[-1] < config.stop_loss:
                break
            (change.grad,) = torch.autograd.grad(loss, change)
            adam.step()
            if config.clamp is not None:
                change.data.clamp_(-config.clamp, config.clamp)
        seconds = {"read": read - start, "fit": time.perf_counter() - read}
        tensors = as_tensors({host.site.layer: Update(change.detach())})
        return Change(edit, tensors, tuple(losses), bool(said.all()), seconds)

    def _loss(
        self, row: Encoded, reading: Reading, change: Float[Tensor, "d_out d_in"]
    ) -> tuple[Float[Tensor, ""], Bool[Tensor, " target"]]:
        """The loss of the target, and which of its tokens have rank one where they stand."""
        count = len(row.target)
        added = reading.activations.float() @ change.T
        logits = self.host.replay(reading, added, keep=count + 1)[0, :-1].float()
        target = torch.tensor(row.target, device=logits.device)
        said = logits.detach().argmax(-1) == target
        if self.config.read_at == "prompt":
            logits = logits[:1].expand(count, -1)
        return F.cross_entropy(logits, target), said
