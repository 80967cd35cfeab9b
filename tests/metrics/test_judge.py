"""The judge: an endpoint is asked for a verdict, and nothing is judged in its place."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread
from typing import Any

import pytest
from handmade import EDIT, EVERY_KIND, record, said

from memoir.errors import BadInput, JudgeUnavailable, UnknownName
from memoir.metrics import make
from memoir.metrics.base import GIVES_TARGET, Say
from memoir.metrics.judge import INSTRUCTION, Judge
from memoir.types import Answer, Probe

SAY = Say(EDIT.prompt, 32, "edit", want="Bo Li")


class Endpoint(HTTPServer):
    """An OpenAI-compatible endpoint on loopback; replies in order, then with the last again."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.replies: list[Any] = ["YES"]
        self.status = 200
        self.seen: list[tuple[str, dict[str, Any], str | None]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/v1"


class _Handler(BaseHTTPRequestHandler):
    server: Endpoint

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.seen.append((self.path, body, self.headers["Authorization"]))
        replies = self.server.replies
        reply = replies.pop(0) if len(replies) > 1 else replies[0]
        if isinstance(reply, str):
            reply = {"choices": [{"message": {"role": "assistant", "content": reply}}]}
        sent = json.dumps(reply).encode()
        self.send_response(self.server.status)
        self.send_header("Content-Length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def endpoint(monkeypatch: pytest.MonkeyPatch) -> Iterator[Endpoint]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("MEMOIR_JUDGE_KEY", raising=False)
    with Endpoint() as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_what_must_give_a_target_is_asked() -> None:
    metric = Judge("http://x", "m", tokens=9, setting="system")
    asks = metric.asks(EVERY_KIND)
    assert [ask.about for ask in asks] == list(GIVES_TARGET)
    assert asks[0] == Say(EDIT.prompt, 9, "edit", "system", want="Bo Li")
    assert metric.asks(record(Probe("rephrase", "no target"), Probe("locality", "q"))) == asks[:1]


def test_the_judge_sees_question_target_and_answer(endpoint: Endpoint) -> None:
    metric = Judge(f"{endpoint.url}/", "grader")
    found = metric.score(record(), said({SAY: Answer("It is Bo.")}), "e1")
    assert found == {"reliability_judge": 1.0}
    ((path, body, _),) = endpoint.seen
    assert path == "/v1/chat/completions"
    assert body == {
        "model": "grader",
        "temperature": 0,
        "max_tokens": 3,
        "messages": [
            {"role": "system", "content": INSTRUCTION},
            {
                "role": "user",
                "content": "Question: Who leads Acme?\nReference: Bo Li\nAnswer: It is Bo.",
            },
        ],
    }


@pytest.mark.parametrize(("reply", "value"), [("YES", 1.0), (" yes.\n", 1.0), ("No", 0.0)])
def test_a_verdict_is_one_word_in_any_case(endpoint: Endpoint, reply: str, value: float) -> None:
    endpoint.replies = [reply]
    found = Judge(endpoint.url, "m").score(record(), said({SAY: Answer("x")}), "e1")
    assert found == {"reliability_judge": value}


def test_the_verdicts_of_a_kind_are_averaged(endpoint: Endpoint) -> None:
    endpoint.replies = ["NO", "YES", "NO", "NO", "YES"]
    given = record(*(Probe("rephrase", f"p{i}", "t") for i in range(4)))
    metric = Judge(endpoint.url, "m")
    answers = said({ask: Answer("x") for ask in metric.asks(given)})
    found = metric.score(given, answers, "e1")
    assert found == {"reliability_judge": 0.0, "generalization_judge": 0.5}
    assert len(endpoint.seen) == 5
    assert found.keys() <= Judge.outputs.keys()


@pytest.mark.parametrize(("variable", "sent"), [(None, None), ("", None), ("k1", "Bearer k1")])
def test_a_key_is_sent_only_if_its_variable_is_set(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch, variable: str | None, sent: str | None
) -> None:
    if variable is not None:
        monkeypatch.setenv("MY_JUDGE", variable)
    metric = Judge(endpoint.url, "m", key_variable="MY_JUDGE")
    metric.score(record(), said({SAY: Answer("x")}), "e1")
    assert endpoint.seen[0][2] == sent


def refused(url: str, text: str = "x") -> str:
    with pytest.raises(JudgeUnavailable) as error:
        Judge(url, "grader", timeout=5).score(record(), said({SAY: Answer(text)}), "e1")
    return str(error.value)


@pytest.mark.parametrize("reply", ["MAYBE", "YES, it does", ""])
def test_a_reply_that_is_no_verdict_is_refused(endpoint: Endpoint, reply: str) -> None:
    endpoint.replies = [reply]
    assert refused(endpoint.url) == (
        f"the judge at {endpoint.url} (grader) replied {reply.upper()!r}, not YES or NO. "
        "Choose a model that follows the instruction."
    )


@pytest.mark.parametrize(("status", "reply"), [(500, "YES"), (401, "YES"), (200, {"error": "x"})])
def test_an_endpoint_that_fails_gives_no_score(endpoint: Endpoint, status: int, reply: Any) -> None:
    endpoint.status, endpoint.replies = status, [reply]
    message = refused(endpoint.url)
    assert message.startswith(f"the judge at {endpoint.url} gave no verdict (")
    assert str(status) in message or "KeyError: 'choices'" in message


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/v1", "127.0.0.1:8000/v1", "http://[::1/v1"])
def test_an_endpoint_that_cannot_be_reached_gives_no_score(url: str) -> None:
    message = refused(url)
    assert message.startswith(f"the judge at {url} gave no verdict (")
    assert message.endswith(
        "Nothing was judged in its place; start it and run the same command again."
    )


def test_an_unknown_setting_is_refused() -> None:
    with pytest.raises(UnknownName, match=r"no setting 'chatt'\. Did you mean 'chat'"):
        Judge("http://x", "m", setting="chatt")


@pytest.mark.parametrize("options", [{}, {"url": "http://x"}, {"model": "m"}])
def test_without_url_and_model_it_is_refused_with_an_example(options: dict[str, str]) -> None:
    with pytest.raises(BadInput) as error:
        make("judge", options)
    assert str(error.value) == (
        "the metric judge needs the url of an OpenAI-compatible endpoint and the name of a model "
        'there, e.g. [metrics.judge] url = "http://127.0.0.1:8000/v1", model = "judge".'
    )
