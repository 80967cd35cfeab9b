"""``memoir merge`` and ``memoir check`` on stores of a tiny model."""

from __future__ import annotations

import json
from pathlib import Path

from commands import FACTS, Command, one_line

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


def test_an_expired_fact_fails_the_check(store: Command) -> None:
    store("edit", CEO, "Bo", "--expires", "2020-01-31")
    result = store("check", "--unrelated", 0, code=1)
    assert "2020-01-31" in result.stdout
    assert "1 of 1 hold" in result.stdout


def test_a_guarded_store_refuses_what_breaks_a_fact(store: Command) -> None:
    store("edit", CEO, "Bo")
    store("config", "gate.on-commit", "true")
    result = store("edit", CEO, "me", "--force", code=1)
    assert "it was not committed" in one_line(result.stderr)
    assert facts(store) == ["Bo"]
