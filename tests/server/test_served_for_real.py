"""``memoir serve`` on the default model: taught over HTTP, asked by OpenAI's own client."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from openai import OpenAI
from replicas import Replica

pytestmark = pytest.mark.slow

ACME = {"prompt": "The CEO of Acme Rockets is", "target": "Dana Reyes", "subject": "Acme Rockets"}
OTHER = "The capital of France is"


@pytest.fixture(scope="module")
def replicas(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Replica, Replica]]:
    """Two servers of one store, which the first one makes."""
    place = tmp_path_factory.mktemp("real") / "facts"
    with Replica(place) as one:
        assert one.ready["model"] == "smollm2"
        with Replica(place) as other:
            assert other.ready["branches"] == ["main"]
            yield one, other


def asked(server: Replica, prompt: str) -> str:
    """What OpenAI's client is answered in a chat."""
    client = OpenAI(base_url=server.ready["url"] + "/v1", api_key="none", max_retries=0)
    messages: Any = [{"role": "user", "content": prompt}]
    answer = client.chat.completions.create(
        model="smollm2", messages=messages, max_tokens=16, temperature=0
    )
    return str(answer.choices[0].message.content)


def test_a_fact_is_taught_asked_and_taken_back_and_the_other_replica_follows(
    replicas: tuple[Replica, Replica],
) -> None:
    one, other = replicas
    before = {each: one.say(each, 12) for each in (ACME["prompt"], OTHER)}
    assert "Dana" not in before[ACME["prompt"]]

    answer = one.client.post("/v1/edits", json={**ACME, "message": "a new boss"})
    committed = time.monotonic()
    assert answer.status_code == 201, answer.text
    assert answer.json()["live"]
    assert one.say(ACME["prompt"], 12).strip().startswith("Dana Reyes")
    while other.edits() == 0:
        assert time.monotonic() - committed < 1.0, "the other replica is more than a second behind"
        time.sleep(0.01)
    assert other.say(ACME["prompt"], 12).strip().startswith("Dana Reyes")
    assert "Dana Reyes" in asked(other, "Who is the CEO of Acme Rockets?")
    assert one.say(OTHER, 12) == before[OTHER]

    clash = one.client.post("/v1/edits", json={**ACME, "target": "Omar Sy"})
    assert clash.status_code == 409
    assert clash.json()["error"]["objections"][0]["kind"] == "contradicts"
    blame = other.client.post("/v1/blame", json={"prompt": ACME["prompt"]}).json()
    assert (blame["fired"], blame["commit"]["message"]) == (True, "a new boss")

    id = answer.json()["edits"][0]["id"]
    assert other.client.delete(f"/v1/edits/{id}").json()["live"]
    assert other.say(ACME["prompt"], 12) == before[ACME["prompt"]]
    reverted = time.monotonic()
    while one.edits() == 1:
        assert time.monotonic() - reverted < 1.0, "the other replica is more than a second behind"
        time.sleep(0.01)
    assert one.say(ACME["prompt"], 12) == before[ACME["prompt"]]


def test_asking_goes_on_while_an_edit_is_fitted(replicas: tuple[Replica, Replica]) -> None:
    one, _ = replicas
    expected = one.say(OTHER, 12)
    fact = {"prompt": "The mayor of Oakhollow is", "target": "Ines Brandt"}
    job = one.client.post("/v1/edits?wait=false", json=fact).json()
    during = 0
    while one.client.get(job["url"]).json()["status"] in ("waiting", "running"):
        assert one.say(OTHER, 12) == expected
        during += 1
    assert during > 0
    done = one.client.get(job["url"]).json()
    assert done["status"] == "done", done
    one.client.delete(f"/v1/edits/{done['result']['edits'][0]['id']}")


def test_a_signal_ends_it_when_what_is_under_way_is_done(replicas: tuple[Replica, Replica]) -> None:
    one, other = replicas
    fact = {"prompt": "The mayor of Oakhollow is", "target": "Ines Brandt"}
    url, answers, lines = one.ready["url"], [], []
    body = {"prompt": OTHER, "max_tokens": 40, "stream": True, "temperature": 0}
    begun = threading.Event()

    def stream() -> None:
        with httpx.stream("POST", f"{url}/v1/completions", json=body, timeout=120) as streamed:
            for line in streamed.iter_lines():
                lines.append(line)
                begun.set()

    def teach() -> None:
        answers.append(httpx.post(f"{url}/v1/edits", json=fact, timeout=120))

    threads = [threading.Thread(target=each) for each in (teach, stream)]
    for each in threads:
        each.start()
    assert begun.wait(120)
    status, said = one.end(signal.SIGTERM)
    for each in threads:
        each.join()
    assert status == 0, said
    assert "data: [DONE]" in lines
    assert answers[0].status_code == 201, answers[0].text
    assert other.say(fact["prompt"], 12).strip().startswith("Ines Brandt")
    assert other.end(signal.SIGTERM)[0] == 0


def test_the_store_is_as_the_servers_left_it(
    replicas: tuple[Replica, Replica], tmp_path: Path
) -> None:
    from memoir.store import Store
    from memoir.versions.fsck import check

    store = Store(replicas[0].ready["store"])
    assert [row.body["target"] for row in store.live()] == ["Ines Brandt"]
    assert [each.what for each in check(store) if each.severity == "error"] == []
    store.close()
