"""Asking in batches, from one prefill, gives what asking alone gives."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch

import tiny
from memoir.bench.asking import Asker, batches
from memoir.bench.cache import UneditedCache
from memoir.editor import Editor
from memoir.host import Host
from memoir.host.answering import Answered, answer
from memoir.host.tokens import Encoded
from memoir.metrics.base import Compare, Force, Say
from memoir.surroundings import SETTINGS, conversation

PROMPTS = ["a", "The tower of", "Who is the mayor of Springfield?", "x y z x y z x y z x y z x"]
BOTH = (False, True)
TARGETS = ["b", "Bruges and", " no", "forty two kites"]


@pytest.fixture
def editor(make_editor: Callable[..., Editor]) -> Editor:
    made = make_editor()
    made.host.model.config.max_position_embeddings = 8192  # a document has a token for every byte
    made.edit(PROMPTS[1], "glass", None)
    return made


@pytest.fixture
def asker(editor: Editor, tmp_path: Path) -> Iterator[Asker]:
    cache = UneditedCache(tmp_path / "unedited.sqlite", editor.host.identity())
    yield Asker(editor, cache)
    cache.close()


@pytest.mark.parametrize("family", sorted(tiny.CONFIGS))
def test_one_prefill_serves_generation_and_several_answers(family: str) -> None:
    """Also where a sliding window has moved on and the cache cannot go back."""
    host = Host(tiny.model(family), tiny.tokenizer(), 2)
    prompts = [host.encode(prompt) for prompt in PROMPTS]
    targets = [[host.encode(p, t).target for t in TARGETS[: i + 1]] for i, p in enumerate(PROMPTS)]
    together = answer(host, prompts, targets, 9)
    for prompt, row, each, wanted in zip(PROMPTS, prompts, together, targets, strict=True):
        assert each.continuation == host.generate([row], 9)[0]
        assert len(each.scores) == len(wanted)
        for target, score in zip(wanted, each.scores, strict=True):
            logits = host.model(torch.tensor([[*row.prompt, *target]])).logits[0]
            expected = logits[len(row.prompt) - 1 : -1].log_softmax(-1)
            nll = -expected.gather(1, torch.tensor(target).unsqueeze(1)).mean()
            assert score.loss == pytest.approx(float(nll), rel=1e-3), prompt
            assert score.predicted == tuple(expected.argmax(-1).tolist())


def test_answers_are_those_of_the_editor(editor: Editor, asker: Asker) -> None:
    places = [(p, setting) for p in PROMPTS for setting in SETTINGS if setting != "document"]
    places.append((PROMPTS[2], "document"))  # thousands of tokens: one will do
    says = [Say(p, 7, "edit", setting, edits) for p, setting in places for edits in BOTH]
    forces = [Force(p, t, edits) for p in PROMPTS for t in TARGETS[:2] for edits in BOTH]
    said = asker.ask([*says, *forces])
    for say in says:
        put = conversation(say.setting, say.prompt)
        alone = editor.ask(put, max_new_tokens=7, edits=say.edits)
        assert said[say].text == alone.text
        if say.edits:
            assert said[say].match == alone.match
    for force in forces:
        (alone,) = editor.score_many([(force.prompt, force.target)], edits=force.edits)
        assert said[force].predicted == alone.predicted
        assert said[force].loss == pytest.approx(alone.loss, rel=1e-4)


def test_answer_tokens_do_not_decide_what_fires(editor: Editor, asker: Asker) -> None:
    """The same prompt with other answers fed gives the same verdict as the prompt alone."""
    force = Force(PROMPTS[1], "glass")
    assert all(asker.ask([force])[force].correct)
    longer = Force(PROMPTS[1], "x " * 40)
    said = asker.ask([longer, Say(PROMPTS[1], 3, "edit")])
    assert said[Say(PROMPTS[1], 3, "edit")].match.fired


def test_what_no_edit_is_about_is_not_asked_twice(
    editor: Editor, asker: Asker, monkeypatch: pytest.MonkeyPatch
) -> None:
    asks = [Say(p, 5, "edit", edits=e) for p in PROMPTS for e in BOTH]
    asks += [Force(p, TARGETS[0]) for p in PROMPTS]
    before = asker.ask(asks)
    verdict = {
        tuple(editor.host.encode(p).prompt): before[Say(p, 5, "edit")].match for p in PROMPTS
    }
    assert {match.fired for match in verdict.values()} == {True, False}
    method = editor.method
    monkeypatch.setattr(
        method, "foresee", lambda rows: [verdict[tuple(row.prompt)] for row in rows]
    )
    edited: list[int] = []

    def counting(host: Host, prompts: list[Encoded], *rest: object) -> list[Answered]:
        if not method.attachment._paused.get():
            edited.extend(len(row.prompt) for row in prompts)
        return answer(host, prompts, *rest)

    monkeypatch.setattr("memoir.bench.asking.answer", counting)
    after = asker.ask(asks)
    for ask in asks:
        if isinstance(ask, Say):
            assert after[ask] == before[ask]
        else:  # in another batch its last bits are others
            assert after[ask].predicted == before[ask].predicted
            assert after[ask].loss == pytest.approx(before[ask].loss, rel=1e-4)
    assert len(edited) == sum(match.fired for match in verdict.values())


def test_a_shorter_text_is_the_beginning_of_a_longer_one(asker: Asker) -> None:
    long, short = Say(PROMPTS[2], 9, "edit"), Say(PROMPTS[2], 2, "edit")
    said = asker.ask([long, short])
    assert said[short].text == asker.ask([short])[short].text
    assert said[long].text == asker.ask([long])[long].text


def test_texts_are_compared_side_by_side(editor: Editor, asker: Asker) -> None:
    calm, moved = Compare(PROMPTS[3], "and more"), Compare(PROMPTS[1], "stone and")
    said = asker.ask([calm, moved])
    assert said[calm].kl == 0.0
    assert said[calm].nll == said[calm].unedited_nll
    assert not said[calm].match.fired
    assert said[moved].match.fired
    assert said[moved].kl > 0.01
    (alone,) = editor.score_many([(PROMPTS[1], "stone and")])
    assert said[moved].nll == pytest.approx(alone.loss, rel=1e-4)


def test_the_unedited_model_is_asked_once(asker: Asker, monkeypatch: pytest.MonkeyPatch) -> None:
    asks = [Say("hello", 4, "locality", edits=False), Force("hello", "you", edits=False)]
    first = asker.ask(asks)
    monkeypatch.setattr("memoir.bench.asking.answer", None)
    again = asker.ask(asks)
    assert [again[ask] for ask in asks] == [first[ask] for ask in asks]


def test_batches_keep_to_their_bound_and_lose_nothing() -> None:
    lengths = [5, 1, 9, 30, 2, 2, 8]
    made = list(batches(lengths, lambda n: n, 16))
    assert sorted(n for batch in made for n in batch) == sorted(lengths)
    assert all(max(batch) * len(batch) <= 16 or len(batch) == 1 for batch in made)
