"""Drift in running text: WikiText-2 perplexity with the edits in force. Lower is better.

Each article's first words are the prompt that decides whether an edit fires; the words after them
are scored. (lm-evaluation-harness feeds context and answer in one pass, as if all of it were the
prompt, so that a method that judges prompts would be judged on something users never send.)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from memoir.metrics.base import Ask, Compare, Output, Said
from memoir.metrics.text import window


@dataclass(frozen=True)
class WikiText:
    """Perplexity of articles, with and without the edits.

    Attributes:
        items: articles read.
        prompt_words: words that are the prompt.
        words: words scored after them.
    """

    over: ClassVar[str] = "wikitext"
    outputs: ClassVar[dict[str, Output]] = {
        "wikitext_perplexity": Output("lower", "Perplexity of WikiText-2 articles, edited.", "exp"),
        "wikitext_unedited_perplexity": Output(
            "lower", "Perplexity of WikiText-2 articles, unedited model.", "exp"
        ),
        "wikitext_fires": Output("lower", "Share of articles on which some edit fires."),
    }

    items: int = 60
    prompt_words: int = 32
    words: int = 96

    def asks(self, article: str) -> Sequence[Ask]:
        """One reading of the article, with and without the edits."""
        return [Compare(*window(article, self.prompt_words, self.words))]

    def score(self, article: str, said: Said, own: str | None) -> dict[str, float]:
        """Cross-entropies (nats per token), and whether an edit fired."""
        seen = said[Compare(*window(article, self.prompt_words, self.words))]
        values = {
            "wikitext_perplexity": seen.nll,
            "wikitext_unedited_perplexity": seen.unedited_nll,
        }
        if seen.match is not None:
            values["wikitext_fires"] = float(seen.match.fired)
        return values
