"""What follows a target is measured as a loop of plain passes would, beside the unedited model."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path

import pytest
import torch

from memoir.bench.asking import Asker
from memoir.bench.cache import UneditedCache
from memoir.bench.going_on import FEWEST, LATER, repetition
from memoir.editor import Editor
from memoir.host.tokens import Encoded
from memoir.metrics.base import GoOn, Say, WentOn
from memoir.surroundings import conversation

TAUGHT = "Who painted"
ASK = GoOn(TAUGHT, "glass", 40, "edit")


@pytest.fixture
def editor(make_editor: Callable[..., Editor]) -> Editor:
    made = make_editor()
    made.host.model.config.max_position_embeddings = 8192
    made.edit(TAUGHT, "glass", None)
    return made


@pytest.fixture
def asker(editor: Editor, tmp_path: Path) -> Iterator[Asker]:
    cache = UneditedCache(tmp_path / "unedited.sqlite", editor.host.identity())
    yield Asker(editor, cache)
    cache.close()


def said_of(editor: Editor, ask: GoOn) -> tuple[Encoded, list[int]]:
    """The prompt in its setting, and what the edited model says after it, asked alone."""
    put = conversation(ask.setting, ask.prompt)
    host = editor.host
    row = host.encode(put) if isinstance(put, str) else host.encode_chat(put)
    return row, host.generate([row], ask.tokens)[0]


def by_hand(editor: Editor, ask: GoOn) -> WentOn:
    """One text alone, no batch, no cache, the unedited model token by token."""
    row, said = said_of(editor, ask)
    end = 0
    while ask.target.casefold() not in editor.host.decode(said[:end]).casefold():
        end += 1
    room = min(LATER, ask.tokens - end)
    start, rest = [*row.prompt, *said[:end]], said[end : end + room]
    with editor.edits_in_force(False):
        own: list[int] = []
        while len(own) < room:
            best = int(editor.host.model(torch.tensor([start + own])).logits[0, -1].argmax())
            if best in editor.host.end_ids:
                break
            own.append(best)
        nlls = [surprise(editor, start, each) for each in (rest, own)]
    return WentOn(editor.host.decode(said), repeated(rest), repeated(own), *nlls, said=True)


def surprise(editor: Editor, start: list[int], ids: list[int]) -> float | None:
    if not ids:
        return None
    logits = editor.host.model(torch.tensor([start + ids])).logits[0, len(start) - 1 : -1]
    return float(torch.nn.functional.cross_entropy(logits, torch.tensor(ids)))


def repeated(ids: list[int]) -> float | None:
    seen, again = set(), 0
    for bigram in pairwise(ids):
        again += bigram in seen
        seen.add(bigram)
    return again / (len(ids) - 1) if len(ids) >= FEWEST else None


def the_same(found: WentOn, wanted: WentOn) -> None:
    assert (found.text, found.said) == (wanted.text, wanted.said)
    for name in ("repetition", "unedited_repetition", "nll", "unedited_nll"):
        expected = getattr(wanted, name)
        assert getattr(found, name) == (expected and pytest.approx(expected, rel=1e-3)), name


@pytest.mark.parametrize(
    ("ids", "share"),
    [
        ([], None),
        ([1, 2, 1, 2], None),
        ([1, 2, 3, 4, 5], 0.0),
        ([1, 2, 1, 2, 1], 0.5),
        ([7, 7, 7, 7, 7], 0.75),
    ],
)
def test_repetition_is_the_share_of_bigrams_that_occurred_before(
    ids: list[int], share: float | None
) -> None:
    assert repetition(ids) == share == repeated(ids)


def test_an_edited_text_is_followed_after_its_target(editor: Editor, asker: Asker) -> None:
    found = asker.ask([ASK])[ASK]
    assert "glass" in found.text
    assert found.nll is not None
    the_same(found, by_hand(editor, ASK))


def test_the_target_is_found_in_any_case(editor: Editor, asker: Asker) -> None:
    other = GoOn(TAUGHT, "GLASS ", 40, "edit")
    assert asker.ask([other])[other] == asker.ask([ASK])[ASK]


@pytest.mark.parametrize("tokens", [6, 8, 12, 30])
def test_the_unedited_model_has_as_much_room_as_the_edited_one(
    editor: Editor, asker: Asker, tokens: int
) -> None:
    ask = GoOn(TAUGHT, "glass", tokens, "edit")
    the_same(asker.ask([ask])[ask], by_hand(editor, ask))


def test_a_text_without_its_target_has_no_numbers(editor: Editor, asker: Asker) -> None:
    short, other = GoOn(TAUGHT, "glass", 2, "edit"), GoOn(TAUGHT, "no such word", 40, "edit")
    said = asker.ask([short, other])
    for ask in (short, other):
        assert said[ask] == WentOn(editor.host.decode(said_of(editor, ask)[1]))
        assert not said[ask].said


@pytest.mark.parametrize("setting", ["bare", "chat", "turns"])
def test_where_no_edit_fires_both_go_on_alike(editor: Editor, asker: Asker, setting: str) -> None:
    prompt = "x y z x y z"
    _, said = said_of(editor, GoOn(prompt, "x", 30, "edit", setting))
    target = next(each for each in editor.host.decode(said) if "!" <= each <= "~")
    ask = GoOn(prompt, target, 30, "edit", setting)
    found = asker.ask([ask])[ask]
    assert found.said
    assert found.repetition is not None
    assert found.repetition == found.unedited_repetition
    assert found.nll == pytest.approx(found.unedited_nll)
    the_same(found, by_hand(editor, ask))


def test_asked_together_with_others_it_is_the_same(editor: Editor, asker: Asker) -> None:
    chat = GoOn(TAUGHT, "glass", 30, "edit", "chat")
    says = [Say(TAUGHT, 3, "edit"), Say(TAUGHT, 12, "edit", edits=False), Say("a", 40, "edit")]
    asks = [ASK, chat, GoOn(TAUGHT, "g", 20, "edit"), GoOn("a", "e", 40, "edit")]
    said = asker.ask([*says, *asks])
    for ask in asks:
        the_same(said[ask], asker.ask([ask])[ask])
    assert [said[each] for each in says] == [asker.ask([each])[each] for each in says]
