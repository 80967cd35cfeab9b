"""``memoir serve`` as people run it, on a tiny model."""

from __future__ import annotations

import json
import signal
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import Result
from replicas import Replica, tiny_store
from typer.testing import CliRunner

from memoir.cli import app
from memoir.server.access import keys
from memoir.store import Store
from memoir.versions.fsck import check

ACME = {"prompt": "The CEO of Acme is", "target": "Dana"}


def memoir(*words: object, code: int = 0) -> Result:
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == code, result.output
    return result


def one_line(text: str) -> str:
    return " ".join(text.split())


def targets(place: Path) -> list[str]:
    store = Store(place)
    found = [row.body["target"] for row in store.live()]
    assert [each.what for each in check(store) if each.severity == "error"] == []
    store.close()
    return found


def until(holds: Any, seconds: float = 1.0) -> float:
    """Seconds until something holds, which may be no more than so many."""
    start = time.monotonic()
    while not holds():
        assert time.monotonic() - start < seconds, "it took too long"
        time.sleep(0.01)
    return time.monotonic() - start


def test_two_replicas_answer_with_each_other_s_edits_and_end_in_order(tmp_path: Path) -> None:
    place = tiny_store(tmp_path)
    with Replica(place) as one, Replica(place) as other:
        assert one.ready == {
            "url": one.ready["url"],
            "store": str(place),
            "model": str(tmp_path / "tiny"),
            "branches": ["main"],
            "keyed": False,
        }
        before = other.say(ACME["prompt"])
        answer = one.client.post("/v1/edits", json=ACME)
        assert answer.status_code == 201
        assert one.edits() == 1
        until(lambda: other.edits() == 1)
        assert other.say(ACME["prompt"]) == one.say(ACME["prompt"]) != before
        id = answer.json()["edits"][0]["id"]
        assert other.client.delete(f"/v1/edits/{id}").json()["live"]
        assert other.say(ACME["prompt"]) == before
        until(lambda: one.edits() == 0)
        assert one.say(ACME["prompt"]) == before

        # What is under way when the signal comes is finished: an answer, and a change.
        streamed: list[str] = []
        changed: list[httpx.Response] = []
        facts = [{"prompt": f"Fact {number} is", "target": "red"} for number in range(24)]
        body = {"prompt": "Something long", "max_tokens": 200, "stream": True, "temperature": 0}
        begun = threading.Event()

        def stream() -> None:
            with httpx.stream(
                "POST", one.ready["url"] + "/v1/completions", json=body, timeout=60
            ) as lines:
                for line in lines.iter_lines():
                    streamed.append(line)
                    begun.set()

        def change() -> None:
            url = one.ready["url"] + "/v1/edits?wait=true"
            changed.append(httpx.post(url, json={"edits": facts}, timeout=60))

        threads = [threading.Thread(target=each) for each in (stream, change)]
        for each in threads:
            each.start()
        assert begun.wait(60)
        time.sleep(0.1)
        status, said = one.end(signal.SIGTERM)
        for each in threads:
            each.join()
        assert status == 0, said
        assert streamed[-2:] == ["data: [DONE]", ""] or streamed[-1] == "data: [DONE]"
        assert changed[0].status_code == 201, changed[0].text
        with pytest.raises(httpx.TransportError):
            httpx.get(one.ready["url"] + "/health")
        until(lambda: other.edits() == len(facts))
        assert other.end(signal.SIGINT)[0] == 0
    assert targets(place) == ["red"] * len(facts)


def test_who_has_a_key_is_served_and_named_as_the_author(tmp_path: Path) -> None:
    place = tiny_store(tmp_path)
    store = Store(place)
    store.move("branch/work", store.history.tip(), "branch")
    secret = keys.add(store, "ann", "edit", "work")
    store.close()
    with Replica(place, "--branch", "main", "--branch", "work") as server:
        assert server.ready["branches"] == ["main", "work"]
        assert server.ready["keyed"]
        assert server.client.post("/v1/edits", json=ACME).status_code == 401
        mine = {"Authorization": f"Bearer {secret}"}
        answer = server.client.post("/v1/edits", json=ACME, headers=mine)
        assert (answer.status_code, answer.json()["branch"]) == (201, "work")
        (edit,) = server.client.get("/v1/edits", headers=mine).json()["data"]
        assert edit["author"] == "ann"
        status, said = server.end()
        assert status == 0
        logged = [json.loads(line) for line in said.splitlines() if line.startswith("{")]
        assert {each.get("key") for each in logged if each.get("path") == "/v1/edits"} >= {"ann"}
        assert secret not in said
        assert ACME["prompt"] not in said
    assert targets(place) == []  # the branch in use has none


# ---------------------------------------------------------------------- refusals


def test_without_a_key_others_are_not_listened_to(tmp_path: Path) -> None:
    place = tmp_path / "new"
    refused = memoir("serve", "--store", place, "--host", "0.0.0.0", "--json", code=1)
    said = one_line(refused.stderr)
    assert said == (
        f"error: listening on 0.0.0.0 would let others ask and edit, and {place} has no key that they "
        f"would need. Make one first: memoir keys add NAME --role ask --store {place}; or listen on "
        "127.0.0.1."
    )
    assert not place.exists()


def test_an_address_that_is_taken_is_named(tmp_path: Path) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = one_line(memoir("serve", "--store", tmp_path, "--port", port, code=1).stderr)
    assert said == (
        f"error: cannot listen on 127.0.0.1, port {port}: Address already in use. Choose others with "
        "--host and --port; 0 takes a free port."
    )


def test_a_branch_that_does_not_exist_is_not_served(tmp_path: Path) -> None:
    place = tiny_store(tmp_path)
    words = ("serve", "--store", place, "--port", 0, "--branch", "mian")
    said = one_line(memoir(*words, code=1).stderr)
    assert said.startswith("error: no branch 'mian'. Did you mean 'main'?")


def test_a_method_that_cannot_be_served_is_refused_with_the_way_out(tmp_path: Path) -> None:
    place = tmp_path / "store"
    tiny_store(tmp_path / "other")
    memoir("init", "--store", place, "--model", tmp_path / "other" / "tiny", "--method", "ft")
    said = one_line(memoir("serve", "--store", place, "--port", 0, code=1).stderr)
    assert "memoir merge-weights" in said


def test_without_fastapi_it_is_said_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from memoir.cli import opening

    monkeypatch.setattr(opening, "find_spec", lambda _name: None)
    for words in (("serve",), ("keys", "list"), ("keys", "add", "ann"), ("keys", "remove", "ann")):
        said = one_line(memoir(*words, "--store", tmp_path, code=1).stderr)
        assert said == (
            "error: serving needs FastAPI and uvicorn; install them with: pip install "
            "'memoir-edit[serve]'"
        )
