"""Drift in what the model would say: KL(unedited ‖ edited) on unrelated text. Lower is better, 0..∞.

Perplexity can stay while the distribution moves; this cannot. Same articles as
:mod:`memoir.metrics.wikitext`, from the same pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from memoir.metrics.base import Ask, Compare, Output, Said
from memoir.metrics.text import window


@dataclass(frozen=True)
class Divergence:
    """KL divergence on WikiText-2 articles.

    Attributes:
        items, prompt_words, words: as in :class:`memoir.metrics.wikitext.WikiText`.
    """

    over: ClassVar[str] = "wikitext"
    outputs: ClassVar[dict[str, Output]] = {
        "wikitext_kl": Output(
            "lower", "KL(unedited ‖ edited) on WikiText-2 articles, nats per token."
        )
    }

    items: int = 60
    prompt_words: int = 32
    words: int = 96

    def asks(self, article: str) -> Sequence[Ask]:
        """One reading of the article, with and without the edits."""
        return [Compare(*window(article, self.prompt_words, self.words))]

    def score(self, article: str, said: Said, own: str | None) -> dict[str, float]:
        """Mean divergence per token."""
        return {"wikitext_kl": said[Compare(*window(article, self.prompt_words, self.words))].kl}
