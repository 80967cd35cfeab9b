"""The Markdown page: the same numbers as tables."""

from __future__ import annotations

import re

from memoir.bench.report.sections import Section
from memoir.bench.report.table import Cell, Column, Row, Table

_HEAD = """# Benchmark report

All edits are made first, one after the other; then everything is asked, and answers are scored.
*Free text* is what a user sees: the model's own greedy text begins with the taught answer. *Teacher
forced* is the papers' measure: the share of the answer's tokens that rank first when the model is fed
the right answer up to there. *Reliability* asks the taught prompt, *generalization* the same in other
words, *locality* something unrelated, whose answer must stay the unedited model's.
"""


def markdown_page(parts: list[Section]) -> str:
    """The page."""
    return _HEAD + "\n" + body(parts)


def body(parts: list[Section]) -> str:
    """The page without its head."""
    blocks: list[str] = []
    for part in parts:
        blocks.append(f"## {_escaped(part.title)}\n")
        blocks += [f"* **{_escaped(who)}**: {_escaped(words)}" for who, words in part.sentences]
        blocks += [line for words in part.remarks for line in ("", _escaped(words))]
        tables = (
            *(part.headline, part.retention, part.conditions, part.harder, part.fluency),
            *(part.routing, part.cost, part.drift, part.subsets, part.origins),
        )
        blocks += ["", *(_table(table) for table in tables if table)]
    return "\n".join(blocks).rstrip() + "\n"


def _table(table: Table) -> str:
    lines = [f"### {_escaped(table.title)}", "", _escaped(table.caption), ""]
    titles = [_column(column) for column in table.columns]
    lines.append(f"| {' | '.join(titles)} |")
    lines.append(f"|{'|'.join('---:' if one.numeric else '---' for one in table.columns)}|")
    lines += [
        f"| {' | '.join(_cell(cell, row, first=i == 0) for i, cell in enumerate(row.cells))} |"
        for row in table.rows
    ]
    notes = [part for note in table.notes for part in ("", _escaped(note))]
    return "\n".join([*lines, *notes, ""])


def _column(column: Column) -> str:
    return _escaped(f"{column.title}, {column.group}" if column.group else column.title)


def _cell(cell: Cell, row: Row, first: bool) -> str:
    text = _escaped(cell.text)
    text = f"**{text}**" if cell.best else f"*{text}*" if row.kind == "published" else text
    told = "published: " if first and row.kind == "published" else ""
    return f"{text} {told}{_escaped(cell.note)}".strip()


def _escaped(text: str) -> str:
    text = text.replace("\\", "\\\\").replace("&", "&amp;").replace("<", "&lt;")
    text = re.sub(r"([|*`_]|\](?=[(\[:]))", r"\\\1", text)
    return " ".join(text.split())
