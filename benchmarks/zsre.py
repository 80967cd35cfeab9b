"""ZsRE on the default model: all edits first, one stream, then everything evaluated.

    MEMOIR_DATA=… python benchmarks/zsre.py [--n 100] [--preset default faithful]

Reliability, generalization and locality, each by teacher-forced token accuracy (tf) and by free greedy
generation from the bare prompt (fg: the normalised text begins with the target, at a word boundary).
Locality compares with the unedited model, never with gold: tf is the share of answer positions whose
most likely token is the same, fg the share of prompts whose whole text is the same. An edit that was
refused counts as it answers: it stays in every denominator.

A run that was interrupted goes on where it stopped: its edits are in the store.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from rich.progress import track

from common import PROTOCOL, circumstances, data_folder, summarised, write
from memoir import Editor, data
from memoir.errors import EditRefused
from memoir.metrics.free_generation import begins_with
from memoir.types import Record

WORK = Path(__file__).parent / ".work"
BATCH = 32
ANSWER_TOKENS = 24

Item = TypeVar("Item")
Value = TypeVar("Value")


def in_batches(
    items: Sequence[Item], length: Callable[[Item], int], work: Callable[[list[Item]], list[Value]]
) -> list[Value]:
    """``work`` on batches of similar length, results in the items' order."""
    order = sorted(range(len(items)), key=lambda i: length(items[i]))
    results: dict[int, Value] = {}
    for start in range(0, len(order), BATCH):
        part = order[start : start + BATCH]
        results.update(zip(part, work([items[i] for i in part]), strict=True))
    return [results[i] for i in range(len(items))]


def teacher_forced(editor: Editor, pairs: list[tuple[str, str]], edits: bool = True) -> list[Any]:
    return in_batches(
        pairs, lambda pair: len(pair[0]), lambda part: editor.score_many(part, edits=edits)
    )


def generated(editor: Editor, prompts: list[str], edits: bool = True) -> list[Any]:
    return in_batches(
        prompts,
        len,
        lambda part: editor.ask_many(part, max_new_tokens=ANSWER_TOKENS, edits=edits),
    )


def teach(editor: Editor, records: Sequence[Record]) -> dict[str, Any]:
    """Make the edits that the store does not hold yet; return what they cost."""
    done = len(editor.log())
    size = editor.method.config.batch_size
    refused = 0
    for start in track(range(done, len(records), size), "editing"):
        edits = [record.edit for record in records[start : start + size]]
        refused += sum(isinstance(result, EditRefused) for result in editor.edit_many(edits))
    bodies = [entry.row.body for entry in editor.log()]
    return {
        "refused": refused,
        "steps_per_edit": round(float(np.mean([len(body["losses"]) - 1 for body in bodies])), 1),
        "unsaid_when_made": sum(not body["said"] for body in bodies),
        "bytes_per_edit": round(float(np.mean([editor.store.size(e.row) for e in editor.log()]))),
    }


def evaluate(editor: Editor, records: Sequence[Record]) -> dict[str, Any]:
    edits = [record.edit for record in records]
    rephrases = [record.of("rephrase")[0].prompt for record in records]
    locality = [record.of("locality")[0] for record in records]
    local_pairs = [(probe.prompt, probe.expected or "") for probe in locality]
    local_prompts = [probe.prompt for probe in locality]
    values: dict[str, list[float]] = {}

    for name, prompts in (
        ("reliability", [e.prompt for e in edits]),
        ("generalization", rephrases),
    ):
        pairs = [(prompt, edit.target) for prompt, edit in zip(prompts, edits, strict=True)]
        values[f"{name}_tf"] = [score.accuracy for score in teacher_forced(editor, pairs)]
        answers = generated(editor, prompts)
        values[f"{name}_fg"] = [
            float(begins_with(answer.text, edit.target))
            for answer, edit in zip(answers, edits, strict=True)
        ]
        values[f"{name}_fires"] = [float(answer.match.fired) for answer in answers]

    before, after = (teacher_forced(editor, local_pairs, edits=on) for on in (False, True))
    values["locality_tf"] = [
        float(np.mean(np.equal(old.predicted, new.predicted)))
        for old, new in zip(before, after, strict=True)
    ]
    old_texts, new_texts = (generated(editor, local_prompts, edits=on) for on in (False, True))
    values["locality_fg"] = [
        float(old.text == new.text) for old, new in zip(old_texts, new_texts, strict=True)
    ]
    values["locality_fires"] = [float(answer.match.fired) for answer in new_texts]
    return {name: summarised(each) for name, each in values.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--n", type=int, default=100)
    parser.add_argument("--preset", nargs="+", default=["default", "faithful"])
    options = parser.parse_args()
    records = data.read(data_folder() / "zsre" / "zsre_mend_edit.json")[: options.n]
    for preset in options.preset:
        store = WORK / f"zsre-{options.n}-{preset}"
        with Editor.open("smollm2", store, preset=preset) as editor:
            cost = teach(editor, records)
            metrics = evaluate(editor, records)
            result = {
                "protocol": PROTOCOL,
                "method": "memoir",
                "preset": preset,
                "model": "smollm2",
                "dataset": "zsre",
                "n": len(records),
                "seed": editor.method.config.seed,
                **circumstances(),
                "settings": asdict(editor.method.config),
                "cost": cost,
                "metrics": metrics,
            }
        write(f"zsre-{options.n}-{preset}", result)
        print({name: metric["value"] for name, metric in metrics.items()}, cost)


if __name__ == "__main__":
    main()
