"""The router by meaning, as one of the things that a method prepares and its store keeps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

from memoir.host import Host
from memoir.host.tokens import Encoded
from memoir.routing.base import Prompts, Router
from memoir.routing.meaning import MeaningRouter
from memoir.routing.pairs import told
from memoir.routing.remembered import learnt_for
from memoir.routing.verdict import Learnt
from memoir.types import Match, Progress, no_progress

LEARNT = "learnt."
"""Begins the names of the router's tensors among a method's prepared ones."""


class PreparedRouter(NamedTuple):
    """A router before the first edit.

    Attributes:
        threshold: probability from which an edit fires, 0..1.
        tensors: what was learnt, to be prepared with the method's own.
        evidence: how well it does on pairs that were held out.
    """

    threshold: float
    tensors: dict[str, Tensor]
    evidence: dict[str, Any]


def prepare_router(
    host: Host,
    pairs: str | None = None,
    threshold: float | None = None,
    progress: Progress = no_progress,
) -> PreparedRouter:
    """Learn a router for a model, or find what was learnt in the user's cache folder.

    Args:
        host: the model.
        pairs: a file of further pairs to learn from, see :func:`memoir.routing.pairs.told`.
        threshold: None for the one that was calibrated.
        progress: told while it learns.
    """
    learning = learnt_for(host, told(pairs) if pairs else (), progress)
    return PreparedRouter(
        learning.threshold if threshold is None else threshold,
        {LEARNT + name: each for name, each in learning.learnt.tensors().items()},
        learning.evidence,
    )


def prepared_router(host: Host, tensors: Mapping[str, Tensor], threshold: float) -> MeaningRouter:
    """The router that prepared tensors hold; others among them are left alone."""
    learnt = {
        name.removeprefix(LEARNT): each for name, each in tensors.items() if name.startswith(LEARNT)
    }
    return MeaningRouter(host, Learnt.from_tensors(learnt), threshold)


def foreseen(router: Router, prompts: Sequence[Encoded]) -> list[Match]:
    """Verdicts on prompts that do not pass through the model."""
    alone = [torch.tensor([row.prompt]) for row in prompts]
    return [
        router.match(Prompts(ids, torch.ones_like(ids, dtype=torch.bool), torch.zeros(0)))[0]
        for ids in alone
    ]
