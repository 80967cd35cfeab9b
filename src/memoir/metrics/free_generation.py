"""Free generation: is the target what the model says, in greedy text? Higher is better.

``begins_with`` is the strict form, used for bare prompts; ``contains`` suits chat, where a good
answer is a sentence. Both compare normalised text at word boundaries.
"""

from __future__ import annotations

import re
import unicodedata


def normalise(text: str) -> str:
    """NFKC, lower case, white space folded, outer punctuation removed."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return re.sub(r"\s+", " ", folded).strip(" \t\n.,;:!?\"'“”‘’`*()[]")


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
