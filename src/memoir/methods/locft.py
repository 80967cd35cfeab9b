"""LocFT-BF: Fine-tuning Done Right in Model Editing (Yang et al., ICLR 2026, arXiv 2509.22072).

Fine-tuning edit after edit, each until it is learnt (:mod:`memoir.methods.ft`), makes every edit
undo those before it. Localised fine-tuning, breadth first, goes over all edits in mini-batches, epoch
after epoch, as training does anywhere else (§2), and changes one weight only (§3):

    every epoch:  for each mini-batch B in random order:  W ← W − Adam(∇_W mean_{i∈B} loss_i)

What Adam made of all of them is split into one part for each edit (:mod:`memoir.core.adam_shares`).
Each edit keeps its own part, dense: taking one back leaves, bit for bit, the sum of all others. Those
were trained together with it, and stay as they were trained.

Settings are those of the authors' code for LLaMA-3-8B: the feed-forward output projection of layer 22
of 32, Adam with lr 5e-4, 25 epochs, a mini-batch is passed over below a loss of 1e-2 and all ends once
an epoch's mean is, and targets end with the model's end token. (For Qwen2.5-7B they take layer 6 of
28; for Mistral-7B all weights of layer 23 of 32, with lr 5e-5.) Their mini-batches hold 100 of 3,000
edits, so that an epoch has 30 steps. To keep the number of steps, and not the size of a batch, a
mini-batch here holds a thirtieth of the edits given at once, and at least one; each edit is visited as
often as in the paper. The step was left as it is for a model of any width.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from memoir.core.adam_shares import SharedAdam, epoch
from memoir.errors import EditRefused, LossNotFinite
from memoir.host import Host, Reading
from memoir.host.patch import Patch, Update, as_tensors
from memoir.host.tokens import Encoded, TokenBatch
from memoir.methods.base import Batch, Change, Need, Patching, Prepared
from memoir.types import Edit, Progress, no_progress


@dataclass(frozen=True)
class LocFTConfig:
    """Settings of LocFT-BF.

    Attributes:
        depth: relative depth of the layer, 0..1 (LLaMA-3: 22 of 32).
        lr: Adam's step on the weight (paper: 5e-4).
        epochs: over all edits, at most (paper: 25).
        steps: mini-batches of an epoch, at most (paper: 30, of 100 edits each).
        stop_loss: a mini-batch below it is passed over, and an epoch below it is the last; nats per
            token (paper: 1e-2).
        ends: the model's end token is taught behind each target (paper: yes).
        batch_size: edits trained together, at most (paper: all). Each needs a matrix of the weight's
            size in memory until it is stored.
        seed: of the order of edits.
    """

    depth: float = 22 / 32
    lr: float = 5e-4
    epochs: int = 25
    steps: int = 30
    stop_loss: float = 1e-2
    ends: bool = True
    batch_size: int = 100
    seed: int = 0


class LocFT(Patching):
    """Fine-tunes the host's site on all edits at once."""

    Config: ClassVar[type] = LocFTConfig
    presets: ClassVar[Mapping[str, LocFTConfig]] = {"default": LocFTConfig()}
    paper: ClassVar[str] = "LocFT-BF, ICLR 2026, arXiv 2509.22072"
    needs: ClassVar[tuple[Need, ...]] = ()
    batch: ClassVar[Batch] = "together"
    storage: ClassVar[str] = "a whole weight"

    def __init__(self, host: Host, prepared: Prepared) -> None:
        self.host = host
        self.config: LocFTConfig = prepared.config
        self.attachment = Patch(host, [host.site.layer])

    def fit(
        self, edits: Sequence[Edit], progress: Progress = no_progress
    ) -> list[Change | EditRefused]:
        """All edits together, from the weights as they are now."""
        start, config = time.perf_counter(), self.config
        lesson = _Lesson(self.host, edits, config.ends)
        read = time.perf_counter()
        adam = SharedAdam(lesson.inputs, self.host.site.d_out, config.lr)
        draw = torch.Generator().manual_seed(config.seed)
        size = ceil(len(edits) / config.steps)
        losses: list[list[float]] = [[] for _ in edits]
        for number in range(config.epochs):
            progress("fitting", number, config.epochs)
            for batch in epoch(len(edits), size, draw):
                now, deltas = lesson.learn(batch, adam.change)
                for i, loss in zip(batch, now, strict=True):
                    losses[i].append(loss)
                if not sum(now) / len(batch) < config.stop_loss:
                    adam.step(batch, deltas)
            if not sum(each[-1] for each in losses) / len(edits) >= config.stop_loss:
                break
        progress("fitting", config.epochs, config.epochs)
        shares = adam.shares()
        said = self._finish(lesson, shares, losses)
        seconds = {
            "read": (read - start) / len(edits),
            "fit": (time.perf_counter() - read) / len(edits),
        }
        return [
            self._result(edit, share, tuple(its), spoken, seconds)
            for edit, share, its, spoken in zip(edits, shares, losses, said, strict=True)
        ]

    def _finish(
        self, lesson: _Lesson, shares: Sequence[Tensor], losses: list[list[float]]
    ) -> list[bool]:
        """Which targets are said with all shares in force; adds the last losses."""
        total = torch.zeros_like(shares[0])
        for share in shares:  # in the order in which they will be applied
            total += share
        said: list[bool] = []
        for i, its in enumerate(losses):
            judged = lesson.judge([i], total)
            its += judged.losses.tolist()
            said += judged.said
        return said

    def _result(
        self,
        edit: Edit,
        share: Float[Tensor, "d_out d_in"],
        losses: tuple[float, ...],
        said: bool,
        seconds: dict[str, float],
    ) -> Change | EditRefused:
        if not share.isfinite().all():
            return LossNotFinite(
                f"the loss of '{edit.prompt}' → '{edit.target}' is not finite; nothing was written. "
                "Lower the learning rate (lr), or load the model in float32.",
                losses,
            )
        tensors = as_tensors({self.host.site.layer: Update(share)})
        return Change(edit, tensors, losses, said, seconds)


class _Judged(NamedTuple):
    """What the model makes of some edits.

    Attributes:
        losses: nats per token.
        said: whether all of the target has rank one.
    """

    losses: Float[Tensor, " edits"]
    said: list[bool]


class _Lesson:
    """Edits read up to the site.

    Attributes:
        inputs: what each edit's tokens put into it.
    """

    def __init__(self, host: Host, edits: Sequence[Edit], ends: bool) -> None:
        self._host = host
        rows = [host.encode(edit.prompt, edit.target) for edit in edits]
        self._targets = [len(row.target) for row in rows]
        if ends:
            rows = [_ended(host, row) for row in rows]
        self._reading = host.read(host.batch(rows))
        self.inputs: list[Float[Tensor, "_tokens d_in"]] = [
            row[real].float()
            for row, real in zip(
                self._reading.activations, self._reading.tokens.attention, strict=True
            )
        ]

    def learn(
        self, batch: Sequence[int], change: Float[Tensor, "d_out d_in"]
    ) -> tuple[list[float], list[Float[Tensor, "_tokens d_out"]]]:
        """Losses of some edits with a change of the weight, and the gradient of their mean at what
        leaves the site, edit by edit."""
        reading = _narrowed(self._reading, batch)
        with torch.enable_grad():
            added = (reading.activations.float() @ change.T).requires_grad_()
            losses = self._judged(batch, reading, added).losses
            (gradient,) = torch.autograd.grad(losses.mean(), added)
        rows = zip(gradient, reading.tokens.attention, strict=True)
        return losses.tolist(), [row[real] for row, real in rows]

    @torch.no_grad()
    def judge(self, batch: Sequence[int], change: Float[Tensor, "d_out d_in"]) -> _Judged:
        """Losses of some edits with a change of the weight, and whether their targets are said."""
        reading = _narrowed(self._reading, batch)
        return self._judged(batch, reading, reading.activations.float() @ change.T)

    def _judged(self, batch: Sequence[int], reading: Reading, added: Tensor) -> _Judged:
        tokens, longest = reading.tokens, reading.tokens.longest_answer
        logits = self._host.replay(reading, added, keep=longest + 1)[:, :-1].float()
        ids, target = tokens.ids[:, -longest:], tokens.target[:, -longest:]
        nll = F.cross_entropy(logits.transpose(1, 2), ids, reduction="none")
        right = logits.detach().argmax(-1) == ids
        said = [
            bool(row[real][: self._targets[i]].all())  # whatever follows the target
            for i, row, real in zip(batch, right, target, strict=True)
        ]
        return _Judged((nll * target).sum(1) / target.sum(1), said)


def _ended(host: Host, row: Encoded) -> Encoded:
    """A sequence with the end token behind it, if there is one and room for it."""
    end, window = host.tokenizer.eos_token_id, host.context_window
    if end is None or (window is not None and len(row.ids) >= window):
        return row
    return Encoded(row.prompt, [*row.target, int(end)])


def _narrowed(reading: Reading, rows: Sequence[int]) -> Reading:
    """Some rows of a reading, without columns that are padding in all of them."""
    tokens = reading.tokens.rows(torch.tensor(rows, device=reading.hidden.device))
    width = int(tokens.attention.sum(1).max())
    return Reading(
        TokenBatch(*(each[:, -width:] for each in tokens)),
        reading.activations[rows, -width:],
        reading.hidden[rows, -width:],
        None,
    )
