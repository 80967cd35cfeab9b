"""The section of docs/benchmarks.md on which edit fires, from benchmarks/results/routing.json."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from routing_queries import CONVERSATION, FIRES, STAYS

DATA = {"zsre": "ZsRE", "counterfact_rome": "CounterFact", "knowedit": "KnowEdit"}

VARIANTS = {
    "told-given": "subject given",
    "told-estimated": "subject estimated",
    "shipped-given": "shipped pairs, subject given",
    "shipped-estimated": "shipped pairs, subject estimated",
    "told-padded": "subject given, among more edits",
    "told-aliases": "its other name given",
    "overlap": "overlap (paper)",
}
MENDED = {
    "typo": "bare",
    "last_name": "bare",
    "follow_up": CONVERSATION,
    "follow_up_other": CONVERSATION,
}
"""Kinds that are asked in one setting only."""

HEAD = """## Which edit fires

`python benchmarks/routing.py --records {records}`: the router alone, nothing is fitted or
generated. Of queries that should fire, a cell gives the share on which the right edit fires / the
share on which another does; of those that must not, the share on which any does; behind it, in
brackets, their number. The router by meaning learnt from the pairs of the training files
(`benchmarks/pairs.py`) too, except in the columns "shipped pairs".
"""


def routing(result: Mapping[str, Any]) -> list[str]:
    """The section, as lines of Markdown; none if nothing was measured yet."""
    if not result:
        return []
    lines = HEAD.format(records=result["records"]).splitlines()
    for name, cells in result["cells"].items():
        lines += ["", f"### {DATA[name]}", "", *_bare(cells)]
        if name == "knowedit":
            continue
        if "told-given" in cells:
            lines += ["", "In conversations, subject given:", "", *_settings(cells)]
        if {"told-given", "overlap"} & cells.keys():
            lines += ["", "What the paper's router cannot follow:", "", *_mends(cells)]
    lines += [
        "",
        "Milliseconds of a verdict on a bare prompt, beside other work on the machine:",
        "",
    ]
    return [*lines, *_times(result["cells"]), "", _provenance(result)]


def _bare(cells: Mapping[str, Any]) -> list[str]:
    variants = [variant for variant in VARIANTS if variant in cells]
    heads = [f"{VARIANTS[v]}, {cells[v]['stored']:,} edits" for v in variants]
    kinds = [kind for kind in (*FIRES, *STAYS) if kind not in MENDED]
    found = [cells[variant]["settings"]["bare"] for variant in variants]
    return [*_table("bare prompt", heads, kinds, found), *_siblings(cells)]


def _siblings(cells: Mapping[str, Any]) -> list[str]:
    """Whose the wrong edits are where several share a subject."""
    kinds = cells["told-given"]["settings"]["bare"] if "told-given" in cells else {}
    count = kinds.get("rephrase_shared")
    if not count:
        return []
    wrong = count["same_subject"] + count["other"]
    return [
        "",
        f"Of the {wrong} wrong edits that fire on rephrases of shared subjects (first column), "
        f"{count['same_subject']} are about that very subject.",
    ]


def _settings(cells: Mapping[str, Any]) -> list[str]:
    settings = cells["told-given"]["settings"]
    shown = [setting for setting in settings if setting != CONVERSATION]
    kinds = [kind for kind in (*FIRES, *STAYS) if kind not in MENDED]
    lines = _table("query", shown, kinds, [settings[each] for each in shown])
    if "overlap" in cells:
        paper = [cells["overlap"]["settings"][each].get("rephrase") for each in shown]
        lines.append(_row("rephrase, overlap (paper)", "rephrase", paper))
    return lines


def _mends(cells: Mapping[str, Any]) -> list[str]:
    variants = [variant for variant in ("overlap", "told-given") if variant in cells]
    found = [
        {
            kind: cells[variant]["settings"].get(setting, {}).get(kind)
            for kind, setting in MENDED.items()
        }
        for variant in variants
    ]
    return _table("query", [VARIANTS[variant] for variant in variants], list(MENDED), found)


def _table(
    what: str, heads: Sequence[str], kinds: Iterable[str], found: Sequence[Mapping[str, Any]]
) -> list[str]:
    lines = [f"| {' | '.join([what, *heads])} |", f"|---|{'---:|' * len(heads)}"]
    words = {**FIRES, **STAYS}
    for kind in kinds:
        counts = [each.get(kind) for each in found]
        if any(counts):
            lines.append(_row(words[kind], kind, counts))
    return lines


def _row(words: str, kind: str, counts: Sequence[Mapping[str, int] | None]) -> str:
    return f"| {' | '.join([words, *(_cell(kind, each) for each in counts)])} |"


def _cell(kind: str, count: Mapping[str, int] | None) -> str:
    if not count:
        return "–"
    n, own = count["n"], count["own"]
    another = count["same_subject"] + count["other"]
    if kind in STAYS:
        return f"{(own + another) / n:.3f} ({n:,})"
    return f"{own / n:.3f} / {another / n:.3f} ({n:,})"


def _times(cells: Mapping[str, Any]) -> list[str]:
    lines = ["| | query | edits stored | median | 95 % | n |", "|---|---|---:|---:|---:|---:|"]
    for name, variants in cells.items():
        for variant in ("told-given", "told-padded"):
            cell = variants.get(variant)
            for kind in ("edit", "rephrase", "locality"):
                count = cell["settings"]["bare"].get(kind) if cell else None
                if count:
                    ms, words = count["ms"], {**FIRES, **STAYS}[kind]
                    lines.append(
                        f"| {DATA[name]} | {words} | {cell['stored']:,} "
                        f"| {ms['median']:.1f} | {ms['95%']:.1f} | {count['n']:,} |"
                    )
    return lines


def _provenance(result: Mapping[str, Any]) -> str:
    versions = result["versions"]
    return (
        f"Measured: {result['date']}, commit {result['commit']}, {result['machine']}, "
        f"torch {versions['torch']}, transformers {versions['transformers']}.\n"
    )
