"""What there is to say against a fact is said before it is taught."""

from __future__ import annotations

import json
from pathlib import Path

from commands import Command, one_line


def lines(path: Path, *facts: tuple[str, str]) -> Path:
    text = "".join(json.dumps({"prompt": p, "target": t}) + "\n" for p, t in facts)
    path.write_text(text)
    return path


def facts(memoir: Command) -> list[str]:
    return [edit["target"] for edit in json.loads(memoir("log", "--live", "--json").stdout)]


def test_a_contradiction_is_refused_with_the_remedy(store: Command) -> None:
    store("edit", "The CEO of Acme is", "Bo")
    (stored,) = json.loads(store("log", "--live", "--json").stdout)
    result = store("edit", "The CEO of Acme is", "me", code=1)
    said = one_line(result.stderr)
    assert (
        "'The CEO of Acme is' → 'me' is objected to; nothing was changed. contradicts: edit" in said
    )
    assert said.endswith(
        "Take that one back first, or leave this one out. "
        f"memoir revert {stored['id'][:10]} takes that one back. "
        "To make it all the same, give --force."
    )
    assert facts(store) == ["Bo"]


def test_force_makes_it_and_records_that(store: Command) -> None:
    store("edit", "The CEO of Acme is", "Bo")
    store("edit", "The CEO of Acme is", "me", "--force")
    assert facts(store) == ["Bo", "me"]
    (newest, *_) = json.loads(store("log", "--json").stdout)
    assert [why.partition(":")[0] for why in newest["forced"]] == ["contradicts"]


def test_edits_in_force_that_contradict_one_another_are_listed(store: Command) -> None:
    assert one_line(store("conflicts").stdout) == "conflicts among 0 edits in force: 0"
    store("edit", "The CEO of Acme is", "Bo")
    store("edit", "The CEO of Acme is", "me", "--force")
    (found,) = json.loads(store("conflicts", "--json").stdout)
    assert (found["older"]["target"], found["newer"]["target"]) == ("Bo", "me")
    assert (found["fires"], found["score"]) == (found["newer"]["id"], None)
    older, newer = found["older"]["id"][:10], found["newer"]["id"][:10]
    assert one_line(store("conflicts").stdout) == (
        f"{older} The CEO of Acme is → Bo {newer} The CEO of Acme is → me both were taught for the "
        f"same prompt made in spite of: contradicts: edit {older} answers the same prompt otherwise: "
        "'The CEO of Acme is' → 'Bo'. conflicts among 2 edits in force: 1 take one side back: memoir "
        f"revert {older}"
    )
    assert json.loads(store("conflicts", "--at", "HEAD~1", "--json").stdout) == []


def test_a_file_that_contradicts_itself_is_refused_as_a_whole(
    store: Command, tmp_path: Path
) -> None:
    file = lines(tmp_path / "f.jsonl", ("Who runs it?", "me"), ("Who runs it?", "Bo"))
    said = one_line(store("edit", "--file", file, code=1).stderr)
    assert "edit 1 of the same change answers the same prompt otherwise" in said
    assert facts(store) == []


def test_with_keep_going_only_what_is_objected_to_is_left_out(
    store: Command, tmp_path: Path
) -> None:
    file = lines(tmp_path / "f.jsonl", ("Who runs it?", "me"), ("Who runs it?", "Bo"))
    result = store("edit", "--file", file, "--keep-going", "--json", code=1)
    given = json.loads(result.stdout)
    assert [each["type"] for each in given["refused"]] == ["Objected"]
    assert facts(store) == ["me"]
