"""Other values in place of the site's output at prompts' last tokens: what GRACE and DEFER do."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

from memoir.host.host import Host, Reading
from memoir.host.scoped import Fed
from memoir.types import Edit, Match


class Placed(NamedTuple):
    """Which rows of a batch are answered, at which token, with what."""

    matches: list[Match]
    rows: Int[Tensor, " fired"]
    last: Int[Tensor, " fired"]
    values: Float[Tensor, "fired d_out"]


def queries(
    activations: Float[Tensor, "batch seq d_in"], fed: Fed
) -> tuple[Int[Tensor, " batch"], Float[Tensor, "batch d_in"]]:
    """Rank of every prompt's last token, and what enters the site there."""
    last = fed.prompt.sum(1) - 1
    at = (fed.rank == last.unsqueeze(1)).float().argmax(1)
    return last, activations[torch.arange(len(at), device=at.device), at]


class PutsAtLastToken:
    """A module at the site whose route is :class:`Placed`."""

    def act(
        self,
        activations: Float[Tensor, "batch seq d_in"],
        output: Float[Tensor, "batch seq d_out"],
        route: Placed,
        fed: Fed,
    ) -> Float[Tensor, "batch seq d_out"] | None:
        """The site's output with the values in their places; None if none of them is in this pass."""
        if not len(route.rows):
            return None
        rows = route.rows.to(output.device)
        here = fed.rank[rows.to(fed.rank.device)] == route.last.to(fed.rank.device).unsqueeze(1)
        here = here.to(output.device)
        if not here.any():
            return None  # the prompt has been read
        changed = output.clone()
        values = route.values.to(output.device, output.dtype).unsqueeze(1)
        changed[rows] = torch.where(here.unsqueeze(-1), values, output[rows])
        return changed


class LastTokenLesson:
    """Prompts with their targets, read up to the site.

    Attributes:
        keys: what enters the site at each prompt's last token.
        outputs: what leaves it there.
    """

    def __init__(self, host: Host, edits: Sequence[Edit]) -> None:
        self._host = host
        tokens = host.batch([host.encode(edit.prompt, edit.target) for edit in edits])
        self._longest = tokens.longest_answer
        self._reading: Reading = host.read(tokens, self._longest + 1)
        count = tokens.target.sum(1)
        self._at = self._reading.last - 1 - count  # of the last prompt token, among those replayed
        self._ids = tokens.ids[:, -self._longest :]
        self._target = tokens.target[:, -self._longest :]
        self._rows = torch.arange(len(count), device=count.device)
        last = self._reading.activations[:, -self._reading.last :]
        self.keys: Float[Tensor, "edits d_in"] = last[self._rows, self._at]
        with torch.no_grad():
            self.outputs: Float[Tensor, "edits d_out"] = host.site.module(self.keys).float()

    def loss(
        self, values: Float[Tensor, "edits d_out"]
    ) -> tuple[Float[Tensor, " edits"], Bool[Tensor, " edits"]]:
        """Cross-entropy per target token, and whether the whole target has rank one."""
        added = values.new_zeros(len(values), self._reading.last, values.shape[1])
        added = added.index_put((self._rows, self._at), values - self.outputs)
        logits = self._host.replay(self._reading, added, keep=self._longest + 1).float()[:, :-1]
        nll = F.cross_entropy(logits.transpose(1, 2), self._ids, reduction="none")
        said = ((logits.detach().argmax(-1) == self._ids) | ~self._target).all(1)
        return (nll * self._target).sum(1) / self._target.sum(1), said
