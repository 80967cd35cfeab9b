"""Whatever is sent, within the app's own description or far off, is never an error of the server."""

from __future__ import annotations

import json
from typing import Any

import pytest
import schemathesis
from fake_engine import FakeEngine, Reply
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case
from served_app import ADMIN, KEYS, local

from memoir.server.app import create_app
from memoir.server.openai.chat import ChatRequest
from memoir.server.openai.completions import CompletionRequest
from memoir.server.settings import Settings

CHAT, TEXT = "/v1/chat/completions", "/v1/completions"
app = create_app(
    FakeEngine(lambda _question: Reply(("Dana", " Reyes"))),
    keys=KEYS,
    settings=Settings(requests_per_minute=10**9),
)
schema = schemathesis.openapi.from_asgi("/openapi.json", app)
HEADERS = {"Authorization": f"Bearer {ADMIN}"}
ALIKE = settings(
    max_examples=60,
    derandomize=True,
    database=None,
    deadline=None,
    phases=(Phase.generate,),
    suppress_health_check=list(HealthCheck),
)


@schema.parametrize()
@ALIKE
def test_every_request_is_answered_as_described(case: Case) -> None:
    # Limits depend on settings and on the model, so not all that is described is taken.
    unlimited = [schemathesis.checks.positive_data_acceptance]
    case.call_and_validate(headers=HEADERS, excluded_checks=unlimited)


EXPLAIN = {"explain": True}
MESSAGES = [{"role": "user", "content": "Who runs Acme?"}]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (TEXT, {"prompt": "Acme", "logprobs": 2, "n": 2, "memoir": EXPLAIN}),
        (TEXT, {"prompt": ["Acme", "Ajax"], "memoir": EXPLAIN}),
        (TEXT, {"prompt": [[5, 6], [7]], "max_tokens": 1, "memoir": {"edits": False}}),
        (CHAT, {"messages": MESSAGES, "logprobs": True, "top_logprobs": 2, "memoir": EXPLAIN}),
        (CHAT, {"messages": MESSAGES, "n": 2, "stop": "x", "seed": 1}),
        (CHAT, {"messages": MESSAGES, "stream": True, "stream_options": {"include_usage": True}}),
    ],
)
def test_answers_are_as_described(path: str, body: dict[str, Any]) -> None:
    case = schema[path]["POST"].Case(body=body, media_type="application/json")
    response = case.call_and_validate(headers=HEADERS)
    assert response.status_code == 200


TEXTS = st.text(st.characters(exclude_categories=()))  # halves of characters too
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=8,
)
FIELDS = st.sampled_from(
    sorted({*ChatRequest.model_fields, *CompletionRequest.model_fields, *ChatRequest.refused})
)


@ALIKE
@given(path=st.sampled_from([TEXT, CHAT]), fields=st.dictionaries(FIELDS, ANYTHING))
def test_fields_may_hold_anything(path: str, fields: dict[str, Any]) -> None:
    asked = {"prompt": "Acme"} if path == TEXT else {"messages": MESSAGES}
    assert_no_error(path, json.dumps({**asked, **fields}).encode())


@ALIKE
@given(path=st.sampled_from([TEXT, CHAT]), content=st.binary(max_size=200))
def test_bodies_may_be_anything(path: str, content: bytes) -> None:
    assert_no_error(path, content)


def assert_no_error(path: str, content: bytes) -> None:
    headers = {"Content-Type": "application/json"}
    response = local(app, ADMIN).post(path, content=content, headers=headers)
    assert response.status_code in (200, 400, 404), response.text
