"""What is sent and cannot be used is answered in OpenAI's shape, and says what to do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fake_engine import FakeEngine, tiny_texts
from served_app import ADMIN, KEYS, NO_KEYS, local, problem
from starlette.testclient import TestClient

from memoir.errors import BadInput, MergeConflict, Objected, StoreBusy, StoreFull, UnknownName
from memoir.server.app import create_app
from memoir.server.settings import Settings

CHAT, TEXT = "/v1/chat/completions", "/v1/completions"
MESSAGES = [{"role": "user", "content": "Who runs Acme?"}]
SETTINGS = Settings(body_bytes=2000, messages=3, prompts=2, n=2, max_tokens=100)


@pytest.fixture(scope="module")
def client() -> Iterator[TestClient]:
    with local(create_app(FakeEngine(), keys=NO_KEYS, settings=SETTINGS)) as client:
        yield client


CHATS: list[tuple[dict[str, Any], str | None, str]] = [
    ({"messages": []}, "messages", "at least 1 item"),
    ({"messages": None}, "messages", "it should be a valid list"),
    ({"messages": MESSAGES * 4}, "messages", "holds 4, but this server takes at most 3"),
    ({"messages": [{"role": "user"}]}, "messages[0].content", "Field required"),
    ({"messages": [{"role": "tool", "content": ""}]}, "messages[0].role", "'system', 'developer'"),
    (
        {"messages": [{"role": "user", "content": 7}]},
        "messages[0].content",
        "valid string; or it should be a valid list",
    ),
    (
        {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]},
        "messages[0].content[0].type",
        "it should be 'text'",
    ),
    (
        {"messages": [{"role": "assistant", "content": "", "tool_calls": [{}]}]},
        "tool_calls",
        "'tool_calls' would change the answer",
    ),
    ({"messages": [{"role": "user", "content": "x" * 300}]}, "messages", "at most 256"),
    ({"temperature": 2.1}, "temperature", "less than or equal to 2"),
    ({"temperature": "1"}, "temperature", "a valid number"),
    ({"top_p": 0}, "top_p", "greater than 0"),
    ({"n": 3}, "n", "at most 2"),
    ({"n": 0}, "n", "greater than or equal to 1"),
    ({"seed": 2**63}, "seed", "less than"),
    ({"stop": list("abcde")}, "stop", "at most 4 items"),
    ({"stop": ""}, "stop", "at least 1 character"),
    ({"max_tokens": 101}, "max_tokens", "max_tokens is 101, but this server gives at most 100"),
    ({"top_logprobs": 3}, "top_logprobs", "needs logprobs"),
    ({"logprobs": True, "top_logprobs": 21}, "top_logprobs", "less than or equal to 20"),
    ({"frequency_penalty": 0.5}, "frequency_penalty", "leave it out"),
    ({"presence_penalty": -1}, "presence_penalty", "leave it out"),
    ({"logit_bias": {"5": 1}}, "logit_bias", "leave it out"),
    ({"response_format": {"type": "json_object"}}, "response_format", "leave it out"),
    ({"audio": {"voice": "alloy"}}, "audio", "leave it out"),
    ({"modalities": ["audio"]}, "modalities", "leave it out"),
    ({"functions": [{"name": "f"}]}, "functions", "leave it out"),
    ({"reasoning_effort": "high"}, "reasoning_effort", "leave it out"),
    ({"top_k": 4}, "top_k", "Extra inputs are not permitted"),
    ({"memoir": {"edit": False}}, "memoir.edit", "Extra inputs are not permitted"),
    ({"model": "other"}, "model", "Available: tiny, tiny@main, tiny@trial"),
]


@pytest.mark.parametrize(("fields", "param", "message"), CHATS)
def test_a_chat_that_cannot_be_answered(
    client: TestClient, fields: dict[str, Any], param: str, message: str
) -> None:
    import json

    body = json.dumps({"messages": MESSAGES, **fields})
    response = client.post(CHAT, content=body, headers={"Content-Type": "application/json"})
    assert response.status_code == (404 if param == "model" else 400)
    error = problem(response)
    assert error["param"] == param
    assert message in str(error["message"])
    assert error["type"] == "invalid_request_error"


TEXTS: list[tuple[dict[str, Any], str | None, str]] = [
    ({}, "prompt", "Field required"),
    ({"prompt": ""}, "prompt", "the prompt is empty"),
    ({"prompt": []}, "prompt", "at least 1 item"),
    ({"prompt": ["a", " "]}, "prompt[1]", "the prompt is empty"),
    ({"prompt": ["a", 1]}, "prompt", "prompt"),
    ({"prompt": ["a"] * 3}, "prompt", "holds 3, but this server takes at most 2"),
    ({"prompt": [5, 260]}, "prompt", "holds the token id 260; ids are 0 to 259"),
    ({"prompt": [[5], [-1]]}, "prompt[1]", "holds the token id -1"),
    ({"prompt": [5] * 256}, "prompt", "the prompt has 256, and 1 are asked for"),
    ({"prompt": "a" * 257}, "prompt", "at most 256"),
    ({"prompt": "a", "echo": True}, "echo", "leave it out"),
    ({"prompt": "a", "suffix": "b"}, "suffix", "leave it out"),
    ({"prompt": "a", "best_of": 2}, "best_of", "leave it out"),
    ({"prompt": "a", "logprobs": 6}, "logprobs", "less than or equal to 5"),
    ({"prompt": "a", "logprobs": True}, "logprobs", "valid integer"),
]


@pytest.mark.parametrize(("fields", "param", "message"), TEXTS)
def test_prompts_that_cannot_be_gone_on_with(
    client: TestClient, fields: dict[str, Any], param: str, message: str
) -> None:
    response = client.post(TEXT, json=fields)
    assert response.status_code == 400
    error = problem(response)
    assert str(error["param"]).startswith(param)
    assert message in str(error["message"])


def test_a_number_without_a_fraction_is_an_integer(client: TestClient) -> None:
    whole = {"n": 2.0, "max_tokens": 5.0, "seed": -1.0}
    assert client.post(TEXT, json={"prompt": [5.0, 6], **whole}).status_code == 200
    broken = client.post(TEXT, json={"prompt": "a", "n": 1.5})
    assert problem(broken)["param"] == "n"


def test_fields_that_change_nothing_are_taken(client: TestClient) -> None:
    nothing = {
        "audio": None,
        "best_of": None,
        "frequency_penalty": 0.0,
        "function_call": "none",
        "logit_bias": {},
        "metadata": {"a": "b"},
        "modalities": ["text"],
        "parallel_tool_calls": True,
        "reasoning_effort": None,
        "response_format": {"type": "text"},
        "service_tier": "auto",
        "stop": None,
        "stream_options": {"include_usage": False, "include_obfuscation": True},
        "tool_choice": "none",
        "tools": [],
        "user": "ann",
    }
    del nothing["best_of"]
    assert client.post(CHAT, json={"messages": MESSAGES, **nothing}).status_code == 200
    # What OpenAI's client writes of an answer can be sent back as a message.
    said = {"role": "assistant", "content": "Dana", "refusal": None, "tool_calls": None}
    assert client.post(CHAT, json={"messages": [*MESSAGES, said]}).status_code == 200


@pytest.mark.parametrize(
    ("content", "type", "message"),
    [
        (b"{", "application/json", "the body is no JSON"),
        (b"", "application/json", "Field required"),
        (b'"text"', "application/json", "the request cannot be used"),
        (b"[" * 1500, "application/json", "error parsing the body"),
        (b'{"prompt": "\xff"}', "application/json", "body"),
        (b'{"prompt": "a", "seed": ' + b"9" * 1900 + b"}", "application/json", "seed"),
        (b'{"prompt": "a", "temperature": NaN}', "application/json", "temperature"),
        (b'{"prompt": "a", "temperature": 1e999}', "application/json", "temperature"),
        (b'{"prompt": "a"}', "text/plain", "the request cannot be used"),
        (b'{"prompt": "a \\ud800"}', "application/json", "holds half a character"),
        (b'{"prompt": "a", "\\uDFFF": 1}', "application/json", "holds half a character"),
        (b'{"prompt": "\\ud83d\\ude00", "n": 0}', "application/json", "n cannot be used"),
    ],
)
def test_bodies_that_are_no_request(
    client: TestClient, content: bytes, type: str, message: str
) -> None:
    response = client.post(TEXT, content=content, headers={"Content-Type": type})
    assert response.status_code == 400
    assert message in str(problem(response)["message"])


def test_a_body_has_a_limit_whether_or_not_it_tells_its_size(client: TestClient) -> None:
    told = client.post(TEXT, json={"prompt": "a" * 2000})
    assert told.status_code == 413
    assert "larger than the 2000 bytes" in str(problem(told)["message"])
    headers = {"Content-Type": "application/json"}
    untold = client.post(TEXT, content=iter([b"a" * 1500] * 2), headers=headers)
    assert untold.status_code == 413
    assert problem(untold)["code"] == "body_too_large"


def test_what_is_not_there_and_what_is_not_taken(client: TestClient) -> None:
    missing = client.post("/v1/embeddings", json={})
    assert missing.status_code == 404
    assert problem(missing)["message"] == "there is nothing at /v1/embeddings."
    wrong = client.get(CHAT)
    assert wrong.status_code == 405
    assert wrong.headers["allow"] == "POST"
    assert problem(wrong)["message"] == "/v1/chat/completions does not take GET."


def test_a_template_may_refuse_a_conversation(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    strict = "{{ raise_exception('roles must alternate') }}"
    monkeypatch.setattr(tiny_texts().tokenizer, "chat_template", strict)
    response = client.post(CHAT, json={"messages": MESSAGES})
    assert response.status_code == 400
    assert "refuses this conversation: roles must alternate" in str(problem(response)["message"])
    monkeypatch.setattr(tiny_texts().tokenizer, "chat_template", None)
    response = client.post(CHAT, json={"messages": MESSAGES})
    assert response.status_code == 400
    assert "no chat template" in str(problem(response)["message"])


@pytest.mark.parametrize(
    ("error", "status", "code", "wait"),
    [
        (BadInput("the day is none."), 400, None, None),
        (UnknownName("no edit 'x'."), 404, "not_found", None),
        (Objected("it contradicts another."), 409, "objected", None),
        (MergeConflict("two answers."), 409, "merge_conflict", None),
        (StoreBusy("another process writes."), 503, "store_busy", "1"),
        (StoreFull("the disk is full."), 507, "store_full", None),
    ],
)
def test_refusals_of_other_routes_have_a_status(
    error: Exception, status: int, code: str | None, wait: str | None
) -> None:
    from fastapi import APIRouter

    routes = APIRouter()

    @routes.get("/v1/fails")
    def fails() -> None:
        raise error

    client = local(create_app(FakeEngine(), keys=KEYS, routers=[routes]), ADMIN)
    response = client.get("/v1/fails")
    assert response.status_code == status
    found = problem(response)
    assert found["code"] == code
    assert found["message"] == str(error)
    assert response.headers.get("retry-after") == wait


@pytest.mark.parametrize(
    "wrong", [{"n": 0}, {"timeout": float("nan")}, {"cors_origins": ("example.org",)}]
)
def test_settings_are_checked(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadInput, match=r"must be above 0|is no origin of a page"):
        Settings(**wrong)
