"""Work stops when nobody waits for it any more."""

from __future__ import annotations

import json
from collections.abc import Iterator

import httpx
import pytest
from fake_engine import FakeEngine, Reply
from served_app import NO_KEYS, eventually, listening, local, problem

from memoir.server.app import create_app
from memoir.server.settings import Settings

BODY = {"messages": [{"role": "user", "content": "Who runs Acme?"}]}
CHAT = "/v1/chat/completions"
WORDS = ("word ",) * 500


@pytest.fixture
def engine() -> FakeEngine:
    return FakeEngine(lambda _question: Reply(WORDS, pause=0.02))


@pytest.fixture
def address(engine: FakeEngine) -> Iterator[str]:
    with listening(create_app(engine, keys=NO_KEYS)) as address:
        yield address


def assert_stopped(engine: FakeEngine, count: int) -> None:
    assert len(engine.generations) == count
    eventually(lambda: all(each.cancelled for each in engine.generations), "nothing was cancelled")
    assert all(each.completion_tokens < 100 for each in engine.generations)


@pytest.mark.parametrize("n", [1, 3])
def test_a_client_that_leaves_a_stream_stops_it(engine: FakeEngine, address: str, n: int) -> None:
    body = {**BODY, "stream": True, "n": n}
    with httpx.stream("POST", address + CHAT, json=body) as response:
        lines = response.iter_lines()
        assert next(lines).startswith("data: {")
    assert_stopped(engine, n)


def test_a_client_that_leaves_before_the_answer_stops_it(engine: FakeEngine, address: str) -> None:
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(address + CHAT, json={**BODY, "n": 2}, timeout=0.5)
    assert_stopped(engine, 2)


def test_a_client_that_leaves_before_the_first_piece_stops_it(
    engine: FakeEngine, address: str
) -> None:
    engine.reply = lambda _question: Reply(WORDS, pause=60)
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(address + CHAT, json={**BODY, "stream": True}, timeout=0.5)
    assert_stopped(engine, 1)


def test_an_answer_that_takes_too_long_is_given_up(engine: FakeEngine) -> None:
    client = local(create_app(engine, keys=NO_KEYS, settings=Settings(timeout=0.3)))
    response = client.post(CHAT, json=BODY)
    assert response.status_code == 408
    assert "within 0.3 s" in str(problem(response)["message"])
    assert problem(response)["code"] == "timeout"
    assert_stopped(engine, 1)


def test_a_stream_that_takes_too_long_ends_with_an_error(engine: FakeEngine) -> None:
    client = local(create_app(engine, keys=NO_KEYS, settings=Settings(timeout=0.3)))
    response = client.post(CHAT, json={**BODY, "stream": True})
    assert response.status_code == 200
    *pieces, last = [line for line in response.text.split("\n\n") if line]
    assert len(pieces) > 2
    assert json.loads(last.removeprefix("data: "))["error"]["code"] == "timeout"
    assert_stopped(engine, 1)


def test_a_stream_that_ends_is_not_cancelled_too_early(engine: FakeEngine) -> None:
    engine.reply = lambda _question: Reply(pause=0.01)
    client = local(create_app(engine, keys=NO_KEYS))
    response = client.post(CHAT, json={**BODY, "stream": True})
    assert response.text.endswith("data: [DONE]\n\n")
    (generation,) = engine.generations
    assert generation.completion_tokens == 4


def test_questions_are_asked_all_or_none() -> None:
    engine = FakeEngine()

    def full_at_the_third(_question: object) -> Reply:
        engine.full = len(engine.generations) == 1
        return Reply()

    engine.reply = full_at_the_third
    client = local(create_app(engine, keys=NO_KEYS))
    response = client.post("/v1/completions", json={"prompt": ["a", "b", "c"]})
    assert response.status_code == 429
    assert problem(response)["code"] == "server_busy"
    assert [each.cancelled for each in engine.generations] == [1, 1]
