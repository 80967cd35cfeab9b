"""Edits recited by a model whose memory acts on every token of prompt and target.

The lower layers run once, when this is made; only what follows the site runs again in every step.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

from memoir.host.host import Host
from memoir.types import Edit


class Recited(NamedTuple):
    """What the model makes of some of the edits.

    Attributes:
        logits: before each of the last tokens; those of a shorter target stand at the end.
        target: true where a token of the target comes next.
        loss: cross-entropy per target token, nats.
        said: whether every target token has rank one.
    """

    logits: Float[Tensor, "edits longest vocab"]
    target: Bool[Tensor, "edits longest"]
    loss: Float[Tensor, " edits"]
    said: Bool[Tensor, " edits"]


class Recital:
    """Bare prompts with their targets, read up to the site.

    Attributes:
        keys: what enters the site where a memory acts; zero at padding and at the last token, after
            which nothing is read.
        gain: how long the site's outputs are for inputs of length one, by the medians of both.
    """

    def __init__(self, host: Host, edits: Sequence[Edit]) -> None:
        self._host = host
        tokens = host.batch([host.encode(edit.prompt, edit.target) for edit in edits])
        self._reading = host.read(tokens)
        acts = tokens.attention.clone()
        acts[:, -1] = False
        activations = self._reading.activations
        self.keys: Float[Tensor, "edits seq d_in"] = activations.float() * acts.unsqueeze(-1)
        with torch.no_grad():
            inputs = activations[acts]
            outputs = host.site.module(inputs).float().norm(dim=-1).median()
            self.gain = float(outputs / inputs.float().norm(dim=-1).median())

    def recite(
        self,
        added: Float[Tensor, "edits seq d_out"],
        rows: Int[Tensor, " edits"] | None = None,
    ) -> Recited:
        """The model's answers with this added to what the site puts out.

        Args:
            added: in the order of ``rows``; gradients flow into it.
            rows: which of the edits; None for all.
        """
        tokens = self._reading.tokens if rows is None else self._reading.tokens.rows(rows)
        longest = tokens.longest_answer
        logits = self._host.replay(self._reading, added, rows, longest + 1)[:, :-1].float()
        ids, target = tokens.ids[:, -longest:], tokens.target[:, -longest:]
        nll = F.cross_entropy(logits.transpose(1, 2), ids, reduction="none")
        said = ((logits.detach().argmax(-1) == ids) | ~target).all(1)
        return Recited(logits, target, (nll * target).sum(1) / target.sum(1), said)
