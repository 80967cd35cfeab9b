"""WISE's mathematics: masks of shards, merging them, and what tells their prompts from others.

WISE (Wang et al., NeurIPS 2024, arXiv 2405.14768), §2.3. A side memory is the main weight W plus a
change τ. Shards of edits write to random elements of it (§2.3.2) and are merged as in TIES-Merging
(Yadav et al., NeurIPS 2023, arXiv 2306.01708):

    trim      of each τ the elements of largest magnitude stay, a share ``density`` of all
    elect     sign of an element: that of the sum over shards
    merge     mean over the shards that have this sign there; zero elements do not count

Prompts are told apart by what the side memory would change (equations 3 and 5; a is the activation
function, as in the authors' code: equation 3 has ‖τ x‖):

    Δact(x) = ‖a(W x) − a((W + τ) x)‖                    mean over the prompt's tokens
    margin loss = max(0, Δact(x_i) − α) + max(0, β − Δact(x_e)) + max(0, γ − (Δact(x_e) − Δact(x_i)))

for an edit's prompt x_e and an irrelevant one x_i.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Bool, Float
from torch import Tensor

Activation = Callable[[Tensor], Tensor]


def shard_mask(
    d_out: int, d_in: int, ratio: float, shard: int, seed: int
) -> Bool[Tensor, "d_out d_in"]:
    """The elements that one shard may change: a random share, fixed by seed and shard."""
    generator = torch.Generator().manual_seed(seed * 1_000_003 + shard)
    size = d_out * d_in
    mask = torch.zeros(size, dtype=torch.bool)
    mask[torch.randperm(size, generator=generator)[: round(ratio * size)]] = True
    return mask.reshape(d_out, d_in)


def ties_merge(
    changes: Float[Tensor, "shards d_out d_in"], density: float
) -> Float[Tensor, "d_out d_in"]:
    """One change made of several."""
    size = changes[0].numel()
    kept = max(1, round(density * size))
    least = changes.abs().flatten(1).kthvalue(size - kept + 1, dim=1).values
    trimmed = torch.where(changes.abs() >= least[:, None, None], changes, 0.0)
    agrees = (trimmed.sign() == trimmed.sum(0).sign()) & (trimmed != 0)
    return (trimmed * agrees).sum(0) / agrees.sum(0).clamp_min(1)


def activation_change(
    own: Float[Tensor, "tokens d_out"], added: Float[Tensor, "tokens d_out"], activation: Activation
) -> Float[Tensor, " tokens"]:
    """‖a(W x) − a((W + τ) x)‖ of every token, from W x and τ x."""
    return torch.linalg.vector_norm(activation(own) - activation(own + added), dim=-1)


def means(values: Float[Tensor, " tokens"], lengths: Sequence[int]) -> Float[Tensor, " prompts"]:
    """Mean over each prompt's tokens, which lie one prompt after another."""
    return torch.stack([part.mean() for part in values.split(list(lengths))])


def margin_loss(
    inside: Float[Tensor, ""],
    outside: Float[Tensor, " irrelevant"],
    alpha: float,
    beta: float,
    gamma: float,
) -> Float[Tensor, ""]:
    """The margin loss of one edit's Δact, averaged over irrelevant prompts."""
    terms = (
        (outside - alpha).clamp_min(0)
        + (beta - inside).clamp_min(0)
        + (gamma - (inside - outside)).clamp_min(0)
    )
    return terms.mean()
