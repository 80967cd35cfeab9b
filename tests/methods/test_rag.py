"""Retrieval: the best edit is found, and the model reads its sentence as if it stood in the prompt."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import bm25s
import pytest
import torch

import tiny
from memoir.calibration import Background
from memoir.editor import Editor
from memoir.errors import BadInput, EditRefused
from memoir.host import Host
from memoir.host.answering import answer
from memoir.host.tokens import Encoded
from memoir.methods.rag import Rag, RagConfig
from memoir.metrics.text import contains
from memoir.routing.retrieval import ByWords, Shelf, just_above, terms
from memoir.store import Store
from memoir.types import Edit, Match

EDITS = [
    Edit("The code of the north door is", "xyz"),
    Edit("Who keeps the bees?", "Ada"),
    Edit("In the long winter the smith of Orm makes", "iron keys"),
]
SENTENCES = [f"{edit.prompt} {edit.target}\n" for edit in EDITS]
UNRELATED = "12 + 30 ="
PROMPTS = [*(edit.prompt for edit in EDITS), UNRELATED]
REWRITTEN = [*(SENTENCES[i] + EDITS[i].prompt for i in range(3)), UNRELATED]
NEW = 8


def bound(host: Host, **settings: object) -> Rag:
    host.model.generation_config.eos_token_id = None  # random weights would end at random
    method = Rag(host, Rag.prepare(host, replace(RagConfig(), **settings)))  # type: ignore[arg-type]
    for i, change in enumerate(method.fit(EDITS)):
        assert not isinstance(change, EditRefused)
        method.apply(str(i), change.edit, change.tensors)
    return method


@pytest.fixture
def method(host: Host, few_background: Background) -> Iterator[Rag]:
    made = bound(host)
    yield made
    made.close()


@pytest.fixture(params=["words", "activations"])
def either(request: pytest.FixtureRequest, host: Host, few_background: Background) -> Iterator[Rag]:
    """With activations, the model runs within its own pass; random weights know an own prompt."""
    own = {"threshold": 0.99} if request.param == "activations" else {}
    made = bound(host, similarity=request.param, **own)
    yield made
    made.close()


def plain(host: Host, texts: list[str], method: Rag, **options: object) -> list[list[int]]:
    """What the model itself generates after texts, one by one."""
    found = []
    with method.attachment.paused():
        for text in texts:
            given = host.tokenizer(text, return_tensors="pt")
            output = host.model.generate(**given, max_new_tokens=NEW, **options)
            found.append(output[0, given["input_ids"].shape[1] :].tolist())
    return found


def generated(host: Host, texts: list[str], side: str, **options: object) -> list[list[int]]:
    given = host.tokenizer(texts, return_tensors="pt", padding=True, padding_side=side)
    output = host.model.generate(**given, max_new_tokens=NEW, **options)
    assert torch.equal(output[:, : given["input_ids"].shape[1]], given["input_ids"])
    return output[:, given["input_ids"].shape[1] :].tolist()


@pytest.mark.parametrize("family", sorted(tiny.CONFIGS))
def test_logits_are_those_of_the_text_with_the_sentence(
    family: str, few_background: Background
) -> None:
    host = Host(tiny.model(family), tiny.tokenizer(), 2)
    method = bound(host)
    tokens = host.batch([host.encode(prompt) for prompt in PROMPTS])
    with method.attachment.scope() as scope:
        logits = host.logits(tokens)
    assert [match.edit_id for match in method.verdicts(scope.route) if match.fired] == list("012")
    for row, text in enumerate(REWRITTEN):
        own = int(tokens.attention[row].sum())
        with method.attachment.paused():
            expected = host.logits(host.batch([host.encode(text)]))[0, -own:]
        torch.testing.assert_close(logits[row, -own:], expected, atol=2e-3, rtol=1e-3)


@pytest.mark.parametrize(
    "options",
    [
        {"do_sample": False},
        {"do_sample": False, "use_cache": False},
        {"do_sample": False, "num_beams": 3},
    ],
    ids=["greedy", "without a cache", "beams"],
)
@pytest.mark.parametrize("side", ["left", "right"])
def test_it_generates_what_follows_the_rewritten_prompt(
    either: Rag, host: Host, options: dict[str, object], side: str
) -> None:
    expected = plain(host, REWRITTEN, either, **options)
    # Right padding ends all but the longest prompt in padding, also in transformers itself.
    texts = PROMPTS if side == "left" else [PROMPTS[2]]
    expected = expected if side == "left" else [expected[2]]
    assert generated(host, texts, side, **options) == expected
    assert expected != plain(host, texts, either, **options)


def test_it_samples_what_follows_the_rewritten_prompt(either: Rag, host: Host) -> None:
    options = {"do_sample": True, "temperature": 0.5}
    torch.manual_seed(0)
    expected = plain(host, [REWRITTEN[0]], either, **options)
    torch.manual_seed(0)
    assert generated(host, [PROMPTS[0]], "left", **options) == expected


def test_answers_fed_behind_a_cached_prompt_score_as_in_one_pass(either: Rag, host: Host) -> None:
    """The benchmark's way: generate, cut the cache back to the prompt, feed each answer."""
    rows = [host.encode(prompt) for prompt in PROMPTS]
    targets = [list(host.encode("a", text).target) for text in ("xyz", "Ada", "no", "42 and")]
    with either.attachment.scope():
        found = answer(host, rows, [[target, target[::-1]] for target in targets], NEW)
    with either.attachment.paused():
        behind = [host.encode(text) for text in REWRITTEN]
        for given, target, each in zip(behind, targets, found, strict=True):
            (alone,) = answer(host, [given], [[target, target[::-1]]], NEW)
            assert each.continuation == alone.continuation
            for one, other in zip(each.scores, alone.scores, strict=True):
                assert one.loss == pytest.approx(other.loss, abs=1e-3)
                assert one.predicted == other.predicted


def test_teacher_forcing_in_one_pass_inserts_before_the_prompt(either: Rag, host: Host) -> None:
    rows = [host.encode(edit.prompt, edit.target) for edit in EDITS]
    tokens = host.batch(rows)
    with either.attachment.scope([len(row.prompt) for row in rows]) as scope:
        logits = host.logits(tokens, tokens.longest_answer + 1)
    assert all(match.score == 1.0 for match in either.verdicts(scope.route))
    for i, row in enumerate(rows):
        with either.attachment.paused():
            text = host.encode(SENTENCES[i] + EDITS[i].prompt).ids + list(row.target)
            expected = host.logits(host.batch([Encoded(text)]), len(row.target) + 1)[0]
        torch.testing.assert_close(logits[i, -len(expected) :], expected, atol=2e-3, rtol=1e-3)


def test_a_loop_of_ones_own_and_a_new_turn_see_the_lengths_they_expect(
    method: Rag, host: Host
) -> None:
    model, (expected,) = host.model, plain(host, [REWRITTEN[0]], method, do_sample=False)
    ids = host.tokenizer(PROMPTS[0], return_tensors="pt")["input_ids"]
    tokens, cache, found = ids, None, []
    for step in range(NEW):
        output = model(tokens, past_key_values=cache, use_cache=True)
        cache = output.past_key_values
        assert cache.get_seq_length() == ids.shape[1] + step
        assert output.logits.shape[1] == tokens.shape[1]
        tokens = output.logits[:, -1:].argmax(-1)
        found.append(int(tokens))
    assert found == expected
    more = host.tokenizer(". " + PROMPTS[1], return_tensors="pt")["input_ids"]
    seen = torch.cat([ids, torch.tensor([found]), more], dim=1)
    output = model.generate(
        seen,
        attention_mask=torch.ones_like(seen),
        past_key_values=cache,
        max_new_tokens=NEW,
        do_sample=False,
    )
    last = torch.tensor([found[-1:]])
    first = host.tokenizer(REWRITTEN[0], return_tensors="pt")["input_ids"]
    inserted = host.tokenizer(SENTENCES[1], return_tensors="pt")["input_ids"]
    whole = torch.cat([first, torch.tensor([found[:-1]]), inserted, last, more], dim=1)
    with method.attachment.paused():
        naive = model.generate(
            whole, attention_mask=torch.ones_like(whole), max_new_tokens=NEW, do_sample=False
        )
    assert output[0, seen.shape[1] :].tolist() == naive[0, whole.shape[1] :].tolist()


def test_in_a_conversation_the_sentence_stands_in_the_last_users_turn(
    method: Rag, host: Host
) -> None:
    messages = [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Hello!"},
        {"role": "user", "content": EDITS[1].prompt},
    ]
    asked = host.encode_chat(messages)
    messages[-1]["content"] = SENTENCES[1] + EDITS[1].prompt
    expected = host.encode_chat(messages)
    with method.attachment.scope() as scope:
        logits = host.logits(host.batch([asked]), keep=1)
    (match,) = method.verdicts(scope.route)
    assert match.edit_id == "1"
    assert match.fired
    with method.attachment.paused():
        torch.testing.assert_close(
            logits, host.logits(host.batch([expected]), keep=1), atol=2e-3, rtol=1e-3
        )


def test_alone_a_prompt_without_an_edit_keeps_every_bit(either: Rag, host: Host) -> None:
    tokens = host.batch([host.encode(UNRELATED)])
    with either.attachment.paused():
        before = host.logits(tokens)
    assert torch.equal(host.logits(tokens), before)


def test_always_uses_the_best_edit_whatever_its_score(
    host: Host, few_background: Background
) -> None:
    method = bound(host, threshold=0.0)
    (match,) = method.foresee([host.encode("the bees, again")]) or []
    assert match.edit_id == "1"
    assert match.fired
    for id in "012":
        method.remove(id)
    assert method.foresee([host.encode("the bees, again")]) == [Match(None, 0.0, 0.0)]


def test_words_rank_as_the_library_does_and_score_as_a_share() -> None:
    texts = [
        "the river by the old mill",
        "the old mill of the miller",
        "a mill wheel",
        "the sea at night",
    ]
    background = ["what is the sea", "who is the miller of the town"]
    question = "who was the miller at the old mill"
    index = bm25s.BM25()
    index.index([text.split() for text in [*texts, *background]], show_progress=False)
    expected = index.get_scores(sorted(set(question.split())))[: len(texts)]
    own = [index.get_scores(sorted(set(text.split())))[i] for i, text in enumerate(texts)]
    similarity = ByWords(background)
    (found,) = similarity.scores([question], texts, similarity.key(texts))
    torch.testing.assert_close(found * torch.tensor(own), torch.tensor(expected))
    (whole,) = similarity.scores([texts[1]], texts, similarity.key(texts))
    assert float(whole[1]) == pytest.approx(1.0)
    shelf = Shelf(similarity)
    for id, text in enumerate(texts):
        shelf.add(str(id), [text], similarity.key([text]))
    (best,) = shelf.best([question])
    assert best.id == str(int((torch.tensor(expected) / torch.tensor(own)).argmax()))
    assert terms("Köln, N° 7!") == ["koln", "n", "7"]


def test_of_two_edits_of_one_prompt_the_later_is_used(method: Rag, host: Host) -> None:
    newer = Edit(EDITS[1].prompt, "Bo")
    (change,) = method.fit([newer])
    assert not isinstance(change, EditRefused)
    method.apply("newer", newer, change.tensors)
    (match,) = method.foresee([host.encode(newer.prompt)]) or []
    assert match.edit_id == "newer"


def test_a_threshold_is_reached_by_no_more_than_the_stated_share() -> None:
    scores = torch.linspace(0, 0.99, 100)
    for rate in (0.0, 0.01, 0.1):
        threshold = just_above(scores, rate)
        assert float((scores >= threshold).float().mean()) == pytest.approx(rate)


def test_a_template_that_makes_no_sentence_is_explained(host: Host) -> None:
    for template in ("{prompt}", "{prompt} {target} {subject}", "{prompt"):
        with pytest.raises(BadInput, match=r"must hold \{prompt\} and \{target\}, and no other"):
            Rag.prepare(host, RagConfig(template=template))


def test_an_edit_without_room_is_refused_and_a_question_without_room_left_alone(
    method: Rag, host: Host
) -> None:
    long = Edit("word " * 30, "end")
    (refused,) = method.fit([long])
    assert isinstance(refused, EditRefused)
    assert "reads at most 256; nothing was written. Shorten the prompt" in str(refused)
    (match,) = method.foresee([host.encode(EDITS[1].prompt + " Who?" * 45)]) or []
    assert match.edit_id is None
    assert match.evidence == {"no room for": "1"}


def test_a_cache_of_fixed_length_is_refused(method: Rag, host: Host) -> None:
    with pytest.raises(BadInput, match="generate with the default, dynamic cache"):
        generated(host, [PROMPTS[0]], "left", do_sample=False, cache_implementation="static")


@pytest.mark.slow
def test_the_default_model_says_what_was_retrieved(smollm2: Host, tmp_path: Path) -> None:
    lines = (files("memoir") / "resources" / "demo_facts.jsonl").read_text("utf-8").splitlines()
    facts = [json.loads(line) for line in lines[:6]]
    edits = [Edit(fact["prompt"], fact["target"]) for fact in facts]
    with Editor(smollm2, Store.create(tmp_path / "rag"), "rag", RagConfig()) as editor:
        editor.edit_many(edits)
        texts = [answer.text for answer in editor.ask_many([edit.prompt for edit in edits])]
    said = [contains(text, edit.target) for text, edit in zip(texts, edits, strict=True)]
    assert sum(said) >= 3, texts  # a small model does not believe all it reads
