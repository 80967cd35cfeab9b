"""The verbs of history: what happened, which names there are, what differs, who said so."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from commands import FACTS, LONG, Command, live, one_line, strict

from memoir.store import Store, short

Edited = tuple[Command, list[str]]


@pytest.fixture(autouse=True)
def _author(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMOIR_AUTHOR", "ann")


def refused(memoir: Command, *words: object) -> str:
    message: str = strict(memoir(*words, "--json", code=1).stdout)["error"]["message"]
    return message


def facts(path: Path, *records: dict[str, object]) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


# ---------------------------------------------------------------------- edit


def test_an_edit_says_where_it_is_from_until_when_it_holds_and_who_made_it(store: Command) -> None:
    more = ("--source", "a letter", "--expires", "2999-12-31", "--tag", "x", "--tag", "y")
    words = ("edit", *FACTS[0], *more, "-M", "as of May", "--author", "bo", "--json")
    (receipt,) = strict(store(*words).stdout)["edits"]
    assert (receipt["source"], receipt["expires"]) == ("a letter", "2999-12-31")
    assert receipt["tags"] == ["x", "y"]
    commit = strict(store("show", "HEAD", "--json").stdout)
    assert (commit["author"], commit["message"]) == ("bo", "as of May")
    assert commit["id"] == receipt["commit"]
    text = one_line(store("show", receipt["id"]).stdout)
    assert "tags x, y" in text
    assert "source a letter" in text
    assert "expires 2999-12-31" in text


def test_a_day_that_is_none_is_refused_before_the_model_is_loaded(memoir: Command) -> None:
    assert refused(memoir, "edit", *FACTS[0], "--expires", "soon") == (
        "--expires takes a day such as 2026-12-31 (year, month, day), not 'soon'."
    )


def test_a_file_is_one_change_and_its_records_speak_for_themselves(
    store: Command, tmp_path: Path
) -> None:
    path = facts(
        tmp_path / "facts.jsonl",
        {"prompt": FACTS[0][0], "target": FACTS[0][1], "source": "own", "message": "new CEO"},
        {"prompt": FACTS[1][0], "target": FACTS[1][1], "expires": "2999-01-01", "tags": ["t"]},
    )
    store("edit", "--file", path, "--source", "file", "--tag", "u")
    (commit,) = strict(store("log", "-n", "1", "--json").stdout)
    assert commit["message"] == "new CEO"
    found = [(edit["source"], edit["expires"], edit["tags"]) for edit in commit["add"]]
    assert found == [("own", None, ["u"]), ("file", "2999-01-01", ["t", "u"])]


def test_a_file_with_one_fact_that_is_refused_changes_nothing(
    store: Command, tmp_path: Path
) -> None:
    path = facts(
        tmp_path / "facts.jsonl",
        {"prompt": FACTS[0][0], "target": FACTS[0][1]},
        {"prompt": "The last one is", "target": LONG},
        {"prompt": FACTS[1][0], "target": FACTS[1][1]},
    )
    before = strict(store("log", "--json").stdout)
    error = strict(store("edit", "--file", path, "--json", code=1).stdout)["error"]
    assert error["type"] == "NotConverged"
    assert error["message"].startswith(f"{path}, line 2: after 16 steps the model still does not")
    assert error["message"].endswith(
        "Nothing was changed; to keep the facts that can be taught, give --keep-going."
    )
    assert strict(store("log", "--json").stdout) == before


def test_a_file_taught_fact_by_fact_commits_with_each_records_message(
    store: Command, tmp_path: Path
) -> None:
    path = facts(
        tmp_path / "facts.jsonl",
        *({"prompt": p, "target": t, "message": m} for (p, t), m in zip(FACTS, "xyy", strict=True)),
    )
    store("edit", "--file", path, "--keep-going")
    found = [commit["message"] for commit in strict(store("log", "--json").stdout)]
    assert found[-2] == "x"
    assert set(found[:-2]) == {"y"}


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("expires", "soon", "takes a day such as 2026-12-31 (year, month, day), not 'soon'."),
        ("tags", "x", "must be a list, not 'x'."),
        ("source", 7, "must be a non-empty text, not 7."),
    ],
)
def test_a_malformed_field_is_refused_by_line(
    store: Command, tmp_path: Path, field: str, value: object, expected: str
) -> None:
    path = facts(tmp_path / "facts.jsonl", {"prompt": "p", "target": "t", field: value})
    told = refused(store, "edit", "--file", path)
    assert told == f"{path}, line 1: field '{field}' {expected}"


# ---------------------------------------------------------------------- log, show, status


def test_log_shows_commits_with_names_author_time_and_edits(edited: Edited) -> None:
    memoir, ids = edited
    memoir("tag", "v1")
    memoir("revert", ids[1], "-M", "was wrong")
    text = memoir("log").stdout
    first, second, third = text.split("\n\n")
    tip = strict(memoir("show", "HEAD", "--json").stdout)["id"]
    lines = first.splitlines()
    assert lines[:2] == [f"commit {short(tip)} (HEAD -> main)", "author ann"]
    assert re.fullmatch(r"time   \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC", lines[2])
    assert lines[3:] == [
        "       was wrong",
        f"    - {short(ids[1])}  {FACTS[1][0]} → {FACTS[1][1]}",
    ]
    assert "(tag: v1)" in second
    for id, (prompt, target) in zip(ids, FACTS, strict=True):
        assert f"    + {short(id)}  {prompt} → {target}\n" in second + "\n"
    assert "Bind to" in third


def test_log_in_single_lines(edited: Edited) -> None:
    memoir, ids = edited
    memoir("revert", ids[0], ids[1])
    lines = memoir("log", "--oneline").stdout.splitlines()
    assert len(lines) == 3
    assert re.fullmatch(r"[0-9a-f]{10} \(HEAD -> main\) Revert 2 edits -2", lines[0])
    assert re.fullmatch(r"[0-9a-f]{10} 3 edits \+3", lines[1])
    assert memoir("log", "--oneline", "HEAD~1").stdout.splitlines()[1:] == lines[2:]


def test_log_as_json_holds_the_edits_in_full(edited: Edited) -> None:
    memoir, ids = edited
    newest, oldest = strict(memoir("log", "--json").stdout)
    assert [(edit["id"], edit["prompt"], edit["target"]) for edit in newest["add"]] == [
        (id, *fact) for id, fact in zip(ids, FACTS, strict=True)
    ]
    assert newest["parents"] == [oldest["id"]]
    assert newest["names"] == ["HEAD -> main"]
    assert (newest["author"], newest["remove"], newest["settings"]) == ("ann", [], None)
    assert oldest["settings"] is not None


def test_log_can_be_narrowed(edited: Edited) -> None:
    memoir, ids = edited
    memoir("revert", ids[0], "--author", "bo")
    for words, count in (
        (("--subject", "ACME"), 2),
        (("--subject", "zzz"), 0),
        (("--author", "bo"), 1),
        (("--tag", "x"), 0),
        (("--since", "2999-01-01"), 0),
        (("--until", "2000-01-01"), 0),
        (("--since", "2000-01-01", "--until", "2999-01-01"), 3),
        (("-n", "2"), 2),
        (("--all",), 3),
    ):
        assert len(strict(memoir("log", *words, "--json").stdout)) == count, words
    assert [entry["id"] for entry in live(memoir)] == ids[1:]
    (found,) = strict(memoir("log", "--live", "--subject", "COLOR", "--json").stdout)
    assert found["id"] == ids[1]


def test_log_refuses_what_goes_not_together(store: Command) -> None:
    assert refused(store, "log", "main", "--all") == (
        "give either --all, or a commit or --live, not both."
    )
    assert refused(store, "log", "--since", "May") == (
        "--since takes a day such as 2026-12-31 (year, month, day), not 'May'."
    )
    assert refused(store, "log", "mian").startswith("no branch, tag or commit 'mian'. Did you mean")


def test_a_long_commit_is_shown_in_part_by_log_and_whole_by_show(
    store: Command, folder: Path
) -> None:
    opened = Store(folder)
    body = {"target": "t", "subject": None}
    with opened.writing():
        opened.commit([opened.row("edit", {"prompt": f"p{n}", **body}) for n in range(25)])
    tip = opened.history.tip()
    assert tip is not None
    text = store("log", "-n", "1").stdout
    assert f"… and 5 more: memoir show {short(tip)}" in text
    assert "p19 → t" in text
    assert "p20" not in text
    assert "p24 → t" in store("show", "HEAD").stdout


def test_show_takes_commits_edits_and_settings(edited: Edited) -> None:
    memoir, ids = edited
    commit = strict(memoir("show", "main", "--json").stdout)
    assert (commit["kind"], len(commit["add"])) == ("commit", 3)
    assert strict(memoir("show", commit["id"][:8], "--json").stdout) == commit
    edit = strict(memoir("show", ids[0], "--json").stdout)
    assert (edit["kind"], edit["commit"]) == ("edit", commit["id"])
    first = strict(memoir("show", "HEAD~1", "--json").stdout)
    settings = strict(memoir("show", first["settings"], "--json").stdout)
    assert (settings["kind"], settings["method"]) == ("settings", "memoir")
    assert "memoir" in memoir("show", first["settings"]).stdout


def test_status_tells_where_the_store_stands(edited: Edited, checkpoint: Path) -> None:
    memoir, ids = edited
    memoir("edit", "The old one is", "no", "--expires", "2020-01-31")
    memoir("branch", "trial")
    memoir("tag", "v1")
    file = Path(strict(memoir("show", ids[0], "--json").stdout)["file"])
    file.unlink()
    found = strict(memoir("status", "--json").stdout)
    assert (found["branch"], found["edits"], found["method"]) == ("main", 4, "memoir")
    assert found["model"] == str(checkpoint)
    assert [each["expires"] for each in found["expired"]] == ["2020-01-31"]
    assert [each["id"] for each in found["damaged"]] == [ids[0]]
    text = memoir("status").stdout
    assert text.startswith(f"on branch main at {short(found['tip'])}\n")
    assert "4 in force, 1 expired, 1 damaged\n" in text
    assert "The old one is → no (expired, last day 2020-01-31)" in text
    assert f"{short(ids[0])}  damaged: {file}" in text
    assert "other branches: trial\n" in text
    assert "tags: v1\n" in text


# ---------------------------------------------------------------------- branch, switch, tag, reset


def test_branches_are_listed_begun_used_and_deleted(edited: Edited) -> None:
    memoir, ids = edited
    tip = strict(memoir("status", "--json").stdout)["tip"]
    told = f"branch trial begins at {short(tip)}; use it: memoir switch trial"
    assert memoir("branch", "trial").stdout.strip() == told
    assert memoir("switch", "trial").stdout.strip() == (
        f"on branch trial at {short(tip)}: 3 in force"
    )
    memoir("revert", ids[0])
    assert [entry["id"] for entry in live(memoir)] == ids[1:]
    found = strict(memoir("branch", "--json").stdout)
    assert [(each["branch"], each["in_use"]) for each in found] == [
        ("main", False),
        ("trial", True),
    ]
    assert memoir("branch").stdout.splitlines()[0] == f"  main {short(tip)}"
    assert memoir("branch").stdout.splitlines()[1].startswith("* trial ")
    assert "branch 'trial' is in use" in refused(memoir, "branch", "--delete", "trial")
    memoir("switch", "main")
    assert [entry["id"] for entry in live(memoir)] == ids
    assert "no other branch or tag leads to" in refused(memoir, "branch", "trial", "-d")
    text = memoir("branch", "--delete", "trial", "--force").stdout
    assert re.match(r"deleted branch trial \(was [0-9a-f]{10}\)", text)


def test_a_branch_made_by_switching_starts_here(edited: Edited) -> None:
    memoir, _ = edited
    found = strict(memoir("switch", "-c", "trial", "--json").stdout)
    assert (found["branch"], found["edits"], found["created"]) == ("trial", 3, True)
    assert "no branch 'tral'. Did you mean 'trial'?" in refused(memoir, "switch", "tral")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["branch", "--delete"], "name the branch to delete: memoir branch --delete NAME"),
        (
            ["branch", "-d", "a", "b"],
            "a branch to delete is named alone: memoir branch --delete NAME",
        ),
        (["branch", "a", "--force"], "--force goes with --delete only."),
        (["tag", "--delete"], "name the tag to delete, alone: memoir tag NAME --delete"),
        (["tag", "a", "b", "--delete"], "name the tag to delete, alone: memoir tag NAME --delete"),
        (["config", "--unset"], "name the setting to unset, alone: memoir config KEY --unset"),
    ],
)
def test_what_goes_not_together_is_refused(
    memoir: Command, words: list[str], expected: str
) -> None:
    assert refused(memoir, *words) == expected


def test_tags_are_listed_given_and_taken_away(edited: Edited) -> None:
    memoir, _ = edited
    old = strict(memoir("tag", "v0", "HEAD~1", "--json").stdout)
    assert "tag v1 names" in memoir("tag", "v1").stdout
    assert [each["tag"] for each in strict(memoir("tag", "--json").stdout)] == ["v0", "v1"]
    assert memoir("tag").stdout.splitlines()[0] == f"v0 {short(old['commit'])}"
    assert memoir("tag", "v0", "--delete").stdout.strip() == (
        f"deleted tag v0 (was {short(old['commit'])})"
    )
    assert "there is a tag 'v1' already" in refused(memoir, "branch", "v1")


def test_a_reset_says_how_to_get_back(edited: Edited) -> None:
    memoir, ids = edited
    text = memoir("reset", "HEAD~1").stdout
    assert live(memoir) == []
    back = re.search(r"to go back: memoir (reset) (backup/main-\S+)", text)
    assert back is not None
    moved = strict(memoir(*back.groups(), "--json").stdout)
    assert [entry["id"] for entry in live(memoir)] == ids
    assert moved["branch"] == "main"
    assert "is at" in memoir("reset", "HEAD").stdout
    assert memoir("reset", "HEAD").stdout.strip().endswith("already")


def test_a_revert_of_a_revert_restores(edited: Edited) -> None:
    memoir, ids = edited
    memoir("revert", "HEAD")
    assert live(memoir) == []
    found = strict(memoir("revert", "HEAD", "--json").stdout)
    assert [(each["restored"], set(each)) for each in found] == [
        (id, {"id", "restored", "time"}) for id in ids
    ]
    assert [entry["id"] for entry in live(memoir)] == ids
    memoir("revert", "HEAD")
    lines = memoir("revert", "HEAD").stdout.splitlines()
    assert [line.split(" (")[0] for line in lines] == [f"restored {short(id)}" for id in ids]


# ---------------------------------------------------------------------- blame, diff


def test_blame_names_the_edit_its_author_and_its_source(store: Command) -> None:
    store("edit", *FACTS[0], "--source", "a letter", "-M", "as of May")
    found = strict(store("blame", FACTS[0][0], "--json").stdout)
    assert (found["fired"], found["match"]["score"]) == (True, 1.0)
    assert (found["edit"]["target"], found["edit"]["source"]) == (FACTS[0][1], "a letter")
    assert (found["commit"]["author"], found["commit"]["message"]) == ("ann", "as of May")
    text = one_line(store("blame", FACTS[0][0]).stdout)
    assert f"edit {short(found['edit']['id'])} fired: score 1.000 ≥ 0." in text
    for shown in ("author ann", "message as of May", "source a letter", "since 2"):
        assert shown in text


def test_blame_says_when_no_edit_answers(store: Command) -> None:
    assert "no stored edit is about this; the model answers this by itself" in one_line(
        store("blame", "Who?").stdout
    )
    found = strict(store("blame", "--chat", "Who?", "--json").stdout)
    assert (found["fired"], found["edit"], found["commit"]) == (False, None, None)


def test_blame_at_an_older_state(edited: Edited) -> None:
    memoir, ids = edited
    memoir("revert", ids[0])
    found = strict(memoir("blame", FACTS[0][0], "--at", "HEAD~1", "--json").stdout)
    assert (found["fired"], found["edit"]["id"]) == (True, ids[0])
    (asked,) = strict(memoir("ask", FACTS[0][0], "--at", "HEAD~1", "--json").stdout)
    assert asked["match"]["edit_id"] == ids[0]


def test_blame_of_a_method_that_decides_nothing(memoir: Command, checkpoint: Path) -> None:
    memoir("init", "--model", checkpoint, "--method", "none")
    text = one_line(memoir("blame", "Who?").stdout)
    assert text.startswith("answer no single edit can be named")
    assert strict(memoir("blame", "Who?", "--json").stdout)["match"] is None


def test_diff_shows_edits_and_answers_that_differ(edited: Edited, tmp_path: Path) -> None:
    memoir, ids = edited
    memoir("switch", "-c", "trial")
    memoir("revert", ids[1])
    memoir("edit", FACTS[0][0], "Al", "--force")
    memoir("edit", "The last one is", "so")
    text = memoir("diff", "main").stdout
    assert ": 1 added, 1 removed, 1 changed\n" in text
    assert "  The last one is → so\n" in text
    assert f"    - {short(ids[1])}  {FACTS[1][0]} → {FACTS[1][1]}\n" in text
    assert f"{FACTS[0][0]} → Al (was {FACTS[0][1]})\n" in text
    probes = tmp_path / "probes.txt"
    probes.write_text("".join(prompt + "\n" for prompt, _ in FACTS))
    words = ("diff", "main", "trial", "--probes", probes, "--max-new-tokens", "8")
    found = strict(memoir(*words, "--json").stdout)
    assert (len(found["added"]), len(found["removed"]), found["asked"]) == (1, 1, 3)
    assert [each["prompt"] for each in found["answers"]] == [FACTS[0][0], FACTS[1][0]]
    assert found["answers"][0]["before"].startswith(FACTS[0][1])
    assert found["answers"][0]["after"].startswith("Al")
    text = memoir(*words).stdout
    assert "2 of 3 prompts are answered differently\n" in text
    assert f"      - {FACTS[0][1]}" in text
    for each, at in (("before", "main"), ("after", "trial")):
        asked = memoir("ask", FACTS[0][0], "--at", at, "--max-new-tokens", "8", "--json").stdout
        assert strict(asked)[0]["text"] == found["answers"][0][each]


@pytest.mark.parametrize("method", ["ft", "grace"])
def test_answers_are_compared_whatever_a_method_changes(
    memoir: Command, checkpoint: Path, tmp_path: Path, method: str
) -> None:
    memoir("init", "--model", checkpoint, "--method", method)
    memoir("edit", *FACTS[0])
    memoir("edit", *FACTS[1])
    probes = tmp_path / "probes.txt"
    probes.write_text("".join(prompt + "\n" for prompt, _ in FACTS))
    words = ("diff", "HEAD~1", "HEAD", "--probes", probes, "--json")
    found = strict(memoir(*words).stdout)["answers"]
    assert FACTS[1][0] in [each["prompt"] for each in found]
    for each in found:
        for end, at in (("before", "HEAD~1"), ("after", "HEAD")):
            (asked,) = strict(memoir("ask", each["prompt"], "--at", at, "--json").stdout)
            assert asked["text"] == each[end]


def test_diff_without_probes_asks_nothing(edited: Edited) -> None:
    memoir, _ = edited
    found = strict(memoir("diff", "HEAD~1", "--json").stdout)
    assert (len(found["added"]), found["asked"], found["answers"]) == (3, 0, None)


# ---------------------------------------------------------------------- config, watch


def test_config_lists_sets_and_unsets(store: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MEMOIR_AUTHOR")
    assert "gate.on-commit = false  (whether edits and merges" in store("config").stdout
    assert strict(store("config", "user.name", "Cy", "--json").stdout) == {"user.name": "Cy"}
    assert store("config", "user.name").stdout == "user.name = Cy\n"
    store("edit", *FACTS[0])
    assert strict(store("show", "HEAD", "--json").stdout)["author"] == "Cy"
    assert store("config", "user.name", "--unset").stdout == "user.name = not set\n"
    assert "Did you mean 'user.name'?" in refused(store, "config", "user.nane")


@pytest.mark.parametrize("as_json", [True, False])
def test_watch_prints_what_comes_until_it_is_interrupted(
    store: Command, folder: Path, monkeypatch: pytest.MonkeyPatch, as_json: bool
) -> None:
    from memoir.versions import watch

    other = Store(folder)

    def meanwhile(_seconds: float) -> None:
        """In place of the first wait something happens, in place of the second Ctrl-C."""
        if "v1" in other.history.tags:
            raise KeyboardInterrupt
        other.commit()
        other.move("tag/v1", other.history.tip(), "tag")
        other.move("HEAD", "trial", "switch")

    monkeypatch.setattr(watch.time, "sleep", meanwhile)
    lines = store("watch", *(["--json"] if as_json else [])).stdout.splitlines()
    tip = other.history.tags["v1"]
    if as_json:
        found = [strict(line) for line in lines]
        assert [each["kind"] for each in found] == ["commit", "move", "move", "move"]
        assert found[0]["id"] == found[1]["target"] == tip
        assert [each["ref"] for each in found[1:]] == ["branch/main", "tag/v1", "HEAD"]
    else:
        assert lines[0].startswith(f"commit {short(tip)}")
        assert lines[-3:] == [
            f"branch/main → {short(tip)} (commit)",
            f"tag/v1 → {short(tip)} (tag)",
            "HEAD → trial (switch)",
        ]
