"""The harness measures what it says: an oracle scores 1, no editing scores what the model says anyway,
and a method that forgets on purpose shows it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import own_methods
import pytest
import torch
from plans import data_folder, plan_file

import tiny
from memoir import data
from memoir.bench.grid import run_plan
from memoir.bench.plan import read_plan
from memoir.bench.summary import summarise
from memoir.host import Host

Results = dict[int, dict[str, Any]]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("selfcheck")
    tiny.save(made / "model")
    data_folder(made / "data")
    return made


@pytest.fixture(scope="module")
def measure(folder: Path) -> Callable[[str], Results]:
    def run(method: str, rest: str = "checkpoints = [1, 4, 12]") -> Results:
        own_methods.Oracle.records = data.load("zsre", folder / "data").items  # type: ignore
        model = f'model = "{folder / "model"}"\nimmediate = ["free_generation"]\n{rest}'
        plan = read_plan(
            plan_file(folder / f"{method.split(':')[-1]}.toml", f'name = "{method}"', model)
        )
        (path,) = run_plan(plan, folder / "runs", folder / "data")
        return {result["n"]: result for result in summarise(path)}

    return run


def values(result: dict[str, Any], part: str = "metrics") -> dict[str, float]:
    return {name: metric["value"] for name, metric in result[part].items()}


def test_an_oracle_scores_one_in_everything(measure: Callable[[str], Results]) -> None:
    for at, result in measure("own_methods:Oracle").items():
        found = values(result)
        for name in ("reliability", "generalization"):
            for form in ("tf", "fg", "exact", "contains", "chat", "chat_exact", "chat_contains"):
                assert found[f"{name}_{form}"] == 1.0, f"{name}_{form} after {at}"
        for form in ("tf", "fg", "chat"):
            assert found[f"locality_{form}"] == 1.0
        assert found["reliability_perplexity"] == pytest.approx(1.0)
        assert result["metrics"]["reliability_fg"]["n"] == at
        assert result["metrics"]["reliability_fg"]["ci95"] == [1.0, 1.0]


def test_a_method_that_forgets_shows_it_on_the_retention_curve(
    measure: Callable[[str], Results],
) -> None:
    results = measure("own_methods:Forgetful")
    for at in (1, 4, 12):
        assert values(results[at])["reliability_fg"] == pytest.approx(1 / at, abs=1e-4)
        assert values(results[at])["generalization_fg"] == pytest.approx(1 / at, abs=1e-4)


def test_what_forgetting_costs_is_the_gap_to_the_immediate_score(
    measure: Callable[[str], Results],
) -> None:
    result = measure("own_methods:Forgetful")[12]
    # Batches of two: the second of each is asked while it is still known.
    assert values(result, "immediate")["reliability_fg"] == pytest.approx(7 / 12, abs=1e-4)
    assert values(result)["reliability_fg"] == pytest.approx(1 / 12, abs=1e-4)


def test_no_editing_scores_what_the_model_says_anyway(
    measure: Callable[[str], Results], folder: Path
) -> None:
    found = values(measure("none")[12])
    host = Host(tiny.model("llama"), tiny.tokenizer(), 2)
    records = data.load("zsre", folder / "data").items
    shares = {"reliability": [], "generalization": [], "locality_gold": []}
    for record in records:
        rephrase, local = record.of("rephrase")[0], record.of("locality")[0]
        for name, prompt, target in (
            ("reliability", record.edit.prompt, record.edit.target),
            ("generalization", rephrase.prompt, record.edit.target),
            ("locality_gold", local.prompt, local.expected),
        ):
            shares[name].append(naive_accuracy(host, prompt, target))
    for name, each in shares.items():
        assert found[f"{name}_tf"] == pytest.approx(sum(each) / len(each), abs=1e-4)
    for form in ("tf", "fg", "chat"):
        assert found[f"locality_{form}"] == 1.0


def test_contradictory_subjects_are_reported_apart(measure: Callable[[str], Results]) -> None:
    result = measure("none")[12]
    assert result["metrics"]["reliability_tf"]["n"] == 12
    assert result["subsets"]["subject_once"]["reliability_tf"]["n"] == 10


def test_single_answers_can_be_read(measure: Callable[[str], Results], folder: Path) -> None:
    measure("own_methods:Oracle")
    path = folder / "runs" / "Oracle-zsre-own_methods.Oracle-default-seed0.jsonl"
    rows = [json.loads(line) for line in path.read_text("utf-8").splitlines()]
    row = next(row for row in rows if row["kind"] == "record" and row["at"] == 12)
    said = {(answer["about"], answer["setting"]): answer for answer in row["answers"]}
    assert said["rephrase", "bare"]["text"] == "Ada 0"
    assert said["edit", "chat"]["want"] == "Ada 0"


def naive_accuracy(host: Host, prompt: str, target: str) -> float:
    """One sequence, one plain pass, no batching, no cache."""
    row = host.encode(prompt, target)
    ids = torch.tensor([row.ids])
    predicted = host.model(ids).logits[0, len(row.prompt) - 1 : -1].argmax(-1)
    return float((predicted == torch.tensor(row.target)).float().mean())
