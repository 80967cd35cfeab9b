"""``memoir merge`` and ``memoir check`` on stores of a tiny model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from commands import FACTS, Command, one_line

from memoir.editor import Editor

CEO = FACTS[0][0]


def facts(memoir: Command) -> list[str]:
    return [edit["target"] for edit in json.loads(memoir("log", "--live", "--json").stdout)]


def divided(store: Command) -> Command:
    """Two branches that answer one prompt differently."""
    store("edit", FACTS[1][0], "red")
    store("branch", "work")
    store("edit", CEO, "Bo")
    store("switch", "work")
    store("edit", CEO, "me")
    store("switch", "main")
    return store


def test_a_merge_says_what_came_in(store: Command) -> None:
    store("edit", CEO, "Bo")
    store("switch", "--create", "work")
    store("edit", FACTS[1][0], "red")
    store("switch", "main")
    said = one_line(store("merge", "work").stdout)
    assert said.startswith("main moved on to ")
    assert said.endswith(": 1 came into force, 0 left it; conflicts settled: 0")
    assert facts(store) == ["Bo", "red"]


def test_a_conflict_is_listed_and_changes_nothing(store: Command) -> None:
    result = divided(store)("merge", "work", code=1)
    assert one_line(result.stdout).startswith("conflict: this fact has two answers: ours ")
    assert "'work' was not merged; nothing was changed. 1 conflict is left" in one_line(
        result.stderr
    )
    assert facts(store) == ["red", "Bo"]


def test_conflicts_are_settled_as_asked(store: Command) -> None:
    given = json.loads(divided(store)("merge", "work", "--theirs", "--json").stdout)
    assert (given["fast_forward"], len(given["resolved"])) == (False, 1)
    assert facts(store) == ["red", "me"]


def test_both_sides_cannot_be_preferred(store: Command) -> None:
    result = divided(store)("merge", "work", "--ours", "--theirs", code=1)
    assert one_line(result.stderr) == "error: a merge prefers ours or theirs, not both."


def test_an_answer_needs_an_id(store: Command) -> None:
    result = divided(store)("merge", "work", "--edit", "Bo", code=1)
    assert one_line(result.stderr) == (
        "error: 'Bo' is no answer to a conflict; write --edit ID=ANSWER."
    )


def test_a_check_tells_what_broke_and_since_when(store: Command, tmp_path: Path) -> None:
    store("edit", CEO, "Bo", "--author", "Ada", "-M", "the new one")
    probes = tmp_path / "probes.jsonl"
    probes.write_text(json.dumps({"prompt": CEO, "must_never_say": "Bo"}))
    said = one_line(store("check", "--unrelated", 0, "--probes", probes, code=1).stdout)
    assert said.startswith(f"broken {CEO} was answered 'Bo")
    assert "which says 'Bo' since commit " in said
    assert "by Ada: the new one 1 of 2 hold; 2 asked, 0 skipped" in said


def test_the_gate_s_suite_is_asked_unless_another_is_named(store: Command, tmp_path: Path) -> None:
    store("edit", CEO, "Bo")
    probes = tmp_path / "probes.jsonl"
    probes.write_text(json.dumps({"prompt": CEO, "must_say": "Bo"}))
    store("config", "gate.suite", probes)
    given = json.loads(store("check", "--unrelated", 0, "--json").stdout)
    assert (given["passed"], given["asked"]) == (True, 2)


def test_checks_are_remembered_and_listed_without_the_model(
    store: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert json.loads(store("check", "--past", "--json").stdout) == []
    store("edit", CEO, "Bo")
    store("check", "--unrelated", 0)
    store("edit", CEO, "me", "--force")
    store("check", "--unrelated", 0, code=1)
    monkeypatch.setattr(Editor, "open", None)
    newest, oldest = json.loads(store("check", "--past", "--json").stdout)
    counts = ("edits", "held", "questions", "broken", "expired")
    assert [oldest[each] for each in counts] == [1, 1, 1, 0, 0]
    assert [newest[each] for each in counts] == [2, 1, 2, 1, 0]
    assert (newest["id"], newest["branch"]) == ("2", "main")
    (last, *_) = json.loads(store("log", "--json").stdout)
    assert newest["commit"] == last["id"]
    said = one_line(store("check", "--past").stdout)
    assert "checks, the newest first" in said
    assert said.index(newest["commit"][:10]) < said.index(oldest["commit"][:10])
    refused = store("check", "--past", "--anew", code=1)
    assert one_line(refused.stderr) == (
        "error: --past asks nothing; give --probes and --anew without it."
    )


def test_an_expired_fact_fails_the_check(store: Command) -> None:
    store("edit", CEO, "Bo", "--expires", "2020-01-31")
    result = store("check", "--unrelated", 0, code=1)
    assert "2020-01-31" in result.stdout
    assert "1 of 1 hold" in result.stdout


def test_a_guarded_store_refuses_what_breaks_a_fact(store: Command) -> None:
    store("edit", CEO, "Bo")
    store("config", "gate.on-commit", "true")
    result = store("edit", CEO, "me", "--force", code=1)
    said = one_line(result.stderr)
    assert "it was not committed" in said
    assert said.endswith(
        "Change it, or commit without the gate. This turns the gate off: memoir config "
        "gate.on-commit false."
    )
    assert facts(store) == ["Bo"]
