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
    result = store("edit", "The CEO of Acme is", "me", code=1)
    said = one_line(result.stderr)
    assert (
        "'The CEO of Acme is' → 'me' is objected to; nothing was changed. contradicts: edit" in said
    )
    assert "Take that one back first (memoir revert" in said
    assert said.endswith("To make it all the same, give --force.")
    assert facts(store) == ["Bo"]


def test_force_makes_it_and_records_that(store: Command) -> None:
    store("edit", "The CEO of Acme is", "Bo")
    store("edit", "The CEO of Acme is", "me", "--force")
    assert facts(store) == ["Bo", "me"]
    (newest, *_) = json.loads(store("log", "--json").stdout)
    assert [why.partition(":")[0] for why in newest["forced"]] == ["contradicts"]


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
