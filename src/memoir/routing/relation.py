"""What is asked about a subject, as a short vector.

A sentence whose subject is replaced by a placeholder goes through the first fifth of the layers; the
mean of the residual stream over its tokens, projected to where relations differ, is what is compared
(:mod:`memoir.core.plda`). The last token's state, and deeper layers, did not help when measured; the
mean at a fifth of the depth did as well as at four fifths.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from memoir.core.plda import Plda
from memoir.host import Host
from memoir.host.tokens import Encoded

DEPTH = 0.2
"""Share of the layers that a sentence goes through."""

BATCH = 64

LONGEST = 96
"""Tokens of a sentence that are read; of a longer one, the last."""


class Reader:
    """Reads sentences with the lower layers of a model.

    Args:
        host: the model.
    """

    def __init__(self, host: Host) -> None:
        self._host = host
        self.layer = max(1, round(len(host.site.blocks) * DEPTH))
        start = host.tokenizer.bos_token_id
        self._start = [host.pad_id if start is None else start]

    def __call__(self, sentences: Sequence[str]) -> Float[Tensor, "sentences hidden"]:
        """Mean residual of each sentence, lower-cased, behind a start token that is not counted."""
        rows = [self._encoded(sentence) for sentence in sentences]
        order = sorted(range(len(rows)), key=lambda i: len(rows[i].prompt))
        means = torch.zeros(len(rows), self._host.model.config.get_text_config().hidden_size)
        for start in range(0, len(order), BATCH):
            some = order[start : start + BATCH]
            tokens = self._host.batch([rows[i] for i in some])
            residual = self._host.residual(tokens, self.layer).float()
            counted = (tokens.position_ids > 0) & tokens.attention
            total = (residual * counted.unsqueeze(-1).to(residual.device)).sum(1)
            means[some] = (total / counted.sum(1, keepdim=True).clamp_min(1)).cpu()
        return means

    def _encoded(self, sentence: str) -> Encoded:
        text = " " + " ".join(sentence.split()).lower()
        ids = self._host.tokenizer(text, add_special_tokens=False)["input_ids"]
        return Encoded([*self._start, *ids[-LONGEST:]])


class Relations:
    """Vectors of sentences, comparable by relation.

    Args:
        reader: reads them.
        plda: compares them.
    """

    def __init__(self, reader: Reader, plda: Plda) -> None:
        self._reader = reader
        self._plda = plda

    def of(self, sentences: Sequence[str]) -> Float[Tensor, "sentences dims"]:
        """Half-precision vectors of sentences with a placeholder in the subject's place."""
        if not sentences:
            return torch.zeros(0, self._plda.cross.numel(), dtype=torch.float16)
        return self._plda.project(self._reader(sentences)).half()

    @property
    def highest(self) -> Float[Tensor, " 1"]:
        """What :meth:`alike` never exceeds."""
        return torch.tensor([self._plda.highest])

    def alike(self, a: Float[Tensor, "n dims"], b: Float[Tensor, "n dims"]) -> Float[Tensor, " n"]:
        """How much aligned vectors ask the same: about −2 (no) to 1 (yes)."""
        return self._plda.score(a, b)
