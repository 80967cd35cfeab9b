"""Which results belong together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from memoir.bench.report.results import UNEDITED, Checkpoint, DataSet, Result, Series
from memoir.errors import BadInput


def group(results: Sequence[Result]) -> tuple[DataSet, ...]:
    """Put results in order.

    Raises:
        BadInput: there is none, one lacks what names it, or two are of the same run and checkpoint.
    """
    if not results:
        raise BadInput(
            "there is no result to report. Give run files that hold at least one finished checkpoint."
        )
    _check(results)
    labels = _labels(results)
    ranks = {label: rank for rank, label in enumerate(dict.fromkeys(labels))}
    names = dict.fromkeys(str(result["dataset"]) for result in results)
    return tuple(DataSet(name, tuple(_series_of(name, results, labels, ranks))) for name in names)


def _series_of(
    name: str, results: Sequence[Result], labels: Sequence[str], ranks: dict[str, int]
) -> Iterable[Series]:
    mine: dict[str, list[Result]] = {}
    for result, label in zip(results, labels, strict=True):
        if str(result["dataset"]) == name:
            mine.setdefault(label, []).append(result)
    # The unedited model first: what all others are held against.
    for label in sorted(
        mine, key=lambda label: (mine[label][0]["method"] != UNEDITED, ranks[label])
    ):
        one = mine[label][0]
        yield Series(
            label,
            str(one["method"]),
            str(one["model"]),
            ranks[label],
            _checkpoints(mine[label]),
            _taught(one),
        )


def _checkpoints(results: Sequence[Result]) -> tuple[Checkpoint, ...]:
    counts = sorted({int(result["n"]) for result in results})
    by_seed = sorted(results, key=lambda result: str(result.get("seed", "")))
    return tuple(
        Checkpoint(n, tuple(result for result in by_seed if int(result["n"]) == n)) for n in counts
    )


def _labels(results: Sequence[Result]) -> list[str]:
    """A label per result: method and preset, and the model or the run where these do not suffice."""
    plain = [_plain_label(result) for result in results]
    models: dict[tuple[str, str], set[str]] = {}
    for result, label in zip(results, plain, strict=True):
        models.setdefault((str(result["dataset"]), label), set()).add(str(result["model"]))
    several = {label for (_, label), found in models.items() if len(found) > 1}
    named = [
        f"{label} ({result['model']})" if label in several else label
        for result, label in zip(results, plain, strict=True)
    ]
    keys = [
        (label, str(result["dataset"]), result["n"], str(result.get("seed")))
        for result, label in zip(results, named, strict=True)
    ]
    alike = {key[0] for key in keys if keys.count(key) > 1}
    return [
        str(result["run"]) if label in alike else label
        for result, label in zip(results, named, strict=True)
    ]


def _plain_label(result: Result) -> str:
    if result["method"] == UNEDITED:
        return "unedited model"
    preset = result.get("label") or result.get("preset")
    name = f"{result['method']} {preset}" if preset else str(result["method"])
    return ", ".join([name, *_taught(result)])


def _taught(result: Result) -> tuple[str, ...]:
    """What was out of the ordinary in how its edits were taught, in words."""
    found = []
    if padding := result.get("padding"):
        found.append(f"among {padding['count']:,} other edits")
    if result.get("subjects") == "dropped":
        found.append("subject not given")
    return tuple(found)


def _check(results: Sequence[Result]) -> None:
    seen: set[tuple[str, int]] = set()
    for number, result in enumerate(results, 1):
        lacks = [key for key in ("run", "dataset", "method", "model", "n") if key not in result]
        if lacks:
            raise BadInput(f"result {number} of {len(results)} has no '{lacks[0]}'.")
        key = (str(result["run"]), int(result["n"]))
        if key in seen:
            raise BadInput(f"run {key[0]} is given twice with {key[1]:,} edits; give it once.")
        seen.add(key)
