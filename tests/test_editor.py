"""The editor: what it teaches, takes back and refuses, and that reopening changes no bit."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

import tiny
import unfitted
from editing import EASY, FACTS, FAITHFUL, PROMPTS, SHARED, logits, same, spoil, state, teach
from memoir.calibration import Background
from memoir.editor import Editor
from memoir.errors import (
    BadInput,
    EditRefused,
    LossNotFinite,
    ModelUnavailable,
    NotConverged,
    PromptTooLong,
    StoreDamaged,
    StoreError,
    StoreFull,
    UnknownName,
    WrongModel,
)
from memoir.host import Host
from memoir.methods.base import Prepared
from memoir.methods.memoir import Memoir
from memoir.store import Store, short
from memoir.types import Edit, Receipt

MakeEditor = Callable[..., Editor]


# ---------------------------------------------------------------------- teaching


def test_an_edited_model_says_the_target_and_names_the_edit(make_editor: MakeEditor) -> None:
    editor = make_editor(**EASY)
    receipt = editor.edit("The CEO of Acme is", "Dana")
    answer = editor.ask("The CEO of Acme is", max_new_tokens=5)
    assert answer.text.startswith("Dana")
    assert answer.match is not None
    assert answer.match.fired
    assert (answer.match.edit_id, answer.match.score) == (receipt.id, 1.0)
    assert len(editor) == 1


def test_a_receipt_says_what_was_stored(make_editor: MakeEditor) -> None:
    editor = make_editor(**EASY)
    receipt = editor.edit("The CEO of Acme is", "Dana", "Acme")
    (entry,) = editor.log()
    assert receipt.edit == entry.edit == Edit("The CEO of Acme is", "Dana", "Acme")
    assert (receipt.id, entry.status) == (entry.row.id, "live")
    assert receipt.commit == entry.commit == editor.store.history.tip()
    assert receipt.said
    assert receipt.steps == len(entry.row.body["losses"]) - 1 > 0
    assert receipt.loss == pytest.approx(entry.row.body["losses"][-1], abs=1e-5)
    assert receipt.bytes == unfitted.file(editor.store, entry.row).stat().st_size
    assert set(receipt.seconds) == {"read", "fit", "route", "write"}


def test_edits_can_be_switched_off_for_one_question(make_editor: MakeEditor) -> None:
    editor = make_editor(**EASY)
    before = editor.ask(FACTS[0].prompt)
    teach(editor)
    assert editor.ask(FACTS[0].prompt).text != before.text
    off = editor.ask(FACTS[0].prompt, edits=False)
    assert (off.text, off.match) == (before.text, None)


def test_a_prompt_taught_anew_gives_the_new_target_and_reverting_the_old(
    make_editor: MakeEditor,
) -> None:
    editor = make_editor(**EASY)
    prompt = "The CEO of Acme is"
    editor.edit(prompt, "Dana")
    old = logits(editor, prompt)
    new = editor.edit(prompt, "Zoe")
    assert editor.ask(prompt).text.startswith("Zoe")
    editor.revert(new.id)
    assert torch.equal(logits(editor, prompt), old)


def test_an_editor_without_a_store_keeps_edits_for_its_life_only(
    tmp_path: Path, few_background: Background
) -> None:
    checkpoint = tiny.save(tmp_path / "model")
    settings = {"router": "overlap", "contexts": "bare", "max_steps": 200, "lr": 0.5, **EASY}
    with Editor.open(str(checkpoint), settings=settings, site=2) as editor:
        folder = editor.store.folder
        editor.edit("The CEO of Acme is", "Dana")
        assert editor.ask("The CEO of Acme is").text.startswith("Dana")
    assert not folder.exists()


def test_closing_leaves_the_model_as_it_was(make_editor: MakeEditor) -> None:
    editor = make_editor(**EASY)
    before = state(editor)
    teach(editor)
    assert not same(state(editor), before)
    editor.close()
    assert same(state(editor), before)


def test_several_prompts_are_answered_as_each_alone(make_editor: MakeEditor) -> None:
    editor = make_editor(**EASY)
    teach(editor)
    together = editor.ask_many(PROMPTS, max_new_tokens=6)
    alone = [editor.ask(prompt, max_new_tokens=6) for prompt in PROMPTS]
    assert together == alone
    assert [answer.match.fired for answer in together if answer.match][:3] == [True] * 3


def test_scores_agree_with_what_was_taught(make_editor: MakeEditor) -> None:
    editor = make_editor(**EASY)
    pairs = [(fact.prompt, fact.target) for fact in FACTS]
    assert all(score.accuracy < 1.0 for score in editor.score_many(pairs))
    receipts = teach(editor)
    scores = editor.score_many(pairs)
    assert [score.accuracy for score in scores] == [1.0] * 3
    for score, receipt in zip(scores, receipts, strict=True):
        assert score.loss == pytest.approx(receipt.loss, rel=1e-3)


# ---------------------------------------------------------------------- taking back


@pytest.mark.parametrize("settings", [EASY, SHARED, FAITHFUL], ids=["isolated", "shared", "sgd"])
def test_reverting_the_last_edit_restores_every_bit(
    make_editor: MakeEditor, settings: dict[str, object]
) -> None:
    editor = make_editor(**settings)
    unedited = state(editor)
    first = editor.edit(FACTS[0].prompt, FACTS[0].target)
    with_first = state(editor)
    second = editor.edit(FACTS[1].prompt, FACTS[1].target)
    assert not same(state(editor), with_first)
    editor.revert(second.id)
    assert same(state(editor), with_first)
    editor.revert(first.id[:7])
    assert same(state(editor), unedited)
    assert len(editor) == 0


def test_reverting_one_edit_of_three_leaves_the_others_bit_for_bit(make_editor: MakeEditor) -> None:
    editor = make_editor(**EASY)
    unedited = state(editor)
    receipts = teach(editor)
    edited = state(editor)
    editor.revert(receipts[1].id)
    after = state(editor)
    assert torch.equal(after[0], edited[0])
    assert torch.equal(after[2], edited[2])
    assert torch.equal(after[1], unedited[1])
    assert [entry.status for entry in editor.log()] == ["live", "reverted", "live"]


def test_reverting_twice_or_the_unknown_is_refused_and_changes_nothing(
    make_editor: MakeEditor,
) -> None:
    editor = make_editor(**EASY)
    first, *_ = teach(editor)
    editor.revert(first.id)
    before, rows = state(editor), editor.store.log.rows()
    with pytest.raises(
        UnknownName, match=f"'{short(first.id)}' is reverted already; see: memoir log"
    ):
        editor.revert(first.id)
    with pytest.raises(UnknownName, match=r"no entry 'zzz' in .*; see: memoir log"):
        editor.revert("zzz")
    assert same(state(editor), before)
    assert editor.store.log.rows() == rows


# ---------------------------------------------------------------------- opening again


@pytest.mark.parametrize("settings", [EASY, SHARED, FAITHFUL], ids=["isolated", "shared", "sgd"])
def test_a_store_opened_again_gives_the_same_bits(
    make_editor: MakeEditor, settings: dict[str, object]
) -> None:
    editor = make_editor(**settings)
    receipts = teach(editor)
    editor.revert(receipts[1].id)
    editor.edit("One more fact is", "true")
    expected = state(editor)
    editor.close()
    again = make_editor()
    assert same(state(again), expected)
    assert again.method.config == editor.method.config
    assert len(again) == 3


def test_an_editor_follows_what_another_one_adds(make_editor: MakeEditor) -> None:
    one, two = make_editor(**EASY), make_editor()
    first, *_ = teach(one)
    two.revert(first.id)
    two.edit("One more fact is", "true")
    one.refresh()
    assert same(state(one), state(two))
    assert len(one) == len(two) == 3


def test_a_store_set_up_by_another_process_meanwhile_keeps_the_settings_of_its_edits(
    make_editor: MakeEditor, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare, others = Memoir.prepare, []

    def slow(*given: Any) -> Prepared:
        if not others:  # while we measure, another process makes the store ready and uses it
            others.append(None)
            others.append(make_editor(k=8, **EASY))
            teach(others[1])
        return prepare(*given)

    monkeypatch.setattr(Memoir, "prepare", slow)
    editor = make_editor(k=16, **EASY)
    assert editor.method.config.k == 8
    assert same(state(editor), state(others[1]))


def test_a_store_is_not_opened_with_another_model(make_editor: MakeEditor, tmp_path: Path) -> None:
    make_editor(**EASY).close()
    other = Host(tiny.model("llama", seed=1), tiny.tokenizer(), 2, name="other")
    untouched = other.logits(other.batch([other.encode("x")]))
    store = Store(tmp_path / "store")
    with pytest.raises(WrongModel) as refused:
        Editor(other, store)
    message = str(refused.value)
    assert f"the store {store.folder} was made for tiny in float32 (weights " in message
    assert "but this is other in float32 (weights " in message
    assert message.endswith("Open it with that model, or make a new store for this one.")
    assert torch.equal(other.logits(other.batch([other.encode("x")])), untouched)
    store.close()


def test_a_damaged_edit_is_named_and_the_others_stay_in_force(make_editor: MakeEditor) -> None:
    editor = make_editor(**EASY)
    unedited = state(editor)
    receipts = teach(editor)
    edited = state(editor)
    path = unfitted.file(editor.store, editor.log()[1].row)
    editor.close()
    path.write_bytes(path.read_bytes()[:-1])

    with pytest.warns(UserWarning, match="1 of the edits in .* cannot be used; the others") as seen:
        again = make_editor()
    assert str(path) in str(seen[0].message)
    assert list(again.damaged) == [receipts[1].id]
    assert "was truncated or altered" in again.damaged[receipts[1].id]
    assert [entry.status for entry in again.log()] == ["live", "damaged", "live"]
    after = state(again)
    assert torch.equal(after[0], edited[0])
    assert torch.equal(after[2], edited[2])
    assert torch.equal(after[1], unedited[1])

    again.revert(receipts[1].id)  # a damaged edit can be taken back, and opening is quiet again
    assert again.damaged == {}
    again.close()
    assert same(state(make_editor()), after)


def test_an_altered_value_is_an_error_where_its_edit_fires_and_nowhere_else(
    make_editor: MakeEditor,
) -> None:
    editor = make_editor(**EASY)
    receipts = teach(editor)
    edited = state(editor)
    path = unfitted.file(editor.store, editor.log()[1].row)
    editor.close()
    content = bytearray(path.read_bytes())
    length = int.from_bytes(content[:8], "little")
    values = json.loads(content[8 : 8 + length])["coefficients"]
    content[8 + length + values["data_offsets"][0]] ^= 1
    path.write_bytes(content)

    again = make_editor()  # opening reads keys only
    assert torch.equal(logits(again, PROMPTS[0]), edited[0])
    with pytest.raises(StoreDamaged) as refused:
        again.ask(PROMPTS[1])
    assert str(refused.value) == f"{path} was altered: 'coefficients' is not what was written."
    again.revert(receipts[1].id)
    match = again.ask(PROMPTS[1]).match
    assert match is None or match.edit_id != receipts[1].id


# ---------------------------------------------------------------------- refusals of edits


def test_refused_edits_are_returned_in_place_and_write_nothing(make_editor: MakeEditor) -> None:
    editor = make_editor(max_steps=1)
    before, rows = state(editor), editor.store.log.rows()
    told: list[object] = []
    results = editor.edit_many(FACTS, on_done=told.append)
    assert [type(result) for result in results] == [NotConverged] * 3
    assert told == results
    for fact, result in zip(FACTS, results, strict=True):
        assert isinstance(result, EditRefused)
        assert str(result).startswith(
            f"after 2 steps the model still does not say '{fact.prompt}' → '{fact.target}' (loss "
        )
        assert "nothing was written. Allow more steps (max_steps)" in str(result)
        assert len(result.losses) == 3  # of the second trial, with twice the steps
    assert same(state(editor), before)
    assert editor.store.log.rows() == rows
    assert len(editor) == 0


def test_a_refused_edit_is_raised_when_it_is_the_only_one(make_editor: MakeEditor) -> None:
    editor = make_editor(max_steps=1)
    with pytest.raises(NotConverged, match="the model still does not say"):
        editor.edit("The CEO of Acme is", "Dana")


@pytest.mark.parametrize("batch_size", [1, 16])
def test_a_refused_edit_stops_none_of_the_others(
    make_editor: MakeEditor, monkeypatch: pytest.MonkeyPatch, batch_size: int
) -> None:
    editor = make_editor(batch_size=batch_size, **EASY)
    spoil(monkeypatch, editor, "#")
    first, second, third = editor.edit_many([FACTS[0], Edit("Number # is", "nine"), FACTS[2]])
    assert isinstance(first, Receipt)
    assert isinstance(second, LossNotFinite)
    assert isinstance(third, Receipt)
    for fact in (FACTS[0], FACTS[2]):
        assert editor.ask(fact.prompt).text.startswith(fact.target)
    assert [entry.row.id for entry in editor.log()] == [first.id, third.id]


def test_a_loss_that_is_not_finite_is_refused_and_changes_nothing(
    make_editor: MakeEditor, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor = make_editor(**EASY)
    teach(editor)
    before, rows = state(editor), editor.store.log.rows()
    spoil(monkeypatch, editor, "#")
    with pytest.raises(LossNotFinite) as refused:
        editor.edit("Number # is", "nine")
    assert str(refused.value) == (
        "the loss of 'Number # is' → 'nine' is nan after 0 steps (loss nan); nothing was written. "
        "Lower the learning rate, or load the model in float32."
    )
    assert same(state(editor), before)
    assert editor.store.log.rows() == rows


def test_an_edit_that_cannot_be_written_changes_nothing(
    make_editor: MakeEditor, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor = make_editor(**EASY)
    teach(editor)
    before = state(editor)

    def refuse(*_args: object) -> None:
        raise StoreFull("no space")

    with monkeypatch.context() as patch:
        patch.setattr(editor.store.log, "append", refuse)
        with pytest.raises(StoreFull):
            editor.edit("One more fact is", "true")
    assert same(state(editor), before)
    assert len(editor) == 3
    editor.edit("One more fact is", "true")
    assert len(editor) == 4


# ---------------------------------------------------------------------- inputs


@pytest.mark.parametrize(
    ("prompt", "target", "message"),
    [
        ("", "Dana", "the prompt is empty (''); give it at least one word."),
        (" \n", "Dana", "the prompt is empty (' \\n'); give it at least one word."),
        ("The CEO is", "", "the target is empty (''); give it at least one word."),
        ("The CEO is", "  ", "the target is empty ('  '); give it at least one word."),
    ],
)
def test_empty_text_is_refused_in_words(
    make_editor: MakeEditor, prompt: str, target: str, message: str
) -> None:
    with pytest.raises(BadInput) as refused:
        make_editor(**EASY).edit(prompt, target)
    assert str(refused.value) == message


def test_one_bad_input_is_refused_before_anything_is_fitted(make_editor: MakeEditor) -> None:
    editor = make_editor(batch_size=1, **EASY)
    rows = editor.store.log.rows()
    with pytest.raises(BadInput, match="the target is empty"):
        editor.edit_many([*FACTS, Edit("The last one is", "")])
    assert editor.store.log.rows() == rows


def test_a_prompt_beyond_the_window_is_refused_with_the_numbers(make_editor: MakeEditor) -> None:
    editor = make_editor(**EASY)
    with pytest.raises(PromptTooLong) as refused:
        editor.edit("a" * 254, "red")
    assert str(refused.value) == (
        "prompt and target take 258 tokens (254 + 4), but tiny reads at most 256; "
        "shorten the prompt."
    )
    with pytest.raises(PromptTooLong, match="take 257 tokens"):
        editor.ask("a" * 257)


@pytest.mark.parametrize("chat", [False, True])
def test_an_empty_question_is_refused(make_editor: MakeEditor, chat: bool) -> None:
    with pytest.raises(BadInput, match="the prompt is empty"):
        make_editor(**EASY).ask(" ", chat=chat)


def test_no_questions_have_no_answers(make_editor: MakeEditor) -> None:
    editor = make_editor(**EASY)
    assert editor.ask_many([]) == []
    assert editor.edit_many([]) == []


def test_a_prompt_and_a_target_that_just_fit_the_window_are_taken(make_editor: MakeEditor) -> None:
    editor = make_editor(max_steps=2, accept_unsaid=True)
    editor.edit("a" * 252, "red")  # with the space before the target: 256 tokens
    assert len(editor) == 1


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"method": "memior"},
            r"no method 'memior'\. Did you mean 'memoir'\? Available: .*memoir",
        ),
        (
            {"preset": "fathful"},
            r"no preset 'fathful'\. Did you mean 'faithful'\? Available: .*default.*faithful",
        ),
        (
            {"settings": {"max_step": 3}},
            r"no setting of memoir 'max_step'\. Did you mean 'max_steps'\? Available: .*batch_size",
        ),
    ],
)
@pytest.mark.parametrize("stored", [True, False])
def test_a_mistyped_name_is_met_with_the_nearest(
    tmp_path: Path, given: dict[str, object], message: str, stored: bool
) -> None:
    folder = tmp_path / "store" if stored else None
    with pytest.raises(UnknownName, match=message):
        Editor.open("no-model-is-loaded", folder, **given)  # type: ignore[arg-type]
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize("missing", ["tokenizer.json", "model.safetensors", "config.json"])
def test_a_checkpoint_that_cannot_be_loaded_is_named_and_makes_no_store(
    tmp_path: Path, missing: str
) -> None:
    folder = tiny.save(tmp_path / "model")
    (folder / missing).unlink()
    with pytest.raises(ModelUnavailable) as refused:
        Editor.open(str(folder), tmp_path / "store")
    assert str(folder) in str(refused.value)
    assert not (tmp_path / "store").exists()


# ---------------------------------------------------------------------- routed by meaning

MEANING = {"router": "meaning", "contexts": "conversations", "threshold": None, **EASY}


def test_by_meaning_an_edit_answers_bare_in_chat_and_behind_a_text(make_editor: MakeEditor) -> None:
    editor = make_editor(**MEANING)
    receipts = teach(editor)
    fact = FACTS[0]
    for answer in (
        editor.ask(fact.prompt, max_new_tokens=5),
        editor.ask(fact.prompt, chat=True, max_new_tokens=5),
        editor.ask(fact.prompt, system="Be brief.", max_new_tokens=5),
        editor.ask(f"Nobody knows who. {fact.prompt}", max_new_tokens=5),
    ):
        assert answer.match is not None
        assert (answer.match.edit_id, answer.match.score) == (receipts[0].id, 1.0)
        assert answer.match.evidence == {"same_prompt": True}
    assert editor.ask(fact.prompt, chat=True, max_new_tokens=5).text.startswith(fact.target)


def test_phrasings_and_aliases_are_kept_and_ask_for_the_edit_too(make_editor: MakeEditor) -> None:
    editor = make_editor(**MEANING)
    given = {"phrasings": ["Acme's CEO is called"], "aliases": ["ACME Corp"]}
    receipt = editor.edit("The CEO of Acme is", "Dana", "Acme", **given)
    edit = Edit("The CEO of Acme is", "Dana", "Acme", ("Acme's CEO is called",), ("ACME Corp",))
    editor.close()
    again = make_editor()
    (entry,) = again.log()
    assert receipt.edit == entry.edit == edit
    answer = again.ask("Acme's CEO is called", max_new_tokens=5)
    assert answer.match is not None
    assert (answer.match.edit_id, answer.match.fired) == (receipt.id, True)


def test_by_meaning_a_store_opened_again_gives_the_same_bits(make_editor: MakeEditor) -> None:
    editor = make_editor(**MEANING)
    unedited = state(editor)
    receipts = teach(editor)
    editor.revert(receipts[1].id)
    expected = state(editor)
    assert torch.equal(expected[1], unedited[1])
    assert not torch.equal(expected[0], unedited[0])
    editor.close()
    again = make_editor()
    assert same(state(again), expected)
    assert again.method.config == editor.method.config
    for receipt in (receipts[2], receipts[0]):
        again.revert(receipt.id)
    assert same(state(again), unedited)


def test_by_meaning_embeddings_are_refused_while_edits_are_in_force(
    make_editor: MakeEditor,
) -> None:
    given = {"inputs_embeds": torch.randn(1, 4, 32, generator=torch.Generator().manual_seed(0))}
    editor = make_editor(**MEANING)
    plain = editor.model(**given).logits
    receipt = editor.edit(FACTS[0].prompt, FACTS[0].target)
    with pytest.raises(BadInput, match="was given inputs_embeds; give it input_ids, or use the ro"):
        editor.model(**given)
    with editor.edits_in_force(False):
        assert torch.equal(editor.model(**given).logits, plain)
    editor.revert(receipt.id)
    assert torch.equal(editor.model(**given).logits, plain)


def test_a_store_routed_by_meaning_is_not_calibrated(make_editor: MakeEditor) -> None:
    editor = make_editor(**MEANING)
    rows = editor.store.log.rows()
    with pytest.raises(StoreError, match="this store's router goes by meaning: it was fitted to"):
        editor.calibrate()
    assert editor.store.log.rows() == rows


# ---------------------------------------------------------------------- calibrating


def test_an_empty_store_can_be_calibrated_for_another_layer(make_editor: MakeEditor) -> None:
    editor = make_editor(**EASY)
    evidence = editor.calibrate(layers=[1, 3], ks=[8, 16])
    assert len(evidence["settings"]) == 4
    assert evidence["chosen"] in evidence["settings"]
    config = editor.method.config
    chosen = evidence["chosen"]
    assert (config.layer, config.k, config.threshold) == (
        chosen["layer"],
        chosen["k"],
        chosen["threshold"],
    )
    assert editor.host.site.layer == chosen["layer"] in (1, 3)
    editor.close()
    again = make_editor()
    assert again.method.config == config


def test_layer_and_k_are_fixed_once_edits_are_in_force(make_editor: MakeEditor) -> None:
    editor = make_editor(**EASY)
    teach(editor)
    before, rows = state(editor), editor.store.log.rows()
    for candidates in ({"layers": [1]}, {"layers": [2, 3]}, {"ks": [8]}):
        with pytest.raises(StoreError) as refused:
            editor.calibrate(**candidates)
        assert str(refused.value) == (
            "3 edits are in force, made at layer 2 with k = 18; only the threshold can be "
            "calibrated again. Calibrate layer and k in a new store, before its first edit."
        )
    assert same(state(editor), before)
    assert editor.store.log.rows() == rows


def test_the_threshold_can_be_calibrated_with_edits_in_force(make_editor: MakeEditor) -> None:
    editor = make_editor(**EASY)
    teach(editor)
    before = [logits(editor, fact.prompt) for fact in FACTS]
    evidence = editor.calibrate(false_fire_rate=0.2)
    assert editor.method.config.threshold == evidence["chosen"]["threshold"]
    assert len(editor) == 3
    assert same([logits(editor, fact.prompt) for fact in FACTS], before)


def test_another_editor_follows_a_calibration(make_editor: MakeEditor) -> None:
    one, two = make_editor(**EASY), make_editor()
    one.calibrate(layers=[1])
    two.edit(FACTS[0].prompt, FACTS[0].target)
    assert two.host.site.layer == 1
    one.refresh()
    assert same(state(one), state(two))


def test_a_calibration_that_cannot_be_written_changes_nothing(
    make_editor: MakeEditor, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor = make_editor(**EASY)
    config = editor.method.config

    def refuse(*_args: object) -> None:
        raise StoreFull("no space")

    with monkeypatch.context() as patch:
        patch.setattr(editor.store.log, "append", refuse)
        with pytest.raises(StoreFull):
            editor.calibrate(layers=[1])
    assert editor.method.config == config
    assert editor.host.site.layer == config.layer == 2


@pytest.mark.parametrize("k", [0, 65])
def test_a_k_the_layer_cannot_have_is_refused_in_words(make_editor: MakeEditor, k: int) -> None:
    with pytest.raises(BadInput, match=rf"k must lie in 1..64 .*, not {k}"):
        make_editor(**EASY).calibrate(ks=[k])


def test_a_layer_the_model_does_not_have_is_refused_in_words(make_editor: MakeEditor) -> None:
    with pytest.raises(UnknownName, match=r"no layer 4: this \w+ has layers 0 to 3"):
        make_editor(**EASY).calibrate(layers=[4])
