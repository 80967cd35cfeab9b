"""WikiText-2 (Merity et al. 2016), one text per article, its spacing mended.

The file writes rare words as ``<unk>``. That stays: they cannot be known, so perplexities are
comparable only between models that read the same ``<unk>``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from memoir.data.defects import LOST, Defect, Notes

MEASURES = "Is fluent text as likely as before: perplexity on encyclopedia articles."
SOURCE = (
    "WikiText-2 by Merity et al.; the validation file is in "
    "https://github.com/pytorch/examples (word_language_model/data/wikitext-2)"
)
LICENCE = "CC BY-SA 3.0"
FILES = {"edit": "wikitext/valid.txt"}

TITLE = re.compile(r"= (?!= ).*(?<! =) =")
"""`` = Title = ``; a section's heading has more signs: `` = = Section = = ``."""

MENDING = [
    (r" @([-,.])@ ", r"\1"),
    (r'" ([^"]*?) "', r'"\1"'),
    (r"([(\[]) ", r"\1"),
    (r"(?<!=) (\.\.\.|[,.;:!?%)\]])(?=[\s\"')\],.;:]|$)", r"\1"),
    (r"([$£€]) (?=\d)", r"\1"),
    (r"(?<=\w|>) '(s|t|m|re|ve|ll|d)\b", r"'\1"),
    (r"s ' ", "s' "),
    (r"= (?==)|(?<==) =(?= =|$)", "="),
]
"""What separates the tokens of the file, and how it is written in ordinary text; in this order."""


def cut(text: str, _path: Path) -> Iterator[tuple[str, str]]:
    """Each article with the line of its title; what stands before the first one counts as one."""
    start, lines = 1, list[str]()
    for number, line in enumerate(text.split("\n"), start=1):
        if TITLE.fullmatch(line.strip()):
            if any(map(str.strip, lines)):
                yield f"line {start}", "\n".join(lines)
            start, lines = number, []
        lines.append(line)
    if any(map(str.strip, lines)):
        yield f"line {start}", "\n".join(lines)


def parse(article: str, where: str, _notes: Notes) -> str:
    """An article with its headings, as ordinary text without empty lines."""
    if LOST in article:
        raise Defect(f"{where}: the article holds U+FFFD.", "text holds U+FFFD")
    lines = [line.strip() for line in article.split("\n") if line.strip()]
    if not TITLE.fullmatch(lines[0]):
        raise Defect(f"{where}: the text has no title.", "text before the first title")
    if len(lines) == 1:
        raise Defect(f"{where}: the article has only a title.", "article without text")
    return "\n".join(_mended(line) for line in lines)


def _mended(line: str) -> str:
    for pattern, replacement in MENDING:
        line = re.sub(pattern, replacement, line)
    return line
