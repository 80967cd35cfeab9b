"""Logs, metrics, health, and what the page is told."""

from __future__ import annotations

import io
import json
import logging
import threading
import time
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
from fake_engine import COMMITS, EDIT, FakeEngine, Reply
from fastapi import APIRouter, FastAPI
from served_app import ADMIN, ASK, KEYS, NO_KEYS, TRIAL, local, problem
from served_app import EDIT as EDITOR

from memoir import __version__
from memoir.errors import StoreDamaged
from memoir.server.app import create_app
from memoir.server.telling import logs

TEXT = "/v1/completions"


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    with logs.written_to(stream):
        yield stream


def text(lines: io.StringIO) -> str:
    """What was logged, once all of it is written."""
    before = None
    while lines.getvalue() != before:
        before = lines.getvalue()
        time.sleep(0.1)
    return before


def read(lines: io.StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text(lines).splitlines()]


def failing(error: Exception) -> FastAPI:
    routes = APIRouter()

    @routes.get("/v1/fails")
    def fails() -> None:
        raise error

    return create_app(FakeEngine(), keys=KEYS, routers=[routes])


def test_each_request_has_one_line(lines: io.StringIO) -> None:
    client = local(create_app(FakeEngine(), keys=KEYS), EDITOR)
    response = client.post(f"{TEXT}?api_key=hidden", json={"prompt": "Acme", "n": 2})
    client.post(TEXT, json={"prompt": "Ajax", "stream": True})
    first, second = read(lines)
    assert first.pop("time").endswith("+00:00")
    assert 0 < first.pop("seconds") < 5
    assert first == {
        "level": "info",
        "event": "request",
        "id": response.headers["x-request-id"],
        "key": "writer",
        "method": "POST",
        "path": TEXT,
        "status": 200,
        "prompt_tokens": 4,
        "completion_tokens": 8,
        "fired": [EDIT],
    }
    assert (second["completion_tokens"], second["fired"]) == (4, [])


def test_no_secret_and_no_prompt_is_logged(lines: io.StringIO) -> None:
    app = failing(KeyError("the prompt: what is the code of the safe?"))
    for secret in (EDITOR, "memoir-wrong-secret"):
        client = local(app, secret)
        client.post(TEXT, json={"prompt": "the code of the safe", "user": "ann@example.org"})
        client.post(TEXT, json={"prompt": "the code of the safe", "n": "no number"})
        client.get("/v1/fails?key=the-code-of-the-safe")
    client.get("/v1/models", headers={"Cookie": "the code of the safe"})
    told = text(lines)
    assert len(read(lines)) == 8  # one of them is of the error
    for hidden in (EDITOR, "wrong-secret", "safe", "ann@example.org", "Dana"):
        assert hidden not in told


def test_uvicorn_speaks_the_same_way_while_it_is_listened_to(lines: io.StringIO) -> None:
    try:
        raise KeyError("hidden")
    except KeyError:
        logging.getLogger("uvicorn.error").exception("Exception in ASGI application")
    (line,) = read(lines)
    assert (line["event"], line["error"]) == ("Exception in ASGI application", "KeyError")
    assert "hidden" not in text(lines)
    with logs.written_to(io.StringIO()):
        pass
    logs.tell("later")
    assert read(lines)[-1]["event"] == "later"  # as it was


def test_an_unexpected_error_is_told_in_the_log_only(lines: io.StringIO) -> None:
    response = local(failing(KeyError("hidden")), ASK).get("/v1/fails")
    assert response.status_code == 500
    error = problem(response)
    id = response.headers["x-request-id"]
    assert error["message"] == (
        f"the server could not answer; its log tells why under the request's id {id}."
    )
    assert (error["type"], error["code"]) == ("server_error", "internal_error")
    trouble, request = read(lines)
    assert (trouble["level"], trouble["error"], trouble["id"]) == ("error", "KeyError", id)
    assert any("test_telling.py" in line and line.endswith(" fails") for line in trouble["lines"])
    assert "message" not in trouble
    assert (request["status"], request["id"]) == (500, id)


def test_trouble_with_the_store_is_told_to_those_who_keep_it(lines: io.StringIO) -> None:
    error = StoreDamaged("/srv/facts/log.sqlite is truncated.")
    response = local(failing(error), ASK).get("/v1/fails")
    assert response.status_code == 500
    assert "/srv" not in response.text
    assert read(lines)[0]["message"] == "/srv/facts/log.sqlite is truncated."
    response = local(failing(error), ADMIN).get("/v1/fails")
    assert (response.status_code, problem(response)["code"]) == (500, "internal_error")
    assert problem(response)["message"] == (
        "/srv/facts/log.sqlite is truncated. (in the server's log under the request's id "
        f"{response.headers['x-request-id']})"
    )


def test_trouble_in_the_middle_of_a_stream_is_told_to_administrators() -> None:
    error = StoreDamaged("/srv/facts/log.sqlite is truncated.")
    app = create_app(FakeEngine(lambda _question: Reply(("Dana", " R"), error=error)), keys=KEYS)
    for secret, told in ((ASK, False), (ADMIN, True)):
        body = {"prompt": "Acme", "stream": True, "max_tokens": 9}
        *_, last = local(app, secret).post(TEXT, json=body).text.strip().split("\n\n")
        message = json.loads(last.removeprefix("data: "))["error"]["message"]
        assert ("/srv/facts/log.sqlite is truncated." in message) is told
        assert "under the request's id req_" in message


def test_a_branch_that_does_not_follow_its_store_says_so() -> None:
    engine = FakeEngine()
    app = create_app(engine, keys=KEYS)
    broken = "the branch 'trial' of /srv/facts was deleted."
    engine.errors["trial"] = broken
    others = "it does not follow its store; administrators of the server are told why."
    for secret, told in ((None, others), (TRIAL, others), (ADMIN, broken)):
        client = local(app, secret)
        for path in ("/ready", "/health", "/version"):
            branches = client.get(path).json()["branches"]
            assert {each["name"]: each["error"] for each in branches} == {
                "main": None,
                "trial": told,
            }
        assert client.get("/ready").status_code == 200, "the other one does"
        if secret is not None:
            assert client.get("/v1/console").json()["branches"][-1]["error"] == told
    metrics = local(app, ADMIN).get("/metrics").text
    assert 'memoir_follows{branch="main"} 1.0' in metrics
    assert 'memoir_follows{branch="trial"} 0.0' in metrics


def test_a_server_of_which_no_branch_follows_its_store_is_not_ready() -> None:
    engine = FakeEngine()
    client = local(create_app(engine, keys=KEYS))
    engine.errors = dict.fromkeys(COMMITS, "/srv/facts/log.sqlite is truncated.")
    assert client.get("/ready").status_code == 503, "who balances the load asks another"
    assert client.get("/health").status_code == 200, "nobody restarts it: it answers with what was"


def test_health_readiness_and_version_name_the_commits() -> None:
    closing = False
    app = create_app(FakeEngine(), keys=KEYS, draining=lambda: closing)
    client = local(app)
    branches = [{"name": n, "commit": c, "edits": 3, "error": None} for n, c in COMMITS.items()]
    assert client.get("/health").json() == {"status": "ok", "branches": branches}
    assert client.get("/ready").json() == {"status": "ready", "branches": branches}
    assert client.get("/version").json() == {
        "version": __version__,
        "model": "tiny",
        "branches": branches,
    }
    closing = True
    response = client.get("/ready")
    assert response.status_code == 503
    assert response.json() == {"status": "not ready", "branches": branches}
    assert client.get("/health").status_code == 200


def test_metrics_count_requests_tokens_and_edits() -> None:
    app = create_app(FakeEngine(), keys=KEYS)
    client = local(app, EDITOR)
    client.post(TEXT, json={"prompt": ["Acme", "Ajax"]})
    client.post(TEXT, json={"prompt": "Acme", "model": "tiny@trial", "max_tokens": 1})
    client.post(TEXT, json={"prompt": "Acme", "memoir": {"edits": False}, "stream": True})
    client.post(TEXT, json={"prompt": ""})
    client.get("/v1/models/tiny@main")
    client.get("/nothing/here")
    assert client.get("/metrics").status_code == 403
    response = local(app, ADMIN).get("/metrics")
    assert response.headers["content-type"].startswith("text/plain")
    told = dict(line.rsplit(" ", 1) for line in response.text.splitlines() if line[0] != "#")
    for name, value in {
        'memoir_requests_total{method="POST",route="/v1/completions",status="200"}': 3,
        'memoir_requests_total{method="POST",route="/v1/completions",status="400"}': 1,
        'memoir_requests_total{method="GET",route="/v1/models/{model:path}",status="200"}': 1,
        'memoir_requests_total{method="GET",route="unknown",status="404"}': 1,
        'memoir_request_seconds_count{route="/v1/completions"}': 4,
        'memoir_prompt_tokens_total{branch="main"}': 12,
        'memoir_completion_tokens_total{branch="main"}': 12,
        'memoir_completion_tokens_total{branch="trial"}': 1,
        'memoir_answers_total{branch="main",finish="stop"}': 3,
        'memoir_answers_total{branch="trial",finish="length"}': 1,
        'memoir_edits_asked_total{branch="main"}': 2,
        'memoir_edits_fired_total{branch="main"}': 1,
        'memoir_overlap_bucket{branch="main",le="0.2"}': 1,
        'memoir_overlap_count{branch="main"}': 2,
        'memoir_first_token_seconds_count{branch="main"}': 3,
        'memoir_answer_seconds_count{branch="main"}': 3,
        'memoir_edits_live{branch="trial"}': 3,
        'memoir_commit{branch="main",commit="aaaaaaaaaa"}': 1,
        'memoir_questions{state="running"}': 2,
        'memoir_questions{state="waiting"}': 1,
    }.items():
        assert float(told[name]) == value, name


def test_two_apps_count_for_themselves() -> None:
    for _ in range(2):
        client = local(create_app(FakeEngine(), keys=NO_KEYS))
        client.post(TEXT, json={"prompt": "Acme"})
        assert 'memoir_edits_fired_total{branch="main"} 1.0' in client.get("/metrics").text


def test_the_page_learns_what_the_caller_may_do() -> None:
    app = create_app(FakeEngine(), keys=KEYS)
    told = local(app, EDITOR).get("/v1/console").json()
    assert told["caller"] == {"name": "writer", "role": "edit", "branch": None}
    assert told["model"] == "tiny"
    assert told["branches"][1] == {
        "name": "trial",
        "model": "tiny@trial",
        "commit": COMMITS["trial"],
        "edits": 3,
        "threshold": 0.5,
        "default": False,
        "error": None,
    }
    assert told["branches"][0]["default"]
    assert told["limits"]["context_window"] == 256
    assert told["limits"]["n"] == 8
    (branch,) = local(app, TRIAL).get("/v1/console").json()["branches"]
    assert branch["default"]


def test_the_page_draws_the_last_answers() -> None:
    app = create_app(FakeEngine(), keys=KEYS)
    editor = local(app, EDITOR)
    editor.post(TEXT, json={"prompt": "Acme", "max_tokens": 2})
    editor.post(TEXT, json={"prompt": "Acme", "model": "tiny@trial", "memoir": {"edits": False}})
    told = editor.get("/v1/stats").json()
    assert (told["running"], told["waiting"]) == (2, 1)
    first, second = told["answers"]
    assert 0 < first.pop("first_token_seconds") <= first.pop("seconds") < 5
    assert first.pop("time") > 1_600_000_000
    assert first == {
        "branch": "main",
        "prompt_tokens": 4,
        "completion_tokens": 2,
        "score": 0.9,
        "threshold": 0.5,
        "fired": True,
        "finish": "length",
    }
    assert (second["score"], second["fired"]) == (None, False)
    (mine,) = local(app, TRIAL).get("/v1/stats").json()["answers"]
    assert mine["branch"] == "trial"


class Stuck(io.StringIO):
    """A pipe that is full, and that nobody reads."""

    def __init__(self) -> None:
        super().__init__()
        self.let = threading.Event()

    def write(self, text: str) -> int:
        self.let.wait(60)
        return super().write(text)


def test_a_log_that_nobody_reads_holds_up_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "KEPT", 10)
    monkeypatch.setattr(logs, "PATIENCE", 0.05)
    stream = Stuck()
    with logs.written_to(stream):
        for number in range(100):
            logs.tell("asked", number=number)
    stream.let.set()
    for _ in range(200):  # what was kept is written as soon as it can be
        if stream.getvalue().count("\n") >= 10:
            break
        time.sleep(0.05)
    numbers = [json.loads(line)["number"] for line in stream.getvalue().splitlines()]
    assert numbers[:5] == [0, 1, 2, 3, 4]
    assert len(numbers) < 20


def test_whatever_anybody_says_is_a_line_too(lines: io.StringIO) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("a file is damaged", stacklevel=1)
    logging.getLogger("transformers.generation").warning("a setting is ignored")
    logging.getLogger("asyncio").error("a task failed")
    first, *others = read(lines)
    assert "UserWarning: a file is damaged" in first["event"]
    assert [line["event"] for line in others] == ["a setting is ignored", "a task failed"]
