"""From the rows of a run file to results: one per checkpoint, every aggregate with n and interval.

The interval is a percentile bootstrap over items (2,000 resamples, fixed seed). A result file is one of
these results as JSON; its format is described in ``docs/benchmarking.md``.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from memoir import metrics
from memoir.bench.journal import (
    FORMERLY,
    PROTOCOL,
    SAME_SCORES,
    Row,
    check_protocol,
    read_rows,
)
from memoir.bench.ratios import pairs
from memoir.errors import BadInput
from memoir.metrics.cost import of_edit

RESAMPLES = 2000
BINS = 20
"""Bars of a histogram of verdicts over 0..1."""

Result = dict[str, Any]


def summarise(path: Path) -> list[Result]:
    """The results of a run file, by checkpoint; checkpoints that are not complete are left out.

    Raises:
        BadInput: there is no such file, or nothing complete in it.
        RunDamaged, OtherRun: see :func:`memoir.bench.journal.read_rows`.
    """
    if path.suffix != ".jsonl" or not path.is_file():
        raise BadInput(f"{path} is no run file; give the .jsonl files that memoir bench run wrote.")
    rows = read_rows(path)
    complete = [row["at"] for row in rows if row["kind"] == "checkpoint"]
    if not complete:
        raise BadInput(f"{path} holds no complete checkpoint yet; run its plan again to go on.")
    return [_result(rows, at) for at in complete]


def read_results(paths: Iterable[Path]) -> list[Result]:
    """Results from run files (.jsonl) and result files (.json), in the order given.

    Raises:
        BadInput: a file is missing, or neither.
        OtherRun: a file follows another protocol version.
    """
    found: list[Result] = []
    for path in paths:
        if path.suffix != ".json":
            found += summarise(path)
            continue
        try:
            result = json.loads(path.read_text("utf-8"))
            check_protocol(result, path, SAME_SCORES)
        except (OSError, ValueError, AttributeError) as error:
            raise BadInput(f"{path} is no result file ({error}).") from error
        found.append(result)
    return found


def aggregate(values: Sequence[float], mean: str = "arithmetic") -> dict[str, Any]:
    """Mean with n and a bootstrap 95 % interval.

    Args:
        values: one per item; not empty.
        mean: ``arithmetic``, or ``exp`` for the exponential of it.
    """
    array = np.asarray(values, dtype=float)
    draws = np.random.default_rng(0).integers(0, len(array), (RESAMPLES, len(array)))
    low, high = np.percentile(array[draws].mean(axis=1), [2.5, 97.5])
    numbers = [float(array.mean()), float(low), float(high)]
    if mean == "exp":
        numbers = [math.exp(min(number, 700.0)) for number in numbers]  # a float can hold these
    value, low, high = (float(f"{number:.6g}") for number in numbers)
    return {"value": value, "n": len(array), "ci95": [low, high]}


def ratio(pairs: Sequence[tuple[float, float]]) -> dict[str, Any] | None:
    """The ratio of two means over the same items, with n and a bootstrap 95 % interval.

    Args:
        pairs: for each item, the value and the one to compare it with; not empty.

    Returns:
        the ratio, and as ``of`` the mean it is a ratio of; None if that mean is 0.
    """
    values, others = np.asarray(pairs, dtype=float).T
    if not others.mean():
        return None
    draws = np.random.default_rng(0).integers(0, len(pairs), (RESAMPLES, len(pairs)))
    above, below = values[draws].mean(axis=1), others[draws].mean(axis=1)
    # A draw may hold nothing to compare with.
    low, high = np.percentile(above[below > 0] / below[below > 0], [2.5, 97.5])
    numbers = (values.mean() / others.mean(), low, high, others.mean())
    value, low, high, of = (float(f"{number:.6g}") for number in numbers)
    return {"value": value, "n": len(pairs), "ci95": [low, high], "of": of}


def _result(rows: Sequence[Row], at: int) -> Result:
    head = {**FORMERLY, **rows[0]}
    edits = [row for row in rows if row["kind"] == "edit" and row["index"] < at]
    records = [row for row in rows if row["kind"] == "record" and row["at"] == at]
    others = [row for row in rows if row["kind"] in ("item", "cost") and row["at"] == at]
    made = [
        row for row in rows if row["kind"] == "record" and row["at"] == "made" and row["index"] < at
    ]
    once = [row["scores"] for row in records if row["subject_once"]]
    scores = [row["scores"] for row in records + others] + [of_edit(row) for row in edits]
    same = ("run", "dataset", "split", "method", "preset", "model", "dtype", "seed", "order")
    circumstances = ("machine", "versions", "commit", "date", "settings", "data", "probes_per_kind")
    return {
        "protocol": PROTOCOL,
        **{key: head[key] for key in same},
        "n": at,
        **{key: head[key] for key in circumstances},
        "subjects": head["subjects"],
        "padding": head.get("padding"),
        "resumed": [row["commit"] for row in rows if row["kind"] == "resumed"],
        "metrics": _aggregates(scores),
        "subsets": {"subject_once": _aggregates(once)},
        "immediate": _aggregates(row["scores"] for row in made),
        "ratios": _ratios(records),
        "histograms": {"score": _verdicts(records)},
        "edits": {
            "made": sum(row["refused"] is None for row in edits),
            "refused": sum(row["refused"] is not None for row in edits),
            "unsaid": sum(row["refused"] is None and not row["said"] for row in edits),
        },
    }


def _aggregates(scores: Iterable[Mapping[str, float]]) -> dict[str, Any]:
    values: dict[str, list[float]] = defaultdict(list)
    for each in scores:
        for name, value in each.items():
            values[name].append(value)
    known = metrics.outputs()
    return {
        name: aggregate(each, known[name].mean if name in known else "arithmetic")
        for name, each in sorted(values.items())
    }


def _ratios(records: Sequence[Row]) -> dict[str, Any]:
    values: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for row in records:
        for name, pair in pairs(row).items():
            values[name].append(pair)
    found = {name: ratio(each) for name, each in sorted(values.items())}
    return {name: each for name, each in found.items() if each is not None}


def _verdicts(records: Sequence[Row]) -> dict[str, list[int]]:
    """Histogram of the best edit's score by kind of prompt: ``edit``, ``edit in chat``, …."""
    found: dict[str, list[float]] = defaultdict(list)
    for row in records:
        for answer in row["answers"]:
            if answer["score"] is not None:
                place = "" if answer["setting"] == "bare" else f" in {answer['setting']}"
                found[answer["about"] + place].append(answer["score"])
    return {
        kind: np.histogram(values, bins=BINS, range=(0.0, 1.0))[0].tolist()
        for kind, values in sorted(found.items())
    }
