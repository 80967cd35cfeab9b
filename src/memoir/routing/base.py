"""What every router does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from jaxtyping import Bool, Float, Int
from torch import Tensor

from memoir.types import Edit, Match


class Prompts(NamedTuple):
    """A batch of prompts, as they reach the site.

    Attributes:
        ids: token ids; None if the model was given embeddings.
        real: true at the prompts' tokens.
        activations: inputs of the site.
    """

    ids: Int[Tensor, "batch seq"] | None
    real: Bool[Tensor, "batch seq"]
    activations: Float[Tensor, "batch seq d_in"]


class Router(Protocol):
    """Decides which stored edit fires. Verdicts on different prompts never influence each other,
    but in the last bits of scores, nor does an edit that is taken out change any score of another."""

    def keys(self, edits: Sequence[Edit]) -> list[dict[str, Tensor]]:
        """What the router wants stored with each edit, beside the memory's own tensors."""

    def add(self, id: str, edit: Edit, tensors: Mapping[str, Tensor]) -> None:
        """Take an edit in; ``tensors`` hold what :meth:`keys` gave and the memory's own."""

    def remove(self, id: str) -> None:
        """Forget an edit."""

    def match(self, prompts: Prompts) -> list[Match]:
        """One verdict per prompt."""
