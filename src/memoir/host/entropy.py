"""How sure a model is of the next token, and how that depends on weights beside the site."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from memoir.host.host import Host
from memoir.host.tokens import Encoded


def entropy_gradient(
    host: Host, prompts: Sequence[Encoded], weight: Float[Tensor, "d_out d_in"]
) -> Float[Tensor, "prompts d_out d_in"]:
    """Gradient of the next token's entropy, nats, with respect to weights that act on all tokens.

    One pass forwards, and one backwards over the layers above the site.

    Args:
        host: the model, without what is attached to it.
        prompts: each has a gradient of its own.
        weight: what is added to the site's own weight.
    """
    with torch.inference_mode(False), torch.enable_grad():
        tokens = host.batch([Encoded(row.prompt) for row in prompts])
        reading = host.read(tokens)
        keys = reading.activations.to(weight) * tokens.attention.unsqueeze(-1)
        added = (keys @ weight.T).requires_grad_()
        chances = host.replay(reading, added, keep=1)[:, -1].float().log_softmax(-1)
        entropy = -(chances.exp() * chances).sum()
        (slope,) = torch.autograd.grad(entropy, added)
    return torch.einsum("pto,pti->poi", slope, keys.detach())
