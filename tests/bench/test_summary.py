"""Results of a run file, worked out by hand from rows made by hand."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from memoir.bench.grid import write_results
from memoir.bench.journal import PROTOCOL
from memoir.bench.summary import BINS, read_results, summarise
from memoir.errors import BadInput, OtherRun

HEAD: dict[str, Any] = {
    **{"kind": "run", "protocol": PROTOCOL, "run": "r", "dataset": "zsre", "split": "edit"},
    **{"method": "memoir", "preset": "default", "model": "m", "dtype": "float32", "n": 4},
    **{"seed": 0, "order": "file", "checkpoints": [2, 4], "immediate": ["perplexity"]},
    **{"probes_per_kind": None, "kinds": None, "metrics": {}, "settings": {"lr": 1}},
    **{"data": {"records": 9}, "machine": "a", "versions": {}, "commit": "c1", "date": "d"},
}


def edit(index: int, said: bool = True, steps: int = 4) -> dict[str, Any]:
    seconds = {"read": 0.5, "fit": 1.0, "write": 0.5}
    cost = {"steps": steps, "loss": 0.1, "said": said, "bytes": 100, "seconds": seconds}
    return {"kind": "edit", "index": index, "refused": None, **cost}


def record(at: int | str, index: int, once: bool = True, **scores: float) -> dict[str, Any]:
    row = {"kind": "record", "at": at, "index": index, "subject_once": once}
    return {**row, "scores": scores, "answers": []}


def answer(about: str, score: float | None, setting: str = "bare") -> dict[str, Any]:
    return {"about": about, "setting": setting, "score": score, "want": None}


def text(about: str, prompt: str, setting: str, right: bool) -> dict[str, Any]:
    said = {"prompt": prompt, "want": "Bo Li", "text": "Bo Li, he said" if right else "It is Bo Li"}
    return {**answer(about, 0.5, setting), **said}


ROWS: list[dict[str, Any]] = [
    HEAD,
    edit(0),
    record("made", 0, reliability_tf=1.0),
    edit(1, said=False, steps=8),
    record("made", 1, reliability_tf=0.5),
    record(2, 0, reliability_tf=1.0),
    record(2, 1, once=False, reliability_tf=0.0),
    {"kind": "cost", "at": 2, "scores": {"peak_memory_mb": 10.0}},
    {"kind": "checkpoint", "at": 2, "seconds": 1.0},
    {"kind": "resumed", "machine": "b", "versions": {}, "commit": "c2", "date": "e"},
    {"kind": "edit", "index": 2, "refused": "NotConverged: x"},
    record("made", 2, reliability_tf=0.0),
    edit(3),
    record("made", 3, reliability_tf=1.0),
    *(record(4, index, once=index > 1, reliability_tf=float(index == 3)) for index in range(4)),
    *({"kind": "item", "at": 4, "over": "wikitext", "index": i, "scores": s}
      for i, s in enumerate([{"wikitext_perplexity": math.log(2)},
                             {"wikitext_perplexity": math.log(32)}])),
    {"kind": "cost", "at": 4, "scores": {"peak_memory_mb": 12.0}},
]  # fmt: skip
END = {"kind": "checkpoint", "at": 4, "seconds": 1.0}


def run_file(folder: Path, *rows: dict[str, Any], name: str = "r.jsonl") -> Path:
    path = folder / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    return path


# ---------------------------------------------------------------------- a run


def test_every_complete_checkpoint_is_a_result(tmp_path: Path) -> None:
    first, second = summarise(run_file(tmp_path, *ROWS, END))
    assert (first["n"], second["n"]) == (2, 4)
    same = {k: HEAD[k] for k in ("run", "dataset", "method", "preset", "seed", "settings", "data")}
    assert same.items() <= first.items()
    assert (first["protocol"], first["commit"], first["resumed"]) == (PROTOCOL, "c1", ["c2"])


def test_scores_costs_and_edits_count_up_to_their_checkpoint(tmp_path: Path) -> None:
    first, second = summarise(run_file(tmp_path, *ROWS, END))
    assert first["metrics"] == {
        "reliability_tf": {"value": 0.5, "n": 2, "ci95": [0.0, 1.0]},
        "peak_memory_mb": {"value": 10.0, "n": 1, "ci95": [10.0, 10.0]},
        "seconds_per_edit": {"value": 2.0, "n": 2, "ci95": [2.0, 2.0]},
        "bytes_per_edit": {"value": 100.0, "n": 2, "ci95": [100.0, 100.0]},
        "steps_per_edit": {"value": 6.0, "n": 2, "ci95": [4.0, 8.0]},
    }
    assert first["edits"] == {"made": 2, "refused": 0, "unsaid": 1}
    assert second["edits"] == {"made": 3, "refused": 1, "unsaid": 1}
    found = {name: (each["value"], each["n"]) for name, each in second["metrics"].items()}
    assert found == {
        "reliability_tf": (0.25, 4),  # the refused edit stays in the denominator
        "wikitext_perplexity": (8.0, 2),
        "peak_memory_mb": (12.0, 1),
        "seconds_per_edit": (2.0, 3),
        "bytes_per_edit": (100.0, 3),
        "steps_per_edit": (5.33333, 3),
    }


def test_subjects_that_occur_once_are_a_subset(tmp_path: Path) -> None:
    first, second = summarise(run_file(tmp_path, *ROWS, END))
    assert first["subsets"]["subject_once"]["reliability_tf"]["value"] == 1.0
    once = second["subsets"]["subject_once"]
    assert {name: (each["value"], each["n"]) for name, each in once.items()} == {
        "reliability_tf": (0.5, 2)
    }


def test_what_was_asked_right_after_each_edit_is_apart(tmp_path: Path) -> None:
    found = [r["immediate"]["reliability_tf"] for r in summarise(run_file(tmp_path, *ROWS, END))]
    assert [(each["value"], each["n"]) for each in found] == [(0.75, 2), (0.625, 4)]


def test_verdicts_are_counted_in_twentieths_and_one_falls_in_the_last(tmp_path: Path) -> None:
    scores = [0.0, 0.02, 0.52, 0.951, 1.0, None]
    answers = [answer("edit", each) for each in scores] + [answer("edit", 0.33, "chat")]
    answers += [answer("locality", 0.07), answer("edit", 0.41, "document")]
    rows = [HEAD, {**record(2, 0), "answers": answers}, {**END, "at": 2}]
    (result,) = summarise(run_file(tmp_path, *rows))
    counts = {"edit": {0: 2, 10: 1, 19: 2}, "edit in chat": {6: 1}, "locality": {1: 1}}
    counts["edit in document"] = {8: 1}
    assert result["histograms"]["score"] == {
        kind: [each.get(at, 0) for at in range(BINS)] for kind, each in counts.items()
    }


def ratios(folder: Path, *records: dict[str, Any]) -> dict[str, Any]:
    (result,) = summarise(run_file(folder, HEAD, *records, {**END, "at": 2}))
    return result["ratios"]


def test_a_setting_is_compared_with_the_same_records_bare(tmp_path: Path) -> None:
    found = ratios(
        tmp_path,
        {
            **record(2, 0, reliability_fg=1.0, reliability_chat=1.0),
            "answers": [text("edit", "p0", "bare", True), text("edit", "p0", "chat", True)],
        },
        {  # Not asked in chat; with it the bare figure would be 2/3.
            **record(2, 1, reliability_fg=0.0),
            "answers": [text("edit", "p1", "bare", False)],
        },
        {
            **record(2, 2, reliability_fg=1.0, reliability_chat=0.0),
            "answers": [text("edit", "p2", "bare", True), text("edit", "p2", "chat", False)],
        },
    )
    assert found == {"reliability_chat": {"value": 0.5, "n": 2, "ci95": [0.0, 1.0], "of": 1.0}}


def test_where_few_probes_are_asked_in_a_setting_these_are_compared(tmp_path: Path) -> None:
    """The second rephrase is not asked behind a document; bare it was answered wrongly."""
    answers = [
        text("rephrase", "r0", "bare", True),
        text("rephrase", "r1", "bare", False),
        text("rephrase", "r0", "document", True),
        {**answer("locality", 0.1), "prompt": "q", "text": "Bo Li"},
    ]
    scores = {"generalization_fg": 0.5, "generalization_document": 1.0}
    found = ratios(tmp_path, {**record(2, 0, **scores), "answers": answers})
    assert found == {
        "generalization_document": {"value": 1.0, "n": 1, "ci95": [1.0, 1.0], "of": 1.0}
    }


def test_what_follows_an_answer_is_compared_where_both_are_known(tmp_path: Path) -> None:
    found = ratios(
        tmp_path,
        record(2, 0, edit_repetition=0.25, edit_unedited_repetition=0.125, edit_nll=9.0),
        record(2, 1, edit_repetition=0.9),
        record(2, 2, edit_repetition=0.75, edit_unedited_repetition=0.375),
    )
    assert found == {
        "edit_repetition": {"value": 2.0, "n": 2, "ci95": [2.0, 2.0], "of": 0.25},
    }


def test_nothing_is_compared_with_zero(tmp_path: Path) -> None:
    some = record(2, 0, edit_repetition=0.5, edit_unedited_repetition=0.0)
    assert ratios(tmp_path, some) == {}
    more = record(2, 1, edit_repetition=0.5, edit_unedited_repetition=0.5)
    (found,) = ratios(tmp_path, some, more).values()
    assert (found["value"], found["n"], found["of"]) == (2.0, 2, 0.25)
    assert found["ci95"] == [1.0, 2.0]  # of the draws that hold the second


def test_a_run_from_before_subjects_could_be_dropped_was_told_them(tmp_path: Path) -> None:
    assert "subjects" not in HEAD
    assert [each["subjects"] for each in summarise(run_file(tmp_path, *ROWS, END))] == ["given"] * 2
    dropped = run_file(tmp_path, {**HEAD, "subjects": "dropped"}, *ROWS[1:], END)
    assert [each["subjects"] for each in summarise(dropped)] == ["dropped"] * 2


def test_a_checkpoint_that_is_not_complete_is_left_out(tmp_path: Path) -> None:
    (result,) = summarise(run_file(tmp_path, *ROWS))
    assert result["n"] == 2


def test_a_run_with_nothing_complete_is_refused(tmp_path: Path) -> None:
    path = run_file(tmp_path, *ROWS[:7])
    with pytest.raises(BadInput) as refused:
        summarise(path)
    assert str(refused.value) == (
        f"{path} holds no complete checkpoint yet; run its plan again to go on."
    )


# ---------------------------------------------------------------------- files


def test_run_files_and_result_files_say_the_same_in_the_order_given(tmp_path: Path) -> None:
    run = run_file(tmp_path, *ROWS, END)
    written = write_results([run], tmp_path / "results")
    assert [path.name for path in written] == ["r-n00002.json", "r-n00004.json"]
    assert sorted(tmp_path.glob("results/*")) == written
    two, four = summarise(run)
    assert read_results([written[1], run, written[0]]) == [four, two, four, two]


@pytest.mark.parametrize("name", ["gone.jsonl", "notes.md", "folder.jsonl"])
def test_a_file_that_is_no_run_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "notes.md").write_text("# Notes\n")
    (tmp_path / "folder.jsonl").mkdir()
    with pytest.raises(BadInput) as refused:
        read_results([tmp_path / name])
    assert str(refused.value) == (
        f"{tmp_path / name} is no run file; give the .jsonl files that memoir bench run wrote."
    )


@pytest.mark.parametrize("content", [None, "{", "[]", "\xff"])
def test_a_file_that_is_no_result_is_refused(tmp_path: Path, content: str | None) -> None:
    path = tmp_path / "r.json"
    if content is not None:
        path.write_bytes(content.encode("latin-1"))
    with pytest.raises(BadInput) as refused:
        read_results([path])
    assert str(refused.value).startswith(f"{path} is no result file (")


def test_results_are_read_where_only_the_rows_of_runs_were_others(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    path.write_text('{"protocol": 2, "metrics": {}}')
    assert read_results([path]) == [{"protocol": 2, "metrics": {}}]
    with pytest.raises(OtherRun, match=r"r\.jsonl follows protocol 2, this version of memoir"):
        read_results([run_file(tmp_path, {**HEAD, "protocol": 2}, END)])


def test_results_of_another_protocol_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    path.write_text('{"protocol": 1, "metrics": {}}')
    with pytest.raises(OtherRun, match=r"r\.json follows protocol 1, this version of memoir"):
        read_results([path])
    old = run_file(tmp_path, {**HEAD, "protocol": 1}, END)
    with pytest.raises(OtherRun, match=r"r\.jsonl follows protocol 1, this version of memoir"):
        read_results([old])
