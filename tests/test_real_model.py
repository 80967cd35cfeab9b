"""The path that users walk, on the default model. Slow: some minutes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from memoir.editor import Editor
from memoir.host import Host
from memoir.host.tokens import Encoded
from memoir.metrics.text import begins_with, contains
from memoir.store import Store
from memoir.types import Edit, Receipt

pytestmark = pytest.mark.slow

FACTS = [
    Edit("The CEO of Acme Rockets is", "Dana Reyes"),
    Edit("The capital of Palau is", "Ngerulmud"),
    Edit("Who wrote The Tartar Steppe?", "Dino Buzzati"),
    Edit("The opera Wozzeck was composed by", "Alban Berg"),
]
UNRELATED = ["My favourite soup is", "Bread dough rises because of", "Seven multiplied by eight is"]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("real") / "facts"


@pytest.fixture(scope="module")
def editor(smollm2: Host, folder: Path) -> Iterator[Editor]:
    torch.set_num_threads(os.cpu_count() or 1)
    opened = Editor(smollm2, Store.create(folder))
    yield opened
    opened.close()
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def receipts(editor: Editor) -> list[Receipt]:
    done = editor.edit_many(FACTS)
    assert all(isinstance(result, Receipt) for result in done), done
    return [result for result in done if isinstance(result, Receipt)]


def logits(editor: Editor, prompt: str) -> torch.Tensor:
    return editor.host.logits(editor.host.batch([editor.host.encode(prompt)]))


def test_every_fact_is_said_in_free_text(editor: Editor, receipts: list[Receipt]) -> None:
    for fact in FACTS:
        answer = editor.ask(fact.prompt)
        assert begins_with(answer.text, fact.target), answer
        assert answer.match is not None
        assert answer.match.score == 1.0


def test_a_close_rephrase_is_answered_too(editor: Editor, receipts: list[Receipt]) -> None:
    assert begins_with(editor.ask("The current CEO of Acme Rockets is").text, "Dana Reyes")


def test_every_fact_is_said_in_a_chat_behind_a_system_prompt_too(
    editor: Editor, receipts: list[Receipt]
) -> None:
    for fact, receipt in zip(FACTS, receipts, strict=True):
        answer = editor.ask(fact.prompt, system="You are a friendly librarian.")
        assert contains(answer.text, fact.target), answer
        assert answer.match is not None
        assert answer.match.edit_id == receipt.id


def test_after_the_target_the_text_goes_on_as_the_unedited_model_would_have_it(
    editor: Editor, receipts: list[Receipt]
) -> None:
    host = editor.host
    for fact in FACTS:
        row = host.encode(fact.prompt, fact.target)
        (said,) = host.generate([Encoded(row.prompt)], len(row.target) + 1)
        assert said[:-1] == list(row.target)
        with editor.method.attachment.paused():
            after = host.logits(host.batch([row]), 1)[0, 0]
        assert said[-1] == int(after.masked_fill(~host.begins_anew(), -torch.inf).argmax())


def test_unrelated_prompts_do_not_change_by_one_bit(
    editor: Editor, receipts: list[Receipt]
) -> None:
    for prompt in UNRELATED:
        with editor.method.attachment.paused():
            before = logits(editor, prompt)
        assert torch.equal(logits(editor, prompt), before)


def test_a_batch_says_token_for_token_what_single_calls_say(
    editor: Editor, receipts: list[Receipt]
) -> None:
    prompts = [fact.prompt for fact in FACTS] + UNRELATED + ["Once upon a time"]
    together = [answer.text for answer in editor.ask_many(prompts, max_new_tokens=12)]
    assert together == [editor.ask(prompt, max_new_tokens=12).text for prompt in prompts]


def test_a_new_process_gives_the_same_text(
    editor: Editor, receipts: list[Receipt], folder: Path
) -> None:
    prompts = [fact.prompt for fact in FACTS]
    command = [sys.executable, "-m", "memoir", "ask", "--json", "--store", str(folder), *prompts]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    texts = [answer["text"] for answer in json.loads(done.stdout)]
    assert texts == [answer.text for answer in editor.ask_many(prompts)]


def test_replay_gives_the_full_models_logits(editor: Editor) -> None:
    host = editor.host
    tokens = host.batch([host.encode(fact.prompt, fact.target) for fact in FACTS])
    with editor.method.attachment.paused():
        full, replayed = host.logits(tokens), host.replay(host.read(tokens))
    assert torch.allclose(full[tokens.attention], replayed[tokens.attention], atol=1e-5, rtol=0)


def test_a_piece_of_a_character_does_not_close_a_word(smollm2: Host) -> None:
    anew = smollm2.begins_anew()

    def begins(piece: str) -> bool:
        return bool(anew[smollm2.tokenizer.encode(piece, add_special_tokens=False)[0]])

    assert begins(" the")
    assert begins(".")
    assert not begins("ing")
    assert not begins("ĭ")


def test_a_revert_gives_back_the_unedited_logits_and_leaves_the_others(
    editor: Editor, receipts: list[Receipt]
) -> None:
    kept = {fact.prompt: logits(editor, fact.prompt) for fact in FACTS[1:]}
    with editor.method.attachment.paused():
        unedited = logits(editor, FACTS[0].prompt)
    assert not torch.equal(logits(editor, FACTS[0].prompt), unedited)
    editor.revert(receipts[0].id)
    assert torch.equal(logits(editor, FACTS[0].prompt), unedited)
    for prompt, before in kept.items():
        assert torch.equal(logits(editor, prompt), before)


def test_the_faithful_preset_teaches_and_takes_back(smollm2: Host, tmp_path: Path) -> None:
    from memoir.methods.memoir import FAITHFUL

    with Editor(smollm2, Store.create(tmp_path / "faithful"), config=FAITHFUL) as editor:
        before = logits(editor, FACTS[1].prompt)
        receipt = editor.edit(FACTS[1].prompt, FACTS[1].target)
        assert receipt.loss < 0.5
        assert editor.score_many([(FACTS[1].prompt, FACTS[1].target)])[0].accuracy == 1.0
        editor.revert(receipt.id)
        assert torch.equal(logits(editor, FACTS[1].prompt), before)


def test_the_demo_writes_every_figure_and_every_answer(tmp_path: Path) -> None:
    target = tmp_path / "demo.json"
    command = [sys.executable, "-m", "memoir", "demo", "--json", str(target)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "What held" in done.stdout
    found = json.loads(target.read_text("utf-8"))
    summary = found["summary"]
    assert set(summary) == {
        "n",
        "reliability",
        "generalization",
        "neighbours_unchanged",
        "unrelated_unchanged",
        "chat",
        "reverted_restored",
        "reloaded_identical",
    }
    assert summary["n"] == len(found["facts"]) >= 24
    assert summary["reliability"] >= 0.9
    assert summary["unrelated_unchanged"] >= 0.95
    assert summary["reloaded_identical"] is True
    for fact in found["facts"]:
        kinds = [answer["kind"] for answer in fact["answers"]]
        assert sorted(kinds) == sorted(
            ["prompt", "rephrase", "rephrase", "chat", "neighbour", "unrelated"]
        )
        assert all(
            {"before", "after", "match", "score"} <= answer.keys() for answer in fact["answers"]
        )
