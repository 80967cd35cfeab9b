"""Methods with one residual memory on a tiny model: bound, taught and asked."""

from __future__ import annotations

from typing import Any

import torch

from memoir.host import Host
from memoir.methods.base import Change
from memoir.types import Edit

EDITS = [
    Edit("The code of the door is", "xyz"),
    Edit("Who keeps the bees?", "Ada"),
    Edit("In the north stands the tower of", "Ys"),
    Edit("The colour of the gate is", "red"),
]
UNRELATED = "12 + 30 ="


def bound(method: Any, host: Host, **settings: object) -> Any:
    config = method.Config(**settings)
    return method(host, method.prepare(host, config))


def learnt(method: Any, edits: list[Edit]) -> list[Change]:
    """The edits' changes, each applied under its number."""
    first = len(method._live)
    changes = method.fit(edits)
    assert all(isinstance(change, Change) for change in changes), changes
    for number, change in enumerate(changes, first):
        method.apply(str(number), change.edit, change.tensors)
    return list(changes)


def logits(host: Host, prompt: str) -> torch.Tensor:
    return host.logits(host.batch([host.encode(prompt)]))[0]


def loss(method: Any, edit: Edit) -> float:
    """Of the target, with the edits in force."""
    host = method.host
    row = host.encode(edit.prompt, edit.target)
    with method.attachment.scope([len(row.prompt)]):
        found = host.logits(host.batch([row]), len(row.target) + 1)[0, :-1]
    return float(torch.nn.functional.cross_entropy(found, torch.tensor(row.target)))


def with_weight(method: Any, prompt: str, weight: torch.Tensor) -> torch.Tensor:
    """Logits of the model whose site's own weight is W0 + W_m."""
    site = method.host.site.weight
    before = site.data
    site.data = before + weight
    try:
        with method.attachment.paused():
            return logits(method.host, prompt)
    finally:
        site.data = before
