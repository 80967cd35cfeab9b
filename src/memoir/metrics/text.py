"""Comparing what a model said with what it should say: normalised, and at word boundaries."""

from __future__ import annotations

import re
import unicodedata


def normalise(text: str) -> str:
    """NFKC, lower case, white space folded, outer punctuation removed."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return re.sub(r"\s+", " ", folded).strip(" \t\n.,;:!?\"'“”‘’`*()[]")


def equals(text: str, target: str) -> bool:
    """Whether both are the same once normalised."""
    wanted = normalise(target)
    return bool(wanted) and normalise(text) == wanted


def begins_with(text: str, target: str) -> bool:
    """Whether the normalised text begins with the normalised target, as whole words."""
    wanted = normalise(target)
    return bool(wanted) and re.match(_whole(wanted), normalise(text)) is not None


def contains(text: str, target: str) -> bool:
    """Whether the normalised target occurs in the normalised text, as whole words."""
    wanted = normalise(target)
    return bool(wanted) and re.search(r"(?<!\w)" + _whole(wanted), normalise(text)) is not None


def _whole(wanted: str) -> str:
    return re.escape(wanted) + r"(?!\w)"


def window(text: str, prompt_words: int, words: int) -> tuple[str, str]:
    """The beginning of a text, and what follows it: two runs of words, white space folded."""
    found = text.split()
    return " ".join(found[:prompt_words]), " ".join(found[prompt_words : prompt_words + words])
