"""What enters several layers where a target is foretold, and the loss's gradient by what leaves."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional as F

from memoir.host.host import Host, in_internal_pass
from memoir.host.sites import find_site
from memoir.host.tokens import Encoded


class Traced(NamedTuple):
    """Some sequences at the tokens that foretell their targets, one row for each such token.

    Attributes:
        owner: the sequence of each row.
        inputs: of each layer's feed-forward output projection.
        gradients: of the sequence's own loss, by what leaves it.
        losses: of the sequences: cross-entropy per target token.
    """

    owner: Int[Tensor, " rows"]
    inputs: dict[int, Float[Tensor, "rows d_in"]]
    gradients: dict[int, Float[Tensor, "rows d_out"]]
    losses: Float[Tensor, " sequences"]


def traced(host: Host, rows: Sequence[Encoded], layers: Sequence[int]) -> Traced:
    """Read sequences and go back through the model once.

    Args:
        host: its site must be at the lowest of the layers: what is below runs without gradients.
        rows: prompts with their targets.
        layers: decoder blocks.
    """
    tokens = host.batch(rows)
    longest = tokens.longest_answer
    reading = host.read(tokens, longest + 1)
    inputs: dict[int, Tensor] = {}
    changes: dict[int, Tensor] = {}
    with ExitStack() as stack, torch.enable_grad():
        for layer in layers:
            module = find_site(host.model, layer).module
            hook = module.register_forward_hook(_tracing(layer, inputs, changes))
            stack.callback(hook.remove)
        logits = host.replay(reading, keep=longest + 1)[:, :-1].float()
        ids, target = tokens.ids[:, -longest:], tokens.target[:, -longest:]
        nll = F.cross_entropy(logits.transpose(1, 2), ids, reduction="none")
        losses = (nll * target).sum(1) / target.sum(1)
        found = torch.autograd.grad(losses.sum(), [changes[layer] for layer in layers])
    owner = target.nonzero()[:, 0]
    return Traced(
        owner,
        {layer: inputs[layer][:, -longest - 1 : -1][target].float() for layer in layers},
        {
            layer: gradient[:, -longest - 1 : -1][target].float()
            for layer, gradient in zip(layers, found, strict=True)
        },
        losses.detach(),
    )


def _tracing(
    layer: int, inputs: dict[int, Tensor], changes: dict[int, Tensor]
) -> Callable[..., Tensor | None]:
    """A hook that keeps a module's input, and adds a zero by which can be differentiated."""
    thread = threading.get_ident()

    def hook(_module: nn.Module, args: Any, output: Tensor) -> Tensor | None:
        if threading.get_ident() != thread or not in_internal_pass():
            return None
        inputs[layer] = args[0].detach()
        changes[layer] = torch.zeros_like(output).requires_grad_()
        return output + changes[layer]

    return hook
