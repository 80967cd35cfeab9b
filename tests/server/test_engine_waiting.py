"""Which of the questions that wait have their prompts read next."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from memoir.server.engine.waiting import READ_AT_ONCE, Waiting


def waiting(*lengths: int) -> Waiting:
    """Questions whose prompts have so many tokens."""
    made = Waiting(len(lengths))
    for length in lengths:
        asked: Any = SimpleNamespace(prompt_tokens=length)
        made.put(asked, 1.0)
    return made


def taken(made: Waiting, room: int = 32, held: int | None = None) -> list[int]:
    found = made.take(room, lambda each: each.prompt_tokens == held)
    return [each.prompt_tokens for each in found]


def test_no_more_than_there_is_room_for() -> None:
    made = waiting(1, 2, 3)
    assert (taken(made, 2), taken(made, 2), taken(made, 2)) == ([1, 2], [3], [])


def test_what_is_read_at_once_is_bounded_padding_counted() -> None:
    half = READ_AT_ONCE // 2
    made = waiting(half, half, 5, half + 1, 5)
    assert (taken(made), taken(made), taken(made)) == ([half, half], [5], [half + 1])
    assert taken(made) == [5]


def test_a_long_prompt_is_read_alone() -> None:
    made = waiting(3 * READ_AT_ONCE, 1)
    assert (taken(made), taken(made)) == ([3 * READ_AT_ONCE], [1])


def test_those_that_must_wait_are_overtaken() -> None:
    made = waiting(1, 2, 1, 3)
    assert taken(made, held=1) == [2, 3]
    assert (len(made), taken(made)) == (2, [1, 1])
