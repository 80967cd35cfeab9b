"""UltraEdit: Training-, Subject-, and Memory-Free Lifelong Editing in Language Models (Gu et al., TMLR
2026, arXiv 2505.14679).

    h_t, g_t   what enters a layer where target token t is foretold, and the gradient of the edit's loss
               by what leaves the layer there
    v_t = −η ‖ĥ_t‖² ĝ_t        ^: in units of how all edits so far vary, :mod:`memoir.core.lifelong`
    Δ   = V (HHᵀ + λ I)⁻¹ H    the ridge solution of Δ h_t = v_t over a batch, for every layer by
                               itself, :mod:`memoir.core.solve`

Nothing is trained: one pass through the model and back for each edit. The batch's Δ is a sum over its
tokens, so an edit keeps its own part, and the moments of its h and g: those of all edits in force
follow from them, in log order. As in the authors' code, all layers of one shape share one set of
moments. Its loss is the mean over the tokens of ten edits that are read together; here it is the mean
over each edit's own, so that g does not depend on which edits stand beside it.

**Layers.** The authors choose modules for each model, and some for each data set: feed-forward output
projections of GPT-J (ZsRE: 18 to 26 of 28), Mistral (29 and 30 of 32) and Phi-4, gates and
up-projections of LLaMA-3, Qwen2.5 and Gemma 3. Here it is the output projections, at GPT-J's relative
depths: no model needs its own list.

**η and λ, free of scale.** Normalised numbers are of order one whatever the model, so the authors' v
has the length η d_in √d_out: it knows neither how large the layer's outputs are nor what the loss makes
of them, and their η = 1e-6, chosen for models of 7B and more, moves nothing in one of 135M. By how much
v lowers the loss to first order is known, though, since g is at hand: by −Σ ⟨g_t, v_t⟩ over an edit's
tokens and all layers. So η is chosen for each batch such that this is ``step`` times what its edits'
losses are on average (loss here: cross-entropy per target token). λ counts in mean ‖h_t‖²; where keys
are short, the authors' λ = 1 would leave little of v. Both rules are ours, and ``step`` and ``ridge``
were chosen on ZsRE's training records; the preset ``published`` has the authors' numbers.

Statistics of few edits are poor, and this is where most of what follows is decided: give edits in
batches. From one token alone, only signs are known.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from memoir.core.lifelong import Moments, directions
from memoir.core.solve import plain_rows
from memoir.errors import EditRefused, LossNotFinite
from memoir.host import Host
from memoir.host.answering import answer
from memoir.host.gradients import traced
from memoir.host.patch import Patch, Update, as_tensors
from memoir.host.tokens import Encoded
from memoir.methods.base import Batch, Change, Need, Patching, Prepared
from memoir.types import Edit, Progress, Score, no_progress

AT_ONCE = 16
"""Edits that go through the model side by side."""


@dataclass(frozen=True)
class UltraEditConfig:
    """Settings of UltraEdit.

    Attributes:
        depth: relative depth of the last layer, 0..1 (GPT-J: 26 of 28).
        first: relative depth of the first; all between are changed too (GPT-J: 18 of 28).
        step: to first order, a batch lowers the losses of its edits by this share of them.
        ridge: λ, in mean squared lengths of the batch's keys.
        lr: η as such (authors: 1e-6); None: by ``step``.
        absolute_ridge: λ as such (authors: 1); None: by ``ridge``.
        batch_size: edits solved together (authors: 100).
    """

    depth: float = 26 / 28
    first: float = 18 / 28
    step: float = 3.0
    ridge: float = 1e-3
    lr: float | None = None
    absolute_ridge: float | None = None
    batch_size: int = 100


class _Batch(NamedTuple):
    """What was read of some edits, on the CPU: in each layer, one row for each target token.

    Attributes:
        owner: the edit of each row.
        keys: h.
        gradients: g.
        losses: of the edits.
    """

    owner: Int[Tensor, " rows"]
    keys: dict[int, Float[Tensor, "rows d_in"]]
    gradients: dict[int, Float[Tensor, "rows d_out"]]
    losses: Float[Tensor, " edits"]

    def features(self, layer: int) -> Float[Tensor, "rows features"]:
        """[h; g] of one layer."""
        return torch.cat([self.keys[layer], self.gradients[layer]], dim=1)

    def moments(self, edit: int) -> Moments:
        """Those of one edit, all layers together."""
        mine = self.owner == edit
        return Moments.of(torch.cat([self.features(layer)[mine] for layer in self.keys]))


class UltraEdit(Patching):
    """UltraEdit on the layers up to the host's site."""

    Config: ClassVar[type] = UltraEditConfig
    presets: ClassVar[Mapping[str, UltraEditConfig]] = {
        "default": UltraEditConfig(),
        "published": UltraEditConfig(lr=1e-6, absolute_ridge=1.0),
    }
    paper: ClassVar[str] = "UltraEdit, TMLR 2026, arXiv 2505.14679"
    needs: ClassVar[tuple[Need, ...]] = ()
    batch: ClassVar[Batch] = "together"
    storage: ClassVar[str] = "two vectors a target token and layer, and their moments"

    def __init__(self, host: Host, prepared: Prepared) -> None:
        self.host = host
        self.config: UltraEditConfig = prepared.config
        last = host.site.layer
        lowest = min(last, round(len(host.site.blocks) * self.config.first))
        self.layers = list(range(lowest, last + 1))
        self._features = host.site.d_in + host.site.d_out
        self._moments: dict[str, Moments] = {}
        self.attachment = Patch(host, self.layers)

    # ------------------------------------------------------------------ state

    def apply(self, id: str, edit: Edit, tensors: Mapping[str, Tensor]) -> None:
        super().apply(id, edit, tensors)
        self._moments[id] = Moments(int(tensors["rows"]), tensors["mean"], tensors["spread"])

    def remove(self, id: str) -> None:
        super().remove(id)
        del self._moments[id]

    # ------------------------------------------------------------------ editing

    def fit(
        self, edits: Sequence[Edit], progress: Progress = no_progress
    ) -> list[Change | EditRefused]:
        """All edits together, from the weights as they are now."""
        start = time.perf_counter()
        rows = [self.host.encode(edit.prompt, edit.target) for edit in edits]
        batch = self._read(rows, progress)
        read = time.perf_counter()
        moments = [batch.moments(number) for number in range(len(edits))]
        changes = self._solved(batch, moments)
        if not all(update.dense().isfinite().all() for update in changes.values()):
            return [self._refused(edit, batch.losses) for edit in edits]
        with self.attachment.tried(changes):
            after = self._said(rows)
        seconds = {
            "read": (read - start) / len(edits),
            "fit": (time.perf_counter() - read) / len(edits),
        }
        results: list[Change | EditRefused] = []
        for number, (edit, score) in enumerate(zip(edits, after, strict=True)):
            mine = batch.owner == number
            parts = {layer: _of(update, mine) for layer, update in changes.items()}
            tensors = {**as_tensors(parts), **_as_tensors(moments[number])}
            losses = (float(batch.losses[number]), score.loss)
            results.append(Change(edit, tensors, losses, all(score.correct), seconds))
        return results

    def _read(self, rows: Sequence[Encoded], progress: Progress) -> _Batch:
        """The batch in the model as it is now; a few edits at a time."""
        host = self.host.at(self.layers[0])
        parts = []
        for start in range(0, len(rows), AT_ONCE):
            found = traced(host, rows[start : start + AT_ONCE], self.layers)
            parts.append(found._replace(owner=found.owner + start))
            progress("reading gradients", min(start + AT_ONCE, len(rows)), len(rows))
        return _Batch(
            torch.cat([part.owner for part in parts]).cpu(),
            {
                layer: torch.cat([part.inputs[layer] for part in parts]).cpu()
                for layer in self.layers
            },
            {
                layer: torch.cat([part.gradients[layer] for part in parts]).cpu()
                for layer in self.layers
            },
            torch.cat([part.losses for part in parts]).cpu(),
        )

    def _solved(self, batch: _Batch, moments: Sequence[Moments]) -> dict[int, Update]:
        """The batch's changes, with one column and one row for each target token."""
        total = Moments.none(self._features)
        for each in [*self._moments.values(), *moments]:
            total = total.merged(each)
        wanted = {}
        for layer in self.layers:
            normalised = total.normalised(batch.features(layer))
            keys, gradients = normalised.split([self.host.site.d_in, self.host.site.d_out], 1)
            wanted[layer] = directions(keys, gradients)
        lr = self._lr(batch, wanted)
        changes = {}
        for layer, keys in batch.keys.items():
            right = plain_rows(keys, self._ridge(keys))
            changes[layer] = Update((lr * wanted[layer]).T.float(), right.float())
        return changes

    def _lr(self, batch: _Batch, wanted: Mapping[int, Float[Tensor, "rows d_out"]]) -> float:
        """η."""
        if self.config.lr is not None:
            return self.config.lr
        falls = sum(-float((batch.gradients[layer] * each).sum()) for layer, each in wanted.items())
        return self.config.step * float(batch.losses.sum()) / falls

    def _ridge(self, keys: Float[Tensor, "rows d_in"]) -> float:
        """λ."""
        if self.config.absolute_ridge is not None:
            return self.config.absolute_ridge
        return self.config.ridge * float(keys.square().sum(1).mean())

    def _said(self, rows: Sequence[Encoded]) -> list[Score]:
        found = []
        for start in range(0, len(rows), AT_ONCE):
            some = rows[start : start + AT_ONCE]
            answered = answer(self.host, some, [[row.target] for row in some], 0)
            found += [each.scores[0] for each in answered]
        return found

    def _refused(self, edit: Edit, losses: Float[Tensor, " edits"]) -> EditRefused:
        return LossNotFinite(
            f"the change for '{edit.prompt}' → '{edit.target}' and the other edits of its batch is not "
            f"finite; nothing was written. Their losses were {float(losses.min()):.3g} to "
            f"{float(losses.max()):.3g} nats; load the model in float32, or leave out an edit that "
            "the model already says.",
            losses.tolist(),
        )


def _of(update: Update, mine: Bool[Tensor, " rows"]) -> Update:
    """The part of a change that some rows make up."""
    assert update.right is not None
    return Update(update.left[:, mine], update.right[mine])


def _as_tensors(moments: Moments) -> dict[str, Tensor]:
    """Moments, to be stored."""
    return {**moments._asdict(), "rows": torch.tensor([moments.rows])}
