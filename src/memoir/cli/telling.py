"""Commits, edits and verdicts in words, as several verbs show them.

Written plainly and not through a table, as there may be a hundred thousand of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from memoir.store import Row
    from memoir.types import Match
    from memoir.versions.log import Commit

MOST = 20
"""Edits that are shown of one commit where many commits are."""


def block(commit: Commit, most: int | None = MOST) -> Iterator[str]:
    """A commit in several lines; all of its edits, or the first few."""
    yield typer.style(f"commit {short(commit.row.id)}", fg="yellow") + _names(commit)
    if len(commit.row.body["parents"]) > 1:
        yield f"merge  {' '.join(map(short, commit.row.body['parents']))}"
    yield f"author {one_line(commit.row.body['author'])}"
    yield f"time   {when(commit.row)}"
    yield f"       {one_line(commit.row.body['message'])}"
    yield from (f"       forced: {one_line(text)}" for text in commit.row.body.get("forced", ()))
    lines = [*signed("+", commit.add), *signed("-", commit.remove)]
    yield from lines[:most]
    if most is not None and len(lines) > most:
        yield f"    … and {len(lines) - most:,} more: memoir show {short(commit.row.id)}"


def line(commit: Commit) -> str:
    """A commit in one line."""
    counts = (("+", commit.add), ("-", commit.remove))
    edits = "".join(f" {sign}{len(rows)}" for sign, rows in counts if rows)
    id = typer.style(short(commit.row.id), fg="yellow")
    return f"{id}{_names(commit)} {one_line(commit.row.body['message'])}{edits}"


def signed(sign: str, rows: Sequence[Row]) -> Iterator[str]:
    """Edits in a line each, with their ids, behind a sign."""
    for row in rows:
        text = f"    {sign} {short(row.id)}  {fact(row)}"
        yield typer.style(text, fg="green" if sign == "+" else "red")


def fact(row: Row) -> str:
    """What an edit teaches."""
    return f"{one_line(row.body['prompt'])} → {one_line(row.body['target'])}"


def when(row: Row) -> str:
    """The time of a row, to the second."""
    return f"{row.time[:19].replace('T', ' ')} UTC"


def one_line(text: str) -> str:
    """A text with its line ends folded."""
    return " ".join(text.split())


def short(id: str) -> str:
    """An id as people are shown it."""
    from memoir.store import short as shortened

    return shortened(id)


def evidence(match: Match | None, off: bool = False) -> str:
    """Which edit fired, and how strongly.

    Args:
        match: the verdict on a prompt; None where nothing decides.
        off: the unedited model was asked.
    """
    if off:
        return "edits were off"
    if match is None:
        return "with this method edits act on every prompt"
    if match.edit_id is None:
        return "no stored edit is about this"
    relation, id = "≥" if match.fired else "<", short(match.edit_id)
    verdict = f"edit {id} fired" if match.fired else f"no edit fired; nearest {id}"
    why = ", ".join(f"{name} {_joined(value)}" for name, value in match.evidence.items())
    return f"{verdict}: score {match.score:.3f} {relation} {match.threshold:.3f}" + (
        f" ({why})" if why else ""
    )


def _joined(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)


def _names(commit: Commit) -> str:
    return typer.style(f" ({', '.join(commit.names)})", fg="cyan") if commit.names else ""
