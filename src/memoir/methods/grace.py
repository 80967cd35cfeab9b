"""GRACE: Aging with GRACE: Lifelong Model Editing with Discrete Key-Value Adaptors (Hartvigsen et al.,
NeurIPS 2023, arXiv 2211.11031).

    h_i              what enters the site at the prompt's last token: the edit's key
    v_i              trained so that, put in place of the site's output there, the target follows
    ε_i              radius of the key's ball; balls of other labels never overlap
    at inference     the nearest key within its radius answers with its value; else nothing changes

The geometry is in :mod:`memoir.core.codebook`. As in the authors' code, values are trained by Adam
with a step of 1.0. They start from the site's own output, an option there ("warm"); its configs start
them from random numbers. Here training ends early, below ``stop_loss``. Two things differ, so that an
edit can be taken back: every edit keeps a value of its own, also one whose ball another edit with the
same label holds (it is used once that one is gone), where the authors train that one's value further;
and radii follow from the edits in force. Only the output at the prompt's last token is replaced, as
WISE's authors do it in decoders (arXiv 2405.14768, A.3); the original's config for T5's encoder
replaces the whole prompt's.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from memoir.core.codebook import Codebook
from memoir.errors import EditRefused
from memoir.host import Attachment, Fed, Host
from memoir.host.last_token import LastTokenLesson, Placed, PutsAtLastToken, queries
from memoir.methods.base import Batch, Change, Need, Prepared, Usual
from memoir.types import Edit, Match, Progress, no_progress

AT_THE_EDGE = 0.5
"""Score of a prompt whose key lies on the edge of a ball."""


@dataclass(frozen=True)
class GraceConfig:
    """Settings of GRACE.

    Attributes:
        depth: relative depth of the layer, 0..1 (EasyEdit, LLaMA: 27 of 32).
        radius: ε of a new key, Euclidean, of activations (EasyEdit: 1.0; larger generalises further).
        lr: Adam's step on a value (authors: 1.0).
        max_steps: updates of a value at most (authors: 100; EasyEdit, LLaMA: 50).
        stop_loss: a value is done below this loss, nats per target token.
        batch_size: values trained side by side; they do not depend on one another.
    """

    depth: float = 27 / 32
    radius: float = 1.0
    lr: float = 1.0
    max_steps: int = 100
    stop_loss: float = 1e-2
    batch_size: int = 16


class Grace(PutsAtLastToken, Usual):
    """GRACE on one host."""

    Config: ClassVar[type] = GraceConfig
    presets: ClassVar[Mapping[str, GraceConfig]] = {"default": GraceConfig()}
    paper: ClassVar[str] = "GRACE, NeurIPS 2023, arXiv 2211.11031"
    undo: ClassVar[Literal["exact", "replay"]] = "replay"
    spares_others: ClassVar[bool] = True
    needs: ClassVar[tuple[Need, ...]] = ()
    batch: ClassVar[Batch] = "side by side"
    storage: ClassVar[str] = "a key and a value"

    def __init__(self, host: Host, prepared: Prepared) -> None:
        self.host = host
        self.config: GraceConfig = prepared.config
        self._live: dict[str, tuple[Edit, Mapping[str, Tensor]]] = {}
        self._codebook = Codebook(self.config.radius)
        self.attachment = Attachment(host, self)

    # ------------------------------------------------------------------ inference

    def decide(self, activations: Float[Tensor, "batch seq d_in"], fed: Fed) -> Placed:
        """The nearest ball of every prompt."""
        last, at_last = queries(activations, fed)
        if not len(self._codebook):
            none = [Match(None, 0.0, AT_THE_EDGE) for _ in fed.rank]
            return Placed(none, last[:0], last[:0], activations.new_zeros(0, 0))
        ids, distances, radii = self._codebook.nearest(at_last)
        matches = [
            Match(id, _score(distance, radius), AT_THE_EDGE, {"distance": distance, "ε": radius})
            for id, distance, radius in zip(ids, distances.tolist(), radii.tolist(), strict=True)
        ]
        rows = torch.tensor(
            [row for row, match in enumerate(matches) if match.fired], dtype=torch.long
        )
        values = [self._live[ids[row]][1]["value"] for row in rows.tolist()]
        stacked = torch.stack(values) if values else activations.new_zeros(0, 0)
        return Placed(matches, rows, last.cpu()[rows], stacked)

    # ------------------------------------------------------------------ state

    def apply(self, id: str, edit: Edit, tensors: Mapping[str, Tensor]) -> None:
        self._live[id] = (edit, dict(tensors))
        self._codebook.add(id, tensors["key"], edit.target)

    def remove(self, id: str) -> None:
        del self._live[id]
        self._codebook = Codebook(self.config.radius)
        for other, (edit, tensors) in self._live.items():
            self._codebook.add(other, tensors["key"], edit.target)

    # ------------------------------------------------------------------ editing

    def fit(
        self, edits: Sequence[Edit], progress: Progress = no_progress
    ) -> list[Change | EditRefused]:
        start = time.perf_counter()
        lesson = LastTokenLesson(self.host, edits)
        read = time.perf_counter()
        values, losses, said = self._trained(lesson, progress)
        seconds = {
            "read": (read - start) / len(edits),
            "fit": (time.perf_counter() - read) / len(edits),
        }
        return [
            Change(
                edit,
                {"key": lesson.keys[i].float().cpu(), "value": values[i].cpu()},
                tuple(losses[i]),
                bool(said[i]),
                seconds,
            )
            for i, edit in enumerate(edits)
        ]

    def _trained(
        self, lesson: LastTokenLesson, progress: Progress
    ) -> tuple[Float[Tensor, "edits d_out"], list[list[float]], Bool[Tensor, " edits"]]:
        config = self.config
        values = lesson.outputs.clone().requires_grad_()
        adam = torch.optim.Adam([values], lr=config.lr)
        open_ = torch.ones(len(values), dtype=torch.bool, device=values.device)
        losses: list[list[float]] = [[] for _ in values]
        for step in range(config.max_steps + 1):
            with torch.enable_grad():
                loss, said = lesson.loss(values)
                total = loss.sum()
            for i in open_.nonzero().flatten().tolist():
                losses[i].append(float(loss[i].detach()))
            open_ &= loss.detach() >= config.stop_loss
            progress("fitting", step, config.max_steps)
            if step == config.max_steps or not open_.any():
                break
            (values.grad,) = torch.autograd.grad(total, values)
            before = values.detach().clone()
            adam.step()
            with torch.no_grad():  # a value that is done stays as it is
                values.copy_(torch.where(open_.unsqueeze(1), values, before))
        return values.detach(), losses, said


def _score(distance: float, radius: float) -> float:
    """1 at the key, ``AT_THE_EDGE`` on the ball's edge, 0 far away."""
    if radius <= 0:
        return float(distance <= radius)
    return float(AT_THE_EDGE ** (distance / radius))
