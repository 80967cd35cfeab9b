"""The command line: verbs on one store, tables for people, one JSON document for programs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from commands import FACTS, LONG, Command, facts_file, live, one_line, strict, tensor_file

from memoir import methods, moments
from memoir.store import short

VERBS = [
    *(
        "fetch-model",
        "init",
        "calibrate",
        "edit",
        "ask",
        "check",
        "conflicts",
        "blame",
        "merge-weights",
        "serve",
    ),
    *("log", "show", "status", "diff", "revert", "branch", "switch", "merge", "tag", "reset"),
    *(
        "export",
        "export-peft",
        "import",
        "push",
        "pull",
        "sign",
        "verify",
        "fsck",
        "gc",
        "config",
        "watch",
    ),
    *("methods", "stats", "data", "demo"),
]
GROUPS = ["bench", "keys"]


# ---------------------------------------------------------------------- help and usage


def test_help_lists_every_verb_and_no_other(memoir: Command) -> None:
    lines = memoir("--help").stdout.split("Commands")[1].splitlines()
    first = [line.strip("│ ").split(" ")[0] for line in lines if line.startswith("│ ")]
    assert [word for word in first if word] == [*VERBS, *GROUPS]


@pytest.mark.parametrize("verb", VERBS)
def test_the_help_of_every_verb_gives_an_example(memoir: Command, verb: str) -> None:
    text = memoir(verb, "--help").stdout
    assert "Example" in text
    assert f"memoir {verb}" in text.split("Example")[1]


@pytest.mark.parametrize(
    "words",
    [
        ["ask"],
        ["blame"],
        ["show"],
        ["diff"],
        ["revert"],
        ["switch"],
        ["reset"],
        ["log", "-n", "0"],
        ["nonsense"],
        ["log", "--nonsense"],
        ["ask", "p", "--max-new-tokens", "0"],
        ["edit", "--file", "f", "--limit", "0"],
    ],
)
def test_wrong_usage_ends_with_exit_code_2(memoir: Command, words: list[str]) -> None:
    result = memoir(*words, code=2)
    assert "Usage:" in result.stderr
    assert result.stdout == ""


def test_importing_the_command_line_does_not_load_torch() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "import sys, memoir.cli; print('torch' in sys.modules)"],
        capture_output=True,
        text=True,
        check=True,
        env=dict(os.environ),
    )
    assert done.stdout == "False\n"


# ---------------------------------------------------------------------- methods


def test_every_method_is_listed_with_what_it_promises(memoir: Command) -> None:
    text = memoir("methods").stdout
    for name in methods.available():
        assert f" {name} " in f" {text} ", name
    found = {
        each["name"]: each for each in json.loads(memoir("methods", "--json").stdout)["methods"]
    }
    assert found.keys() == set(methods.available())
    assert found["ft"]["undo"] == "replay"
    assert not found["ft"]["spares_others"]
    for method in found.values():
        assert all(method["settings"].values()), f"a setting of {method['name']} is not explained"
        assert all(
            preset.keys() == method["settings"].keys() for preset in method["presets"].values()
        )


def test_a_method_is_told_with_its_settings(memoir: Command) -> None:
    text = one_line(memoir("methods", "grace").stdout)
    assert text.startswith("GRACE: Aging with GRACE")
    assert "radius 1.0 ε of a new key, Euclidean, of activations" in text
    assert "``" not in text
    assert ":mod:" not in text


def test_a_method_without_a_threshold_is_set_up_too(
    memoir: Command, checkpoint: Path, folder: Path
) -> None:
    text = one_line(memoir("init", "--model", checkpoint, "--method", "ft").stdout)
    assert "down_proj" in text
    assert "score" not in text


# ---------------------------------------------------------------------- init


def test_stats_are_measured_ahead_of_time(
    memoir: Command, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(moments, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.delenv("MEMOIR_DATA", raising=False)
    init = ("init", "--model", checkpoint, "--method", "rome")
    assert "memoir stats --corpus FILE" in one_line(memoir(*init, code=1).stderr)
    corpus = tmp_path / "texts.txt"
    corpus.write_text("One bee flies.\nTwo bees fly.\nThree bees fly.\n")
    words = ("stats", "--model", checkpoint, "--corpus", corpus, "--texts", "2")
    found = strict(memoir(*words, "--json").stdout)
    assert (found["layers"], found["texts"], found["tokens"]) == ([0, 1], 2, 27)
    assert "layers 0, 1 of" in one_line(memoir(*words).stdout)
    assert "27 tokens of 2 texts" in one_line(memoir(*words, "--layer", "3,2").stdout)
    assert "is ready" in memoir(*init).stdout
    assert "--layer takes" in one_line(memoir(*words, "--layer", "low", code=1).stderr)


def test_no_line_is_broken_where_there_is_no_screen(
    memoir: Command, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("COLUMNS")
    store = tmp_path / "a-folder" / ("of-a-name-longer-than-a-screen-is-wide" * 4) / "facts"
    said = memoir("init", "--model", checkpoint, "--store", store).stdout
    assert f"{store} is ready for {checkpoint} (float32)\n" in said


def test_init_says_what_was_made(memoir: Command, checkpoint: Path, folder: Path) -> None:
    text = one_line(memoir("init", "--model", checkpoint).stdout)
    assert f"{folder} is ready for {checkpoint} (float32)" in text
    assert "edits go to model.layers.3.mlp.down_proj" in text
    assert "an edit fires from a score of 0." in text


def test_init_as_json_carries_identity_and_settings(
    memoir: Command, checkpoint: Path, folder: Path
) -> None:
    words = ("init", "--model", checkpoint, "--site", "1", "--preset", "faithful", "--json")
    found = strict(memoir(*words).stdout)
    assert found["store"] == str(folder)
    assert found["identity"]["model"] == str(checkpoint)
    assert found["identity"]["site"] == "model.layers.1.mlp.down_proj"
    assert (found["config"]["layer"], found["config"]["memory"]) == (1, "shared")


@pytest.mark.parametrize("as_json", [False, True])
def test_init_twice_is_refused(
    store: Command, checkpoint: Path, folder: Path, as_json: bool
) -> None:
    expected = f"{folder} is a store already; see what it holds with: memoir log"
    if as_json:
        result = store("init", "--model", checkpoint, "--json", code=1)
        error = strict(result.stdout)["error"]
        assert error == {"type": "StoreError", "message": expected}
    else:
        result = store("init", "--model", checkpoint, code=1)
        assert result.stdout == ""
    assert f"error: {expected}" in one_line(result.stderr)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--preset", "fathful"], "no preset 'fathful'. Did you mean 'faithful'?"),
        (["--method", "memior"], "no method 'memior'. Did you mean 'memoir'?"),
        (["--dtype", "float31"], "no dtype 'float31'. Did you mean 'float32'?"),
        (["--site", "9"], "no layer 9: this LlamaForCausalLM has layers 0 to 3."),
    ],
)
def test_a_mistyped_choice_is_refused_and_makes_no_store(
    memoir: Command, checkpoint: Path, folder: Path, words: list[str], expected: str
) -> None:
    result = memoir("init", "--model", checkpoint, *words, code=1)
    assert expected in one_line(result.stderr)
    assert not folder.exists()


# ---------------------------------------------------------------------- verbs without a store


@pytest.mark.parametrize(
    "words",
    [
        *(
            ["edit", "p", "t"],
            ["ask", "p"],
            ["calibrate"],
            ["check"],
            ["conflicts"],
            ["blame", "p"],
        ),
        *(["log"], ["show", "a"], ["status"], ["diff", "a"], ["revert", "a"]),
        *(
            ["branch"],
            ["switch", "a"],
            ["merge", "a"],
            ["tag"],
            ["reset", "a"],
            ["config"],
            ["watch"],
        ),
    ],
)
def test_a_folder_without_a_store_is_refused_with_what_to_do(
    memoir: Command, folder: Path, words: list[str]
) -> None:
    result = memoir(*words, "--json", code=1)
    error = strict(result.stdout)["error"]
    assert error["type"] == "NotAStore"
    assert error["message"].startswith(f"{folder} holds no memoir store")
    assert "memoir init" in error["message"]
    assert not folder.exists()


# ---------------------------------------------------------------------- edit


def test_edit_stores_one_fact_and_shows_it(store: Command) -> None:
    prompt, target = FACTS[0]
    text = store("edit", prompt, target, "--subject", "Acme").stdout
    assert "1 stored" in text
    assert prompt in text
    assert target in text
    (entry,) = live(store)
    assert (entry["prompt"], entry["target"], entry["subject"]) == (prompt, target, "Acme")


def test_edit_of_a_file_as_json_gives_a_receipt_for_each(store: Command, tmp_path: Path) -> None:
    found = strict(store("edit", "--file", facts_file(tmp_path), "--json").stdout)
    assert found["refused"] == []
    assert [(edit["prompt"], edit["target"]) for edit in found["edits"]] == FACTS
    for edit in found["edits"]:
        assert edit["said"] is True
        assert edit["bytes"] > 0
        assert set(edit["seconds"]) == {"read", "fit", "route", "write"}


def test_edit_can_be_limited_to_the_first_records(store: Command, tmp_path: Path) -> None:
    found = strict(store("edit", "--file", facts_file(tmp_path), "--limit", 2, "--json").stdout)
    assert [edit["prompt"] for edit in found["edits"]] == [prompt for prompt, _ in FACTS[:2]]


def test_a_fact_carries_other_words_and_names_from_the_command_line_and_from_a_file(
    store: Command, tmp_path: Path
) -> None:
    more = ["--phrasing", "Acme is led by", "--phrasing", "Acme's boss is", "--alias", "AC"]
    (by_hand,) = strict(store("edit", *FACTS[0], *more, "--json").stdout)["edits"]
    path = tmp_path / "one.jsonl"
    fact = {"prompt": FACTS[1][0], "target": FACTS[1][1], "phrasings": ["a b"], "aliases": ["c"]}
    path.write_text(json.dumps(fact))
    (by_file,) = strict(store("edit", "--file", path, "--json").stdout)["edits"]
    assert (by_hand["phrasings"], by_hand["aliases"]) == (
        ["Acme is led by", "Acme's boss is"],
        ["AC"],
    )
    assert (by_file["phrasings"], by_file["aliases"]) == (["a b"], ["c"])


def test_a_refused_fact_is_named_and_the_others_kept_if_told_to_keep_going(
    store: Command, tmp_path: Path
) -> None:
    path = tmp_path / "mixed.jsonl"
    facts = [FACTS[0], ("The last one is", LONG), FACTS[1]]
    path.write_text("".join(json.dumps({"prompt": p, "target": t}) + "\n" for p, t in facts))
    found = strict(store("edit", "--file", path, "--keep-going", "--json", code=1).stdout)
    assert [edit["prompt"] for edit in found["edits"]] == [FACTS[0][0], FACTS[1][0]]
    (refused,) = found["refused"]
    assert refused["type"] == "NotConverged"
    assert f"still does not say 'The last one is' → '{LONG}'" in refused["message"]
    assert len(refused["losses"]) == 17  # of the second trial
    assert len(live(store)) == 2


def test_a_refused_fact_is_shown_as_it_was_given(store: Command) -> None:
    prompt = "[red]The last[/] one [/is]"
    text = store("edit", prompt, LONG, code=1).stdout
    assert "0 stored" in text
    assert f"refused: after 16 steps the model still does not say '{prompt}'" in one_line(text)


def test_losses_that_are_not_finite_are_still_json(
    store: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    from memoir.host import Host

    replay = Host.replay
    monkeypatch.setattr(Host, "replay", lambda *given, **how: replay(*given, **how) * float("nan"))
    found = strict(store("edit", *FACTS[0], "--json", code=1).stdout)
    assert found["refused"][0]["type"] == "LossNotFinite"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([], 'give a prompt and a target: memoir edit "PROMPT" "TARGET", or --file FILE.'),
        (["p"], 'give a prompt and a target: memoir edit "PROMPT" "TARGET", or --file FILE.'),
        (["p", "t", "--file", "f"], "give either a prompt and a target, or --file, not both."),
        (["", "t"], "the prompt is empty (''); give it at least one word."),
        (["p", " "], "the target is empty (' '); give it at least one word."),
    ],
)
def test_input_that_cannot_be_used_is_refused_in_words(
    store: Command, words: list[str], expected: str
) -> None:
    error = strict(store("edit", *words, "--json", code=1).stdout)["error"]
    assert error == {"type": "BadInput", "message": expected}
    assert live(store) == []


def test_a_malformed_file_is_refused_by_line(store: Command, tmp_path: Path) -> None:
    path = tmp_path / "facts.jsonl"
    path.write_text('{"prompt": "p", "target": "t"}\n{"prompt": "p", "target": ""}\n')
    error = strict(store("edit", "--file", path, "--json", code=1).stdout)["error"]
    assert error == {
        "type": "BadRecord",
        "message": f"{path}, line 2: field 'target' must be a non-empty text, not ''.",
    }


# ---------------------------------------------------------------------- ask


def test_ask_as_json_carries_the_evidence(edited: tuple[Command, list[str]]) -> None:
    memoir, ids = edited
    prompts = [prompt for prompt, _ in FACTS]
    found = strict(memoir("ask", *prompts, "--json", "--max-new-tokens", 8).stdout)
    assert [answer["prompt"] for answer in found] == prompts
    for answer, id, (_, target) in zip(found, ids, FACTS, strict=True):
        assert answer["text"].startswith(target)
        match = answer["match"]
        assert (match["edit_id"], match["fired"], match["score"]) == (id, True, 1.0)
        assert 0 < match["threshold"] <= 1


def test_ask_says_which_edit_fired_and_how_strongly(edited: tuple[Command, list[str]]) -> None:
    memoir, ids = edited
    text = memoir("ask", FACTS[0][0]).stdout
    assert text.startswith(FACTS[0][0] + "\n" + FACTS[0][1])
    assert f"edit {short(ids[0])} fired: score 1.000 ≥ 0." in text


def test_ask_with_edits_off_gives_no_evidence(edited: tuple[Command, list[str]]) -> None:
    memoir, _ = edited
    (off,) = strict(memoir("ask", FACTS[0][0], "--off", "--json").stdout)
    assert off["match"] is None
    assert not off["text"].startswith(FACTS[0][1])
    assert "edits were off" in memoir("ask", FACTS[0][0], "--off").stdout


def test_ask_says_that_a_method_without_a_router_decides_nothing(memoir: Command) -> None:
    memoir("init", "--method", "none")
    assert "with this method edits act on every prompt" in memoir("ask", FACTS[0][0]).stdout


def test_ask_in_a_chat_differs_from_a_bare_prompt(store: Command) -> None:
    (bare,) = strict(store("ask", "Who?", "--json").stdout)
    (chat,) = strict(store("ask", "--chat", "Who?", "--json").stdout)
    (system,) = strict(store("ask", "--system", "Be brief.", "Who?", "--json").stdout)
    assert len({bare["text"], chat["text"], system["text"]}) == 3
    assert chat["match"] == {
        "edit_id": None,
        "score": 0.0,
        "threshold": chat["match"]["threshold"],
        "evidence": {},
        "fired": False,
    }
    assert "no stored edit is about this" in store("ask", "Who?").stdout


@pytest.mark.parametrize("prompt", ["[/] what [red]is[/red] this", "[/nothing] x", "[bold]x"])
def test_brackets_in_a_prompt_are_shown_as_they_are(store: Command, prompt: str) -> None:
    assert store("ask", prompt).stdout.startswith(prompt + "\n")


# ---------------------------------------------------------------------- log, show, revert


def test_log_live_lists_the_edits_in_force(edited: tuple[Command, list[str]]) -> None:
    memoir, ids = edited
    memoir("revert", ids[1])
    found = live(memoir)
    assert [entry["id"] for entry in found] == [ids[0], ids[2]]
    assert [entry["status"] for entry in found] == ["live", "live"]
    assert [(entry["prompt"], entry["target"]) for entry in found] == [FACTS[0], FACTS[2]]
    text = memoir("log", "--live").stdout
    assert "2 edits in force" in one_line(text)
    for id, (prompt, _), shown in zip(ids, FACTS, (True, False, True), strict=True):
        assert (short(id) in text) == (prompt in text) == shown


@pytest.mark.parametrize("words", [["log"], ["log", "--live"]])
def test_log_shows_brackets_as_they_are(store: Command, words: list[str]) -> None:
    prompt = "[b] is"
    store("edit", prompt, "[x]")
    line = next(line for line in store(*words).stdout.splitlines() if "[x]" in line)
    assert prompt in line


def test_a_damaged_edit_is_named_by_log(edited: tuple[Command, list[str]]) -> None:
    memoir, ids = edited
    path = tensor_file(memoir, ids[0])
    path.write_bytes(path.read_bytes()[:-1])
    text = memoir("log", "--live").stdout
    assert f"damaged: {path} was truncated or altered" in text
    found = live(memoir)
    assert [entry["status"] for entry in found] == ["damaged", "live", "live"]
    assert found[0]["note"].startswith(str(path))
    assert [entry["note"] for entry in found[1:]] == [None, None]


@pytest.mark.filterwarnings("default:.*cannot be used:UserWarning")
def test_a_damaged_edit_is_a_warning_to_ask_and_the_others_answer(
    edited: tuple[Command, list[str]],
) -> None:
    memoir, ids = edited
    tensor_file(memoir, ids[0]).unlink()
    result = memoir("ask", *(prompt for prompt, _ in FACTS), "--json")
    answers = strict(result.stdout)
    assert [answer["match"]["fired"] for answer in answers] == [False, True, True]
    assert "warning: 1 of the edits in" in one_line(result.stderr)


def test_show_tells_how_an_edit_was_fitted(edited: tuple[Command, list[str]], folder: Path) -> None:
    memoir, ids = edited
    text = memoir("show", ids[0][:6]).stdout
    file = tensor_file(memoir, ids[0])
    size = file.stat().st_size
    assert file.parent == folder / "tensors"
    for shown in (ids[0], "live", *FACTS[0], "yes", str(file), "UTC"):
        assert shown in text
    found = strict(memoir("show", ids[0], "--json").stdout)
    assert (found["id"], found["status"], found["bytes"]) == (ids[0], "live", size)
    assert (found["prompt"], found["target"], found["subject"]) == (*FACTS[0], "s")
    assert found["losses"][-1] < found["losses"][0]


def test_revert_takes_edits_back_and_the_model_answers_as_before(
    store: Command, tmp_path: Path
) -> None:
    prompts = [prompt for prompt, _ in FACTS]
    before = [answer["text"] for answer in strict(store("ask", *prompts, "--json").stdout)]
    receipts = strict(store("edit", "--file", facts_file(tmp_path), "--json").stdout)["edits"]
    ids = [receipt["id"] for receipt in receipts]
    found = strict(store("revert", ids[0][:7], ids[2], "--json").stdout)
    assert [row["reverted"] for row in found] == [ids[0], ids[2]]
    assert all(row["id"] not in ids for row in found)
    assert f"reverted {short(ids[1])}" in store("revert", ids[1]).stdout
    after = [answer["text"] for answer in strict(store("ask", *prompts, "--json").stdout)]
    assert after == before


@pytest.mark.parametrize("verb", ["show", "revert"])
def test_an_unknown_id_is_refused_as_json_too(store: Command, folder: Path, verb: str) -> None:
    result = store(verb, "zzz", "--json", code=1)
    expected = f"no entry 'zzz' in {folder}; see: memoir log"
    assert strict(result.stdout)["error"] == {"type": "UnknownName", "message": expected}
    assert f"error: {expected}" in one_line(result.stderr)


def test_reverting_twice_is_refused(edited: tuple[Command, list[str]]) -> None:
    memoir, ids = edited
    memoir("revert", ids[0])
    error = strict(memoir("revert", ids[0], "--json", code=1).stdout)["error"]
    assert error["message"] == f"'{short(ids[0])}' is reverted already; see: memoir log"


def test_reverting_several_with_one_unknown_takes_none_back(
    edited: tuple[Command, list[str]],
) -> None:
    memoir, ids = edited
    memoir("revert", ids[0], "zzz", "--json", code=1)
    assert [entry["status"] for entry in live(memoir)] == ["live"] * 3


# ---------------------------------------------------------------------- calibrate


def test_calibrate_of_a_fresh_store_tries_the_upper_half(store: Command) -> None:
    found = strict(store("calibrate", "--json").stdout)
    assert found["records"] == 12
    assert {setting["layer"] for setting in found["settings"]} == {2, 3}
    assert {setting["k"] for setting in found["settings"]} == {4, 8, 18, 32}
    assert found["chosen"] in found["settings"]
    assert found["false_fire_rate"] == 0.01


def test_calibrate_of_given_candidates_shows_the_choice(store: Command, folder: Path) -> None:
    text = one_line(store("calibrate", "--layers", "1-2", "--ks", "8", "--rate", "0.1").stdout)
    assert "12 background records" in text
    assert "chosen: layer" in text
    assert "k = 8, threshold 0." in text
    assert f"(written to {folder})" in text


def test_calibrate_with_edits_in_force_measures_the_threshold_only(
    edited: tuple[Command, list[str]],
) -> None:
    memoir, _ = edited
    found = strict(memoir("calibrate", "--json").stdout)
    assert [(setting["layer"], setting["k"]) for setting in found["settings"]] == [(3, 18)]
    error = strict(memoir("calibrate", "--layers", "1", "--json", code=1).stdout)["error"]
    assert error["type"] == "StoreError"
    assert error["message"].startswith("3 edits are in force, made at layer 3 with k = 18;")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (
            ["--layers", "two"],
            "--layers takes numbers and ranges such as 20-28 or 21,24, not 'two'.",
        ),
        (["--ks", "8,"], "--ks takes numbers and ranges such as 20-28 or 21,24, not '8,'."),
        (["--layers", "3-1"], "--layers takes ranges from low to high, not '3-1'."),
        (["--rate", "1"], "the false-fire rate must lie between 0 and 1, not 1.0."),
        (["--layers", "4"], "no layer 4: this LlamaForCausalLM has layers 0 to 3."),
        (["--ks", "65"], "k must lie in 1..64"),
    ],
)
def test_calibrate_refuses_candidates_that_cannot_be(
    store: Command, words: list[str], expected: str
) -> None:
    error = strict(store("calibrate", *words, "--json", code=1).stdout)["error"]
    assert error["message"].startswith(expected)
