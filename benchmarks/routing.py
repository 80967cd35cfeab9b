"""Which edit fires? The router alone: nothing is fitted and nothing is generated.

    MEMOIR_DATA=… python benchmarks/pairs.py
    MEMOIR_DATA=… python benchmarks/routing.py

Stores the edits of the first records of a data set in a router and asks it about them: by the edits'
prompts, in other words, with typing errors, about their neighbours, …, bare and in conversations
(benchmarks/routing_queries.py). Writes benchmarks/results/routing.json, and a sample of what went
wrong, for people to read, to benchmarks/.work/routing-failures.jsonl.

Each variant of each data set is kept in benchmarks/.work/routing until the package's source, these
scripts or the pairs change, so that a run that is killed goes on where it was.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import torch

from common import write
from memoir import data
from memoir.bench.header import circumstances
from memoir.bench.padding import _others as others
from memoir.bench.padding import _plain as plain
from memoir.calibration import calibrate
from memoir.cli.output import progress_bars
from memoir.core.fingerprint import TopHash, prompt_mean
from memoir.data.registry import named_folder
from memoir.host import Host
from memoir.host.loading import load_host
from memoir.methods.memoir import PAPER_DENSITY
from memoir.routing.base import Prompts, Router
from memoir.routing.meaning import MeaningRouter
from memoir.routing.overlap import OverlapRouter
from memoir.routing.pairs import told
from memoir.routing.remembered import learnt_for
from memoir.surroundings import SETTINGS
from memoir.types import Edit, Match, Probe, Progress, Question, Record
from routing_queries import CONVERSATION, FIRES, Query, alias, bare_words, queries, shares_word

HERE = Path(__file__).parent
WORK = HERE / ".work"
PAIRS = WORK / "pairs.jsonl"
FAILURES = WORK / "routing-failures.jsonl"

SAMPLE = 200
"""Records that the router of the paper is asked about: it reads each query with most of the layers."""

SHOWN = 40
"""Failures of each kind that are kept."""


@dataclass(frozen=True)
class Variant:
    """A router and what is stored in it.

    Attributes:
        meaning: by meaning, or else by overlap.
        told: learnt from the pairs of the training files too.
        given: edits name their subject.
        aliases: edits name the subject's other name.
        padded: all other edits of CounterFact are stored too.
        settings: in which the usual kinds are asked.
        mends: whether typing errors, last names and pronouns are asked.
    """

    meaning: bool = True
    told: bool = True
    given: bool = True
    aliases: bool = False
    padded: bool = False
    settings: Sequence[str] = ("bare",)
    mends: bool = False


VARIANTS = {
    "told-given": Variant(settings=SETTINGS, mends=True),
    "told-estimated": Variant(given=False),
    "shipped-given": Variant(told=False),
    "shipped-estimated": Variant(told=False, given=False),
    "told-padded": Variant(padded=True),
    "told-aliases": Variant(aliases=True),
    "overlap": Variant(meaning=False, settings=SETTINGS, mends=True),
}

CELLS = [
    *(
        (name, variant)
        for name in ("zsre", "counterfact_rome")
        for variant in VARIANTS
        if variant != "told-aliases"
    ),
    *(("knowedit", variant) for variant in ("told-given", "told-aliases", "overlap")),
]
"""What is measured; of KnowEdit, only its other names of subjects."""


def read(name: str, folder: Path, count: int) -> list[Record]:
    """The first records of a data set, each with what is asked about it."""
    split = "train" if name == "knowedit" else "edit"
    found = [
        each for each in data.load(name, folder, split=split).items if isinstance(each, Record)
    ]
    if name == "knowedit":
        kept = [
            replace(record, probes=tuple(record.of("alias"))) for record in found if alias(record)
        ]
        return kept[:count]
    if name == "counterfact_rome":  # has no unrelated questions
        asked = [q for q in data.load("nq_open", folder).items if isinstance(q, Question)]
        found = [
            replace(record, probes=(*record.probes, Probe("locality", question.prompt)))
            for record, question in zip(found, asked, strict=False)
        ]
    return found[:count]


def stored(variant: Variant, records: Sequence[Record], folder: Path) -> list[Edit]:
    """The edits of the records, behind the padding."""
    edits = [record.edit for record in records]
    if variant.aliases:
        names = [alias(record) for record in records]
        edits = [
            replace(edit, aliases=(name,)) if name else edit
            for edit, name in zip(edits, names, strict=True)
        ]
    if variant.padded:
        items = data.load("counterfact", folder).items
        edits = [*others([each for each in items if isinstance(each, Record)], records), *edits]
    return edits


def by_meaning(
    host: Host, variant: Variant, edits: Sequence[Edit], progress: Progress
) -> tuple[MeaningRouter, dict[str, Any]]:
    """A router by meaning that holds the edits, and the evidence of what it learnt."""
    learning = learnt_for(host, told(PAIRS) if variant.told else (), progress)
    router = MeaningRouter(host, learning.learnt, learning.threshold)
    if not variant.given:
        edits = [replace(edit, subject=None) for edit in edits]
    for number, (edit, tensors) in enumerate(zip(edits, router.keys(edits), strict=True)):
        router.add(str(number), edit, tensors)
    return router, learning.evidence


def by_overlap(
    host: Host, edits: Sequence[Edit], progress: Progress
) -> tuple[OverlapRouter, dict[str, Any]]:
    """The paper's router with the edits, calibrated at its layer, and the evidence of that."""
    layer, k = host.site.layer, round(host.site.d_in * PAPER_DENSITY)
    found = calibrate(host, [layer], [k], seed=0, progress=progress)
    top_hash = TopHash(found.background, found.permutation, k)
    router = OverlapRouter(top_hash, found.chosen.threshold)
    for number, edit in enumerate(edits):
        tokens = host.batch([host.encode(edit.prompt)])
        activations = host.read_layers(tokens, [layer])[0]
        mask = top_hash(prompt_mean(activations, tokens.prompt))[0]
        router.add(str(number), edit, {"columns": mask.nonzero().squeeze(1)})
        progress("reading prompts", number + 1, len(edits))
    return router, found.evidence()


def measured(
    host: Host, name: str, variant: Variant, records: Sequence[Record], folder: Path, show: Progress
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """How often which edit fires, and a sample of the failures."""
    edits = stored(variant, records, folder)
    router: Router
    if variant.meaning:
        router, learnt = by_meaning(host, variant, edits, show)
    else:
        router, learnt = by_overlap(host, edits, show)
    counts: dict[str, Counts] = defaultdict(lambda: Counts(edits))
    asked = list(_asked(variant, records))
    for done, query in enumerate(asked):
        show(f"asking about {name}", done, len(asked))
        match, seconds = verdict(host, router, query, reads=not variant.meaning)
        own = len(edits) - len(records) + query.record
        counts[query.setting].add(query, own, match, seconds)
    show(f"asking about {name}", len(asked), len(asked))
    settings = {setting: each.summary() for setting, each in counts.items()}
    failures = [failure for each in counts.values() for failure in each.failures()]
    return {"stored": len(edits), "learnt": learnt, "settings": settings}, failures


def _asked(variant: Variant, records: Sequence[Record]) -> Iterable[Query]:
    everyone = range(len(records))
    if variant.meaning:
        return queries(records, everyone, variant.settings, variant.mends)
    some = sorted(random.Random(0).sample(everyone, min(SAMPLE, len(records))))
    asked = queries(records, some, variant.settings, variant.mends)
    return (q for q in asked if q.setting in ("bare", CONVERSATION) or q.kind == "rephrase")


def verdict(host: Host, router: Router, query: Query, reads: bool) -> tuple[Match, float]:
    """What the router says, and how long it took beside reading the prompt."""
    asked = query.asked
    tokens = host.batch([host.encode(asked) if isinstance(asked, str) else host.encode_chat(asked)])
    activations = torch.zeros(*tokens.ids.shape, 0)
    if reads:
        activations = host.read_layers(tokens, [host.site.layer])[0]
    start = time.perf_counter()
    (match,) = router.match(Prompts(tokens.ids, tokens.prompt, activations))
    return match, time.perf_counter() - start


class Counts:
    """What fired in one setting.

    Args:
        edits: all that are stored, by number.
    """

    def __init__(self, edits: Sequence[Edit]) -> None:
        self._edits = edits
        self._subjects = Counter(_subject(edit) for edit in edits)
        self._names = {bare_words(edit.subject) for edit in edits if edit.subject}
        self._prompts = {plain(edit.prompt) for edit in edits}
        self._fired: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._seconds: defaultdict[str, list[float]] = defaultdict(list)
        self._failed: defaultdict[str, list[dict[str, Any]]] = defaultdict(list)

    def add(self, query: Query, own: int, match: Match, seconds: float) -> None:
        """Count a verdict on a query about the edit ``own``."""
        what = self._what(own, match)
        kinds = self._kinds(query, own)
        for kind in kinds:
            self._fired[kind].update(["n", what])
            self._seconds[kind].append(seconds)
        if what != ("own" if query.kind in FIRES else "none"):
            self._failed[query.kind].append(self._failure(kinds, query, own, match, what))

    def summary(self) -> dict[str, Any]:
        """Numbers of queries by what fired, and milliseconds of a verdict, by kind."""
        found = {}
        for kind, fired in self._fired.items():
            half, most = np.percentile(self._seconds[kind], [50, 95]) * 1000
            ms = {"median": round(half, 2), "95%": round(most, 2)}
            numbers = {what: fired[what] for what in ("n", "own", "same_subject", "other")}
            found[kind] = {**numbers, "ms": ms}
        return found

    def failures(self) -> list[dict[str, Any]]:
        """Some failures of every kind."""
        return [
            failure
            for kind, failed in self._failed.items()
            for failure in random.Random(kind).sample(failed, min(SHOWN, len(failed)))
        ]

    def _what(self, own: int, match: Match) -> str:
        if not match.fired:
            return "none"
        if match.edit_id == str(own):
            return "own"
        same = _subject(self._edits[int(str(match.edit_id))]) == _subject(self._edits[own])
        return "same_subject" if same else "other"

    def _kinds(self, query: Query, own: int) -> list[str]:
        """The kind of a query, and the parts of it that are counted apart."""
        edit = self._edits[own]
        kinds = [query.kind]
        if query.kind == "rephrase":
            shared = self._subjects[_subject(edit)] > 1
            kinds.append("rephrase_shared" if shared else "rephrase_once")
            if plain(query.prompt) in self._prompts:
                kinds.append("rephrase_taken")
        if query.kind in ("neighbour", "attribute"):
            text, subject = bare_words(query.prompt), bare_words(edit.subject or "")
            if any(name in text and name != subject for name in self._names):
                kinds.append(f"{query.kind}_stored")
        if query.kind == "alias" and not shares_word(_alias(query, edit), edit.subject or ""):
            kinds.append("alias_apart")
        return kinds

    def _failure(
        self, kinds: Sequence[str], query: Query, own: int, match: Match, what: str
    ) -> dict[str, Any]:
        best = None if match.edit_id is None else self._edits[int(match.edit_id)].prompt
        return {
            "setting": query.setting,
            "kind": query.kind,
            "parts": kinds[1:],
            "fired": what,
            "edit": self._edits[own].prompt,
            "subject": self._edits[own].subject,
            "query": query.prompt,
            "best": best,
            "score": round(match.score, 4),
            "threshold": round(match.threshold, 4),
            "evidence": dict(match.evidence),
        }


def _subject(edit: Edit) -> str:
    return plain(edit.subject or edit.prompt)


def _alias(query: Query, edit: Edit) -> str:
    return alias(Record(edit, (Probe("alias", query.prompt),))) or ""


def source() -> str:
    """A hash of all that a result depends on."""
    digest = hashlib.sha256()
    package = Path(str(files("memoir")))
    paths = [path for path in package.rglob("*") if path.suffix in (".py", ".json", ".jsonl")]
    for path in [*sorted(paths), HERE / "routing.py", HERE / "routing_queries.py", PAIRS]:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def main() -> None:
    """Measure what is not measured yet, and write the result."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data-dir", type=Path, help="folder of data sets [default: $MEMOIR_DATA]")
    parser.add_argument("--records", type=int, default=1000, help="of each data set")
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    parser.add_argument("--out", type=Path, default=HERE / "results" / "routing.json")
    options = parser.parse_args()
    if not PAIRS.exists():
        parser.error(f"{PAIRS} is missing; write it with benchmarks/pairs.py")
    folder, key = named_folder(options.data_dir), source()
    host = load_host("smollm2")
    cells: dict[str, dict[str, Any]] = {}
    failed = []
    for name, variant in CELLS:
        if variant not in options.variants:
            continue
        path = WORK / "routing" / f"{name}-{variant}-{options.records}.json"
        kept = json.loads(path.read_text("utf-8")) if path.exists() else {}
        if kept.get("source") != key:
            records = read(name, folder, options.records)
            print(f"{name}, {variant}: {len(records)} records")
            with progress_bars() as show:
                cell, failures = measured(host, name, VARIANTS[variant], records, folder, show)
            kept = {"source": key, "cell": cell, "failures": failures}
            write(path, kept)
        cells.setdefault(name, {})[variant] = kept["cell"]
        failed += [{"data": name, "variant": variant, **each} for each in kept["failures"]]
    result = {"model": "smollm2", "records": options.records, **circumstances(), "cells": cells}
    write(options.out, result)
    lines = [json.dumps(each, ensure_ascii=False) + "\n" for each in failed]
    FAILURES.write_text("".join(lines), "utf-8")
    print(f"wrote {options.out} and {FAILURES}")


if __name__ == "__main__":
    main()
