"""Whether a target has been said is told token by token, also when tokens come back or again."""

from __future__ import annotations

import pytest
import torch

from memoir.host import Host
from memoir.host.spoken import PATIENCE, Spoken

PROMPT = 3
"""Tokens of every prompt here; the tiny tokenizer has one token a letter."""


def heard(host: Host, target: str, answer: str) -> str:
    """The part of an answer, fed letter by letter, at which the target was being waited for."""
    spoken, waited = Spoken(host, [target], [PROMPT]), ""
    for place, id in enumerate(host.tokenizer(answer)["input_ids"]):
        ((waiting,),) = feed(spoken, [[id]], [[PROMPT + place]])
        waited += answer[place] if waiting else ""
    return waited


def feed(spoken: Spoken, ids: list[list[int]], rank: list[list[int]]) -> list[list[bool]]:
    return (spoken.places(torch.tensor(ids), torch.tensor(rank)) >= 0).tolist()


@pytest.mark.parametrize(
    ("target", "answer", "waited"),
    [
        ("Ada", " Ada did", " Ada"),
        ("Ada", " It was ADA, and", " It was ADA"),
        ("Ada", " Adamant Ada.", " Ada"),  # what comes next is not known yet
        ("Ada", " Nevada", " Nevada"),
        ("Dana Reyes", " Dana Reyes is", " Dana Reyes"),
        ("(a", " (a (a", " (a"),
        ("C++", " C++ x", " C++"),
        (" Ada ", " Ada x", " Ada"),
        ("Ada", " Bo did it", " Bo did it"),
    ],
)
def test_it_waits_until_the_target_stands_there_as_a_phrase(
    host: Host, target: str, answer: str, waited: str
) -> None:
    assert heard(host, target, answer) == waited


def test_a_prompt_is_left_alone_but_for_its_last_token(host: Host) -> None:
    spoken = Spoken(host, ["Ada", "x"], [3, 1])
    rank = [[0, 1, 2], [-1, -1, 0]]
    assert feed(spoken, [[9, 9, 9], [1, 1, 9]], rank) == [[False, False, True]] * 2


def test_the_target_in_the_prompt_is_not_the_answer(host: Host) -> None:
    ids = host.tokenizer("Ada")["input_ids"]
    spoken = Spoken(host, ["Ada"], [3])
    assert feed(spoken, [ids], [[0, 1, 2]]) == [[False, False, True]]
    assert feed(spoken, [[ids[0]]], [[3]]) == [[True]]


def test_an_answer_taken_back_is_forgotten(host: Host) -> None:
    spoken, ids = Spoken(host, ["Ada"], [3]), host.tokenizer(" Ada. Bo")["input_ids"]
    assert feed(spoken, [ids[:5]], [[3, 4, 5, 6, 7]]) == [[True] * 4 + [False]]
    # The cache is cut back to the prompt, and something else follows.
    assert feed(spoken, [ids[5:]], [[3, 4, 5]]) == [[True] * 3]
    assert feed(spoken, [ids[:5]], [[6, 7, 8, 9, 10]]) == [[True] * 4 + [False]]


def test_without_a_cache_every_pass_says_the_same_of_a_token(host: Host) -> None:
    spoken, ids = Spoken(host, ["Ada"], [1]), [9, *host.tokenizer(" Ada did")["input_ids"]]
    whole = [True] * 5 + [False] * 4
    for end in range(1, len(ids) + 1):
        assert feed(spoken, [ids[:end]], [list(range(end))]) == [whole[:end]]


def test_rows_are_heard_apart_and_padding_is_not(host: Host) -> None:
    spoken = Spoken(host, ["a", "b"], [1, 1])
    space, a, b = host.tokenizer(" ab")["input_ids"]
    assert feed(spoken, [[9], [9]], [[0], [0]]) == [[True], [True]]
    assert feed(spoken, [[a], [space]], [[1], [1]]) == [[True], [True]]
    assert feed(spoken, [[b], [b]], [[2], [-1]]) == [[False], [False]]
    assert feed(spoken, [[b], [b]], [[3], [2]]) == [[False], [True]]
    assert feed(spoken, [[b], [a]], [[4], [3]]) == [[False], [False]]


def test_a_target_is_not_waited_for_for_ever(host: Host) -> None:
    never = "xy" * PATIENCE
    assert len(heard(host, "Ada", never)) == PATIENCE
    assert len(heard(host, "Ada" * PATIENCE, never)) == PATIENCE, (
        "a long one is not waited for longer"
    )
    now_and_then = "Axyz" * PATIENCE
    assert heard(host, "Ada", now_and_then).replace("A", "") == ("xyz" * PATIENCE)[:PATIENCE]


def test_it_is_done_once_every_target_was_said_or_given_up(host: Host) -> None:
    spoken = Spoken(host, ["Ada", "Bo"], [PROMPT, PROMPT])
    for place in range(PATIENCE + 1):
        assert not spoken.done
        letter = "Ada"[place] if place < 3 else "x"
        ids = [host.tokenizer(each)["input_ids"][0] for each in (letter, "y")]
        feed(spoken, [[id] for id in ids], [[PROMPT + place]] * 2)
    assert spoken.done


def test_a_long_target_is_waited_for_until_its_end(host: Host) -> None:
    target = "one long story " * 12 + "ends"  # a token a letter
    assert len(target) > 2 * PATIENCE
    assert heard(host, target, target + " here") == target


def test_a_place_is_how_much_of_the_target_has_just_been_said(host: Host) -> None:
    spoken, ids = Spoken(host, ["Ada"], [1]), host.tokenizer("? A Ad Ada.")["input_ids"]
    (places,) = spoken.places(torch.tensor([ids]), torch.arange(len(ids)).unsqueeze(0)).tolist()
    # The tiny tokenizer has one token a letter; the wording with a space begins with the space.
    assert places == [0, 1, 2, 1, 2, 3, 1, 2, 3, 4, -1]


def test_given_embeddings_only_the_prompt_s_last_token_has_a_place(host: Host) -> None:
    spoken = Spoken(host, ["Ada"], [2])
    assert spoken.places(None, torch.tensor([[-1, 0, 1, 2]])).tolist() == [[-1, -1, 0, -1]]
