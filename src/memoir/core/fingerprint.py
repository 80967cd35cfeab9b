"""TopHash (MEMOIR, arXiv 2506.07899): which columns of the memory a prompt may use.

    m(x) = π(top_k |ā(x) − μ|)

``ā`` is the mean over the prompt's tokens of the edited layer's inputs, ``μ`` that mean averaged
over background prompts, ``π`` one fixed permutation of the columns. Prompts that mean the same
activate the same features and so get nearly the same mask; the permutation keeps the columns that
are written from being the very ones with the largest activations.

This file knows nothing of models, padding or edits: callers pass means of prompt tokens only.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor


def prompt_mean(
    activations: Float[Tensor, "batch seq d_in"], prompt: Bool[Tensor, "batch seq"]
) -> Float[Tensor, "batch d_in"]:
    """Mean activation over the prompt's tokens, in float32 whatever the model's dtype.

    Args:
        activations: inputs of the edited layer.
        prompt: true where a token belongs to the prompt (not padding, not answer). A row without
            any such token gets a zero mean.
    """
    weights = prompt.to(torch.float32).unsqueeze(-1)
    total = (activations.to(torch.float32) * weights).sum(dim=1)
    return total / weights.sum(dim=1).clamp_min(1.0)


def random_permutation(d_in: int, seed: int) -> Int[Tensor, " d_in"]:
    """The fixed permutation π: column ``i`` of the activation hashes to column ``π[i]``."""
    return torch.randperm(d_in, generator=torch.Generator().manual_seed(seed))


class TopHash:
    """Turns prompt means into binary masks with exactly ``k`` ones.

    Args:
        background: μ, the mean over background prompts of their prompt means.
        permutation: π.
        k: number of active columns, 1..d_in.

    Raises:
        ValueError: if ``k`` is out of range or the shapes disagree.
    """

    def __init__(
        self,
        background: Float[Tensor, " d_in"],
        permutation: Int[Tensor, " d_in"],
        k: int,
    ) -> None:
        if background.shape != permutation.shape:
            raise ValueError(
                f"background {tuple(background.shape)} and permutation {tuple(permutation.shape)} "
                "must have the same length, the number of inputs of the edited layer"
            )
        if not 1 <= k <= background.numel():
            raise ValueError(
                f"k must lie in 1..{background.numel()} (inputs of the layer), not {k}"
            )
        self.background = background.to(torch.float32)
        self.permutation = permutation
        self.k = k

    def __call__(self, mean: Float[Tensor, "batch d_in"]) -> Bool[Tensor, "batch d_in"]:
        """Masks of ``mean``, on its device."""
        centred = (mean - self.background.to(mean.device)).abs()
        top = centred.topk(self.k, dim=-1).indices
        columns = self.permutation.to(mean.device)[top]
        return torch.zeros_like(mean, dtype=torch.bool).scatter_(-1, columns, True)
