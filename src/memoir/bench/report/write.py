"""From results to the two files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from memoir.bench.report.grouping import group
from memoir.bench.report.markdown import body, markdown_page
from memoir.bench.report.page import html_page
from memoir.bench.report.sections import sections
from memoir.errors import BadInput


@dataclass(frozen=True)
class Report:
    """Where the report is."""

    html: Path
    markdown: Path


def write_report(results: Sequence[dict[str, Any]], folder: Path) -> Report:
    """Write ``report.html`` and ``report.md``, each replaced as a whole.

    The same results give the same bytes.

    Args:
        results: result dictionaries, one per run and checkpoint, in any order.
        folder: made if it is not there.

    Raises:
        BadInput: there is no result, a result lacks what names it, two results are of the same run
            and checkpoint, or the folder cannot be written.
    """
    data_sets = group(results)
    parts = sections(data_sets)
    report = Report(folder / "report.html", folder / "report.md")
    pages = {report.html: html_page(parts, data_sets), report.markdown: markdown_page(parts)}
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, text in pages.items():
            _replace(path, text)
    except OSError as error:
        raise BadInput(
            f"the report cannot be written to {folder}: {error}. Name a folder that can be written."
        ) from error
    return report


def markdown(results: Sequence[dict[str, Any]]) -> str:
    """The tables of ``report.md`` without its head, for a page of one's own.

    Raises:
        BadInput: as :func:`write_report`.
    """
    return body(sections(group(results)))


def _replace(path: Path, text: str) -> None:
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        unfinished.write_text(text, encoding="utf-8", newline="\n")
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
