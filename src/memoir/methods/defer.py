"""DEFER: one trained gate chooses between the layer and one trained value.

The baseline of *Aging with GRACE* (Hartvigsen et al., NeurIPS 2023, arXiv 2211.11031), a short form of
SERAC (Mitchell et al., ICML 2022, arXiv 2206.06520: a scope classifier before a counterfactual model).
With q, the input of the site at the prompt's last token:

    g = σ(w·q)                    the gate
    out = g V q + (1 − g) W0 q    in training, at that token
    out = V q if g > 1/2          in use; else the site's own output, bit for bit

There is one w and one V for all edits, trained by Adam on edit after edit. Nothing holds the gate shut
on other prompts, so they may change. Three things differ from public code (EasyEdit's): there w and V
have biases and are drawn at random, and here both start at zero, without; there V q takes the place of
the outputs at all tokens, and here at the prompt's last one only; and there q is taken at the last
token of whatever is read, in training the target's.

**How a change is stored.** Every gradient of V is δ qᵀ with one and the same q, and Adam divides each
number by the size of its own gradients; what is left of q are its signs. So, but for Adam's ε, one edit
adds

    ΔV = u sign(q)ᵀ,   Δw = s sign(q)

and Adam on the vector u and the number s makes the very steps it would make on V and w. A change is
(q, u, s); the state is the sum of the changes in force, in log order, and taking one back adds up the
others anew.

A gate knows no edits: a match names the edit whose q is nearest.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from memoir.errors import EditRefused, LossNotFinite
from memoir.host import Attachment, Fed, Host
from memoir.host.last_token import LastTokenLesson, Placed, PutsAtLastToken, queries
from memoir.methods.base import Batch, Change, Need, Prepared, Usual
from memoir.types import Edit, Match, Progress, no_progress

OPEN = 0.5
"""The gate above which the value is used."""


@dataclass(frozen=True)
class DeferConfig:
    """Settings of DEFER.

    Attributes:
        depth: relative depth of the layer, 0..1 (as GRACE's; EasyEdit, LLaMA: 27 of 32).
        lr: Adam's step on gate and value (EasyEdit and WISE, A.3: 7e-5; the original, for small models:
            0.1, or 1.0 as WISE's authors have it).
        lr_for: inputs of the layer that ``lr`` was chosen for (LLaMA-3 and Mistral: 14336). A step
            moves an output by lr·‖q‖₁, a sum over inputs, so lr grows as the layer at hand has fewer
            (the rule is ours); None to take it as it is.
        max_steps: updates of one edit at most (original: 100).
        stop_loss: an edit is done below this loss, nats per target token, if its gate is open.
    """

    depth: float = 27 / 32
    lr: float = 7e-5
    lr_for: int | None = 14336
    max_steps: int = 100
    stop_loss: float = 1e-2


class Adapter:
    """The gate's w and the value's V, as sums of changes.

    Args:
        d_in, d_out: inputs and outputs of the site.
    """

    def __init__(self, d_in: int, d_out: int, device: torch.device | str = "cpu") -> None:
        self.value = torch.zeros(d_out, d_in, device=device)
        self.gate = torch.zeros(d_in, device=device)

    def copy(self) -> Adapter:
        """One that can be added to without changing this one."""
        other = Adapter(self.value.shape[1], self.value.shape[0], self.value.device)
        other.value, other.gate = self.value.clone(), self.gate.clone()
        return other

    def add(self, tensors: Mapping[str, Tensor]) -> None:
        """Take a change in."""
        signs = tensors["key"].to(self.gate).sign()
        self.value += torch.outer(tensors["value"].to(self.value), signs)
        self.gate += tensors["gate"].to(self.gate) * signs

    def __call__(
        self, q: Float[Tensor, "batch d_in"]
    ) -> tuple[Float[Tensor, " batch"], Float[Tensor, "batch d_out"]]:
        """g and V q."""
        q = q.to(self.gate)
        return torch.sigmoid(q @ self.gate), q @ self.value.T


class Defer(PutsAtLastToken, Usual):
    """DEFER on one host."""

    Config: ClassVar[type] = DeferConfig
    presets: ClassVar[Mapping[str, DeferConfig]] = {
        "default": DeferConfig(),
        "original": DeferConfig(lr=0.1, lr_for=None, stop_loss=0.0),
    }
    paper: ClassVar[str] = "DEFER, after SERAC, in GRACE, NeurIPS 2023, arXiv 2211.11031"
    undo: ClassVar[Literal["exact", "replay"]] = "replay"
    spares_others: ClassVar[bool] = False
    needs: ClassVar[tuple[Need, ...]] = ()
    batch: ClassVar[Batch] = "one by one"
    storage: ClassVar[str] = "two vectors and a number"

    def __init__(self, host: Host, prepared: Prepared) -> None:
        self.host = host
        self.config: DeferConfig = prepared.config
        self._live: dict[str, Mapping[str, Tensor]] = {}
        self._adapter = self._fresh()
        self.attachment = Attachment(host, self)

    # ------------------------------------------------------------------ inference

    @torch.no_grad()
    def decide(self, activations: Float[Tensor, "batch seq d_in"], fed: Fed) -> Placed:
        """The gate of every prompt, and the value behind it."""
        last, q = queries(activations, fed)
        gates, values = self._adapter(q)
        matches = [
            Match(name if gate > OPEN else None, gate, OPEN, {"gate": gate})
            for name, gate in zip(self._nearest(q), gates.tolist(), strict=True)
        ]
        rows = torch.tensor([i for i, match in enumerate(matches) if match.fired], dtype=torch.long)
        return Placed(matches, rows, last.cpu()[rows], values[rows.to(values.device)])

    def _nearest(self, q: Float[Tensor, "batch d_in"]) -> Sequence[str | None]:
        """Of each query the edit whose key is nearest; None if there are no edits."""
        if not self._live:
            return [None] * len(q)
        ids = list(self._live)
        keys = torch.stack([self._live[id]["key"] for id in ids])
        return [ids[i] for i in torch.cdist(q.to(keys), keys).argmin(1).tolist()]

    # ------------------------------------------------------------------ state

    def apply(self, id: str, edit: Edit, tensors: Mapping[str, Tensor]) -> None:
        self._live[id] = dict(tensors)
        self._adapter.add(tensors)

    def remove(self, id: str) -> None:
        del self._live[id]
        self._adapter = self._fresh()
        for tensors in self._live.values():
            self._adapter.add(tensors)

    def _fresh(self) -> Adapter:
        site = self.host.site
        return Adapter(site.d_in, site.d_out, self.host.device)

    # ------------------------------------------------------------------ editing

    def fit(
        self, edits: Sequence[Edit], progress: Progress = no_progress
    ) -> list[Change | EditRefused]:
        """One edit after another, each from the gate and value that those before it left."""
        adapter = self._adapter.copy()
        results: list[Change | EditRefused] = []
        for number, edit in enumerate(edits):
            result = self._fit(edit, adapter)
            if isinstance(result, Change):
                adapter.add(result.tensors)
            results.append(result)
            progress("fitting", number + 1, len(edits))
        return results

    def _fit(self, edit: Edit, adapter: Adapter) -> Change | EditRefused:
        start = time.perf_counter()
        config = self.config
        lesson = LastTokenLesson(self.host, [edit])
        read = time.perf_counter()
        q = lesson.keys[0].float()
        size = q.abs().sum()  # sign(q)·q
        gate_before, value_before = adapter.gate.to(q) @ q, adapter.value.to(q) @ q
        u = torch.zeros_like(value_before, requires_grad=True)
        s = torch.zeros_like(size, requires_grad=True)
        lr = config.lr if config.lr_for is None else config.lr * config.lr_for / len(q)
        adam = torch.optim.Adam([u, s], lr=lr)
        losses: list[float] = []
        for step in range(config.max_steps + 1):
            with torch.enable_grad():
                gate = torch.sigmoid(gate_before + s * size)
                value = value_before + u * size
                (loss,), _ = lesson.loss(gate * value + (1 - gate) * lesson.outputs)
            losses.append(float(loss.detach()))
            if not torch.isfinite(loss):
                return LossNotFinite(
                    f"the loss of '{edit.prompt}' → '{edit.target}' is {losses[-1]} after {step} "
                    "steps; nothing was written. Lower the learning rate (lr).",
                    losses,
                )
            opened = float(gate.detach()) > OPEN
            done = opened and losses[-1] < config.stop_loss
            if step == config.max_steps or done:
                break
            u.grad, s.grad = torch.autograd.grad(loss, [u, s])
            adam.step()
        with torch.no_grad():
            in_use = value[None] if opened else lesson.outputs
            _, (said,) = lesson.loss(in_use)
        seconds = {"read": read - start, "fit": time.perf_counter() - read}
        tensors = {"key": q.cpu(), "value": u.detach().cpu(), "gate": s.detach().reshape(1).cpu()}
        return Change(edit, tensors, tuple(losses), bool(said), seconds)
