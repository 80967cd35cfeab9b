"""Edits over HTTP: taught, taken back, checked and looked at, each by whom may do so."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from desks import SomeKeys, by, events, opened, run, served

from memoir.editor import Editor
from memoir.errors import StoreDamaged
from memoir.methods.memoir import Memoir, MemoirConfig
from memoir.server.desk import Limits
from memoir.server.desk.work import Work
from memoir.store import Store
from memoir.versions import config

ACME = {"prompt": "The CEO of Acme is", "target": "Dana", "subject": "Acme", "tags": ["people"]}
PERU = {"prompt": "The capital of Peru is", "target": "Oslo", "source": "an atlas"}
CLASH = {**ACME, "target": "Omar"}
EASY = MemoirConfig(
    router="overlap", contexts="bare", threshold=0.9, max_steps=200, lr=0.5, stop_loss=10.0
)


async def taught(client: httpx.AsyncClient, *facts: dict[str, Any], **more: Any) -> Any:
    """What came of teaching facts, in turn."""
    answers = [await client.post("/v1/edits", json={**fact, **more}) for fact in facts]
    assert [each.status_code for each in answers] == [201] * len(facts), answers[-1].text
    return [each.json()["edits"][0]["id"] for each in answers]


async def ended(client: httpx.AsyncClient, answer: httpx.Response) -> Any:
    """A job at its end."""
    assert answer.status_code == 202, answer.text
    told = answer.json()
    assert answer.headers["location"] == told["url"]
    stream = await client.get(told["events_url"])
    assert stream.headers["content-type"].startswith("text/event-stream")
    kind, last = events(stream.text)[-1]
    again = (await client.get(told["url"])).json()
    assert (kind, last) == (again["status"], again)
    return again


def rows(place: Path) -> int:
    store = Store(place)
    found = len(store.log.rows())
    store.close()
    return found


# ---------------------------------------------------------------------- teaching


def test_a_fact_is_live_when_its_receipt_comes(tmp_path: Path) -> None:
    async def scene() -> None:
        async with served(tmp_path / "s") as here:
            answer = await here.client.post("/v1/edits", json={**ACME, "message": "new boss"})
            assert answer.status_code == 201
            told = answer.json()
            (receipt,) = told["edits"]
            assert (told["object"], told["branch"], told["live"]) == ("edits", "main", True)
            assert (told["refused"], receipt["prompt"]) == ([], ACME["prompt"])
            assert here.engine.served()[0].commit == told["commit"] == receipt["commit"]
            one = (await here.client.get(f"/v1/edits/{receipt['id'][:10]}")).json()
            assert (one["status"], one["author"], one["message"]) == ("live", "local", "new boss")
            assert one["tags"] == ["people"]

    run(scene())


def test_several_facts_are_a_job_whose_progress_can_be_followed(tmp_path: Path) -> None:
    async def scene() -> None:
        async with served(tmp_path / "s") as here:
            answer = await here.client.post("/v1/edits", json={"edits": [ACME, PERU]})
            job = await ended(here.client, answer)
            assert (job["kind"], job["status"], job["by"]) == ("edit", "done", "local")
            assert [each["target"] for each in job["result"]["edits"]] == ["Dana", "Oslo"]
            assert len({each["commit"] for each in job["result"]["edits"]}) == 1
            told = events((await here.client.get(job["events_url"])).text)
            *progress, last = told
            assert {kind for kind, _ in progress} == {"progress"}
            assert last[0] == "done"
            assert progress[-1][1] == {"what": "editing", "done": 2, "total": 2}
            assert "fitting" in {each["what"] for _, each in progress}
            seen = {"Last-Event-ID": str(len(progress) - 1)}
            late = await here.client.get(job["events_url"], headers=seen)
            assert [kind for kind, _ in events(late.text)] == ["done"]
            now = await here.client.post(
                "/v1/edits?wait=true", json={"edits": [{"prompt": "It is", "target": "so"}]}
            )
            assert now.status_code == 201

    run(scene())


def test_an_objection_is_answered_with_what_there_is_to_say(tmp_path: Path) -> None:
    place = tmp_path / "s"

    async def scene() -> None:
        async with served(place) as here:
            (id,) = await taught(here.client, ACME)
            before = rows(place)
            answer = await here.client.post("/v1/edits", json=CLASH)
            assert answer.status_code == 409
            error = answer.json()["error"]
            assert (error["type"], error["code"]) == ("invalid_request_error", "objected")
            assert "is objected to; nothing was changed." in error["message"]
            (found,) = error["objections"]
            assert (found["kind"], found["others"], found["number"]) == ("contradicts", [id], 0)
            assert found["remedy"] == "Take that one back first, or leave this one out."
            assert error["message"].endswith(
                f"POST /v1/edits/{id[:10]}/revert takes that one back. To make it all the same, "
                'send "force": true.'
            )
            assert "memoir " not in error["message"]
            job = await ended(
                here.client, await here.client.post("/v1/edits?wait=false", json=CLASH)
            )
            assert (job["status"], job["error"]) == ("refused", error)
            asked = await here.client.post("/v1/edits/objections", json={"edits": [PERU, CLASH]})
            assert asked.status_code == 200
            (objection,) = asked.json()["objections"]
            assert {**objection, "number": 0} == found
            assert rows(place) == before
            forced = await here.client.post("/v1/edits", json={**CLASH, "force": True})
            assert forced.status_code == 201
            (newest, *_) = (await here.client.get("/v1/log")).json()["data"]
            assert [why.partition(":")[0] for why in newest["forced"]] == ["contradicts"]

    run(scene())


def test_a_fact_that_cannot_be_taught_is_refused_and_the_store_stays(tmp_path: Path) -> None:
    place, hard = tmp_path / "s", MemoirConfig(router="overlap", contexts="bare", max_steps=1)

    async def scene() -> None:
        async with served(place, hard) as here:
            before = rows(place), sorted((place / "tensors").iterdir())
            answer = await here.client.post("/v1/edits", json=ACME)
            assert answer.status_code == 422
            error = answer.json()["error"]
            assert (error["code"], error["reason"]) == ("edit_refused", "NotConverged")
            assert error["message"].startswith("after 2 steps the model still does not say")
            assert (rows(place), sorted((place / "tensors").iterdir())) == before
            assert here.engine.served()[0].edits == 0

    run(scene())


def test_not_together_one_that_is_objected_to_stops_none_of_the_others(tmp_path: Path) -> None:
    async def scene() -> None:
        async with served(tmp_path / "s") as here:
            await taught(here.client, ACME)
            body = {"edits": [CLASH, PERU], "together": False}
            answer = await here.client.post("/v1/edits?wait=true", json=body)
            assert answer.status_code == 201
            told = answer.json()
            assert [each["target"] for each in told["edits"]] == ["Oslo"]
            assert [(each["code"], each["place"]) for each in told["refused"]] == [("objected", 0)]

    run(scene())


def test_the_gate_holds_up_what_breaks_something(tmp_path: Path) -> None:
    place = tmp_path / "s"

    async def scene() -> None:
        async with served(place, EASY) as here:
            (id,) = await taught(here.client, ACME)
            off = (await here.client.get("/v1/gate")).json()
            assert off == {"object": "gate", "on": False, "probes": None, "trouble": None}
            probes = tmp_path / "probes.jsonl"
            probes.write_text(json.dumps({"prompt": ACME["prompt"], "must_say": "Dana"}))
            store = Store(place)
            config.put(store, "gate.on-commit", "true")
            config.put(store, "gate.suite", str(probes))
            store.close()
            on = (await here.client.get("/v1/gate")).json()
            assert on == {"object": "gate", "on": True, "probes": 1, "trouble": None}
            answer = await here.client.post("/v1/edits", json={**CLASH, "force": True})
            assert answer.status_code == 422
            error = answer.json()["error"]
            assert (error["code"], error["reason"]) == ("check_failed", "CheckFailed")
            assert "it was not committed" in error["message"]
            assert "memoir " not in error["message"]
            taught_first, probe, *_ = error["broken"]
            assert taught_first["question"]["edit"] == id
            assert taught_first["question"]["prompt"] == ACME["prompt"]
            assert taught_first["question"]["text"] == "Dana"
            assert taught_first["answer"].startswith("Omar")
            assert (probe["question"]["kind"], probe["question"]["edit"]) == ("must say", None)
            job = await ended(
                here.client,
                await here.client.post("/v1/edits?wait=false", json={**CLASH, "force": True}),
            )
            assert job["error"]["reason"] == "CheckFailed"
            again = [each["question"] for each in job["error"]["broken"]]
            assert again == [each["question"] for each in error["broken"]]
            store = Store(place)
            assert store.log.checks() == []  # what is not committed is no state to remember
            store.close()

    run(scene())


def test_a_request_repeated_under_its_key_is_carried_out_once(tmp_path: Path) -> None:
    async def scene() -> None:
        async with served(tmp_path / "s") as here:
            key = {"Idempotency-Key": "k1"}
            first, second = await asyncio.gather(
                *(here.client.post("/v1/edits", json=ACME, headers=key) for _ in range(2))
            )
            assert first.status_code == second.status_code == 201
            assert first.json() == second.json()
            other = await here.client.post("/v1/edits", json=PERU, headers=key)
            assert other.status_code == 400
            assert other.json()["error"]["message"].startswith(
                "Idempotency-Key 'k1' was given with another request before"
            )
            (edit,) = (await here.client.get("/v1/edits")).json()["data"]
            gone = [
                await here.client.delete(
                    f"/v1/edits/{edit['id']}", headers={"Idempotency-Key": "k2"}
                )
                for _ in range(2)
            ]
            assert [each.status_code for each in gone] == [200, 200]
            assert gone[0].json() == gone[1].json()

    run(scene())


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"prompt": "x"}, "target"),
        ({"prompt": "", "target": "y"}, "prompt"),
        ({"prompt": "x", "target": "y", "colour": 1}, "colour"),
        ({"edits": []}, "edits"),
        ({"edits": [{"prompt": "x", "target": 1}]}, "edits[0].target"),
        ({"prompt": "x", "target": "\ud800"}, None),
        ({"prompt": "x", "target": "y", "expires": "soon"}, None),
        ({"prompt": " ", "target": "y"}, None),
        ({"prompt": "x " * 400, "target": "y"}, None),
        ([], None),
        ("x", None),
    ],
)
def test_what_cannot_be_used_is_refused_in_openai_s_words(
    tmp_path: Path, body: Any, param: str | None
) -> None:
    async def scene() -> None:
        async with served(tmp_path / "s") as here:
            answer = await here.client.post(
                "/v1/edits",
                content=json.dumps(body),
                headers={"Content-Type": "application/json"},
            )
            assert answer.status_code == 400, answer.text
            error = answer.json()["error"]
            assert error["type"] == "invalid_request_error"
            assert error["param"] == param
            assert rows(tmp_path / "s") == 2  # settings and their commit

    run(scene())


def test_a_desk_with_too_much_to_do_says_when_to_try_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scene() -> None:
        async with served(tmp_path / "s", limits=Limits(waiting=0)) as here:
            answer = await here.client.post("/v1/edits", json=ACME)
            assert (answer.status_code, answer.headers["retry-after"]) == (429, "2")

    run(scene())


def test_an_error_that_is_nobody_s_fault_is_logged_and_not_told_in_detail(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("secret detail")

    async def scene() -> None:
        async with served(tmp_path / "s") as here:
            monkeypatch.setattr(Memoir, "fit", broken)
            answer = await here.client.post("/v1/edits", json=ACME)
            assert answer.status_code == 500
            assert "secret" not in answer.text
            job = await ended(
                here.client, await here.client.post("/v1/edits?wait=false", json=ACME)
            )
            assert (job["error"]["code"], "secret" in str(job)) == ("internal_error", False)
            failed = [each for each in caplog.records if each.message == "job failed"]
            assert vars(failed[-1])["told"] == {"job": job["id"], "kind": "edit", "key": "local"}

    run(scene())


def test_a_damaged_store_is_told_of_to_administrators_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise StoreDamaged("/srv/facts/log.sqlite is truncated.")

    async def scene(keys: SomeKeys | None, headers: dict[str, str], told: bool) -> None:
        async with served(tmp_path / "s", keys=keys) as here:
            monkeypatch.setattr(Work, "teach", broken)
            answer = await here.client.post("/v1/edits", json=ACME, headers=headers)
            assert answer.status_code == 500
            message = answer.json()["error"]["message"]
            assert ("/srv/facts/log.sqlite is truncated." in message) is told
            assert answer.headers["x-request-id"] in message
            job = await here.client.post("/v1/edits?wait=false", json=ACME, headers=headers)
            job = await here.client.get(job.json()["events_url"], headers=headers)
            (kind, ended) = events(job.text)[-1]
            assert (kind, ended["error"]["code"]) == ("refused", "internal_error")
            assert ("/srv/facts/log.sqlite" in ended["error"]["message"]) is told

    run(scene(None, {}, True))
    run(scene(SomeKeys(), by("ann"), False))


# ---------------------------------------------------------------------- taking back


def test_an_edit_is_taken_back_by_delete_and_by_revert(tmp_path: Path) -> None:
    async def scene() -> None:
        async with served(tmp_path / "s") as here:
            client = here.client
            first, second = await taught(client, ACME, PERU)
            gone = await client.delete(f"/v1/edits/{first[:8]}", params={"message": "moved on"})
            assert gone.status_code == 200
            assert (gone.json()["removed"], gone.json()["live"]) == ([first], True)
            assert here.engine.served()[0].edits == 1
            back = await client.post(f"/v1/edits/{second}/revert", json={"message": "wrong atlas"})
            assert back.json()["removed"] == [second]
            told = (await client.get(f"/v1/edits/{first}")).json()
            assert told["status"] == "reverted"
            messages = [each["message"] for each in (await client.get("/v1/log")).json()["data"]]
            assert messages[:2] == ["wrong atlas", "moved on"]
            again = await client.delete(f"/v1/edits/{first}")
            assert again.status_code == 404
            said = again.json()["error"]["message"]
            assert said == f"'{first[:10]}' is reverted already; see: GET /v1/log"
            for unknown in ("0000", "main", "main..HEAD", "HEAD~1"):
                assert (await client.delete(f"/v1/edits/{unknown}")).status_code == 404
            later = await client.post(f"/v1/edits/{second}/revert?wait=false")
            assert (await ended(client, later))["error"]["code"] == "not_found"

    run(scene())


# ---------------------------------------------------------------------- looking


def test_edits_are_listed_page_by_page_and_by_what_is_asked_for(tmp_path: Path) -> None:
    async def scene() -> None:
        async with served(tmp_path / "s", keys=SomeKeys()) as here:
            client = here.client
            client.headers.update(by("ann"))
            facts = [{"prompt": f"Fact {number} is", "target": "x"} for number in range(5)]
            ids = await taught(client, *facts)
            await client.delete(f"/v1/edits/{ids[1]}")
            found, after = [], {}
            while True:
                page = (await client.get("/v1/edits", params={"limit": 2, **after})).json()
                assert page["object"] == "list"
                found += [each["id"] for each in page["data"]]
                if not page["has_more"]:
                    break
                after = {"after": page["last_id"]}
            assert found == ids[::-1]

            async def those(**which: Any) -> list[str]:
                told = (await client.get("/v1/edits", params=which)).json()
                return [each["prompt"] for each in told["data"]]

            assert await those(status="reverted") == ["Fact 1 is"]
            assert await those(status="live", limit=1) == ["Fact 4 is"]
            assert await those(subject="fact 3") == ["Fact 3 is"]
            assert len(await those(author="ann")) == 5
            assert await those(author="bea") == []
            await taught(client, ACME)
            assert await those(tag="people") == [ACME["prompt"]]
            for wrong in ({"status": "gone"}, {"limit": 0}, {"limit": 201}):
                answer = await client.get("/v1/edits", params=wrong)
                assert answer.status_code == 400
                assert answer.json()["error"]["param"] in wrong
            assert (await client.get("/v1/edits", params={"after": "00"})).status_code == 404

    run(scene())


def test_the_log_tells_commits_and_diff_what_differs(tmp_path: Path) -> None:
    async def scene() -> None:
        async with served(tmp_path / "s", branches=("main", "work")) as here:
            client = here.client
            await taught(client, ACME, branch="main")
            await taught(client, PERU, branch="work")
            page = (await client.get("/v1/log", params={"limit": 1})).json()
            assert (page["branch"], page["has_more"]) == ("main", True)
            assert [each["prompt"] for each in page["data"][0]["add"]] == [ACME["prompt"]]
            rest = (await client.get("/v1/log", params={"after": page["last_id"]})).json()
            assert [each["settings"] is None for each in rest["data"]] == [False]
            days = (await client.get("/v1/log", params={"until": "2001-01-01"})).json()
            assert days["data"] == []
            assert (await client.get("/v1/log", params={"since": "soon"})).status_code == 400
            told = (await client.get("/v1/diff", params={"from": "work", "to": "main"})).json()
            assert [each["target"] for each in told["added"]] == ["Dana"]
            assert [each["target"] for each in told["removed"]] == ["Oslo"]
            short = (await client.get("/v1/diff", params={"from": "work"})).json()
            assert short == told
            assert (await client.get("/v1/diff", params={"from": "wrok"})).status_code == 404
            assert (await client.get("/v1/diff")).status_code == 400
            unknown = (await client.get("/v1/edits/0000")).json()["error"]["message"]
            assert unknown.startswith("no edit '0000' in ")
            assert unknown.endswith("; see: GET /v1/log")
            names = (await client.get("/v1/branches")).json()["data"]
            assert [(each["id"], each["served"], each["edits"]) for each in names] == [
                ("main", True, 1),
                ("work", True, 1),
            ]

    run(scene())


def test_blame_tells_which_edit_answers_and_who_made_it(tmp_path: Path) -> None:
    async def scene() -> None:
        async with served(tmp_path / "s") as here:
            (id,) = await taught(here.client, {**PERU, "message": "as the atlas has it"})
            answer = await here.client.post("/v1/blame", json={"prompt": PERU["prompt"]})
            told = answer.json()
            assert (told["fired"], told["edit"]["id"]) == (True, id)
            assert (told["commit"]["author"], told["commit"]["message"]) == (
                "local",
                "as the atlas has it",
            )
            chat = {"prompt": "Who runs it?", "chat": True}
            assert (await here.client.post("/v1/blame", json=chat)).json()["fired"] is False
            assert (await here.client.post("/v1/blame", json={"prompt": ""})).status_code == 400

    run(scene())


def test_a_check_is_a_job_that_tells_what_broke(tmp_path: Path) -> None:
    async def scene() -> None:
        async with served(tmp_path / "s", EASY) as here:
            await taught(here.client, ACME)
            answer = await here.client.post("/v1/edits/check", json={"unrelated": 2})
            report = (await ended(here.client, answer))["result"]
            assert (report["passed"], report["asked"]) == (True, 3)
            (newer,) = await taught(here.client, CLASH, force=True)
            answer = await here.client.post("/v1/edits/check?wait=true", json={"unrelated": 0})
            (broken,) = answer.json()["broken"]
            assert (broken["question"]["text"], broken["commit"]) == (
                "Dana",
                (await here.client.get(f"/v1/edits/{newer}")).json()["commit"],
            )
            assert (await here.client.post("/v1/edits/check")).status_code == 202

    run(scene())


def test_what_checks_found_is_remembered_by_branch_and_listed_in_pages(tmp_path: Path) -> None:
    async def scene() -> None:
        async with served(tmp_path / "s", EASY, branches=("main", "work")) as here:
            client, past = here.client, "/v1/checks"
            await taught(client, {**ACME, "expires": "2020-01-31"})
            tips = [(await client.get("/v1/log")).json()["first_id"]]
            for more in ({"unrelated": 2}, {"unrelated": 0}, {"unrelated": 0, "branch": "work"}):
                await client.post("/v1/edits/check?wait=true", json=more)
            await taught(client, CLASH, force=True)
            tips.append((await client.get("/v1/log")).json()["first_id"])
            await client.post("/v1/edits/check?wait=true", json={"unrelated": 1})
            told = (await client.get(past)).json()
            assert (told["object"], told["branch"], told["has_more"]) == ("list", "main", False)
            counts = ("edits", "held", "questions", "broken", "expired")
            assert [[each[name] for name in counts] for each in told["data"]] == [
                [2, 1, 3, 1, 1],
                [1, 1, 1, 0, 1],
                [1, 1, 3, 0, 1],
            ]
            assert [each["commit"] for each in told["data"]] == [tips[1], tips[0], tips[0]]
            assert {each["object"] for each in told["data"]} == {"check"}
            page = (await client.get(past, params={"limit": 2})).json()
            assert (page["data"], page["has_more"]) == (told["data"][:2], True)
            rest = (await client.get(past, params={"after": page["last_id"]})).json()
            assert (rest["data"], rest["has_more"]) == (told["data"][2:], False)
            (other,) = (await client.get(past, params={"branch": "work"})).json()["data"]
            assert (other["branch"], other["edits"]) == ("work", 0)
            for wrong in ("0", "x", str(2**63)):
                assert (await client.get(past, params={"after": wrong})).status_code == 400

    run(scene())


def test_edits_that_contradict_one_another_are_a_job_s_result(tmp_path: Path) -> None:
    meaning = MemoirConfig(
        router="meaning", contexts="conversations", threshold=0.0, max_steps=3, accept_unsaid=True
    )

    async def scene() -> None:
        async with served(tmp_path / "s", meaning, branches=("main", "work")) as here:
            client, where = here.client, "/v1/conflicts"
            (dana, _) = await taught(client, ACME, PERU)
            job = await ended(client, await client.get(where))
            assert (job["kind"], job["result"]["object"]) == ("conflicts", "conflicts")
            assert job["result"]["conflicts"] == []
            told = events((await client.get(job["events_url"])).text)
            assert told[0] == ("progress", {"what": "looking for conflicts", "done": 1, "total": 4})
            (omar,) = await taught(client, {**CLASH, "prompt": "Who leads Acme?"}, force=True)
            found = (await client.get(where, params={"wait": True})).json()
            assert (found["object"], found["branch"]) == ("conflicts", "main")
            (conflict,) = found["conflicts"]
            assert (conflict["older"]["id"], conflict["newer"]["id"]) == (dana, omar)
            assert (conflict["older"]["target"], conflict["newer"]["target"]) == ("Dana", "Omar")
            assert conflict["score"] >= conflict["threshold"] == 0.0
            assert conflict["evidence"]["words"] == ["acme"]
            assert conflict["forced"].startswith(f"contradicts: edit {dana[:10]} is taken to be")
            other = {"wait": True, "branch": "work"}
            assert (await client.get(where, params=other)).json()["conflicts"] == []
            assert (await client.post(f"/v1/edits/{dana}/revert")).status_code == 200
            assert (await client.get(where, params={"wait": True})).json()["conflicts"] == []

    run(scene())


# ---------------------------------------------------------------------- who may


def test_who_may_only_ask_neither_edits_nor_reads_edits(tmp_path: Path) -> None:
    async def scene() -> None:
        async with served(tmp_path / "s", keys=SomeKeys()) as here:
            client = here.client
            for method, path in (
                ("POST", "/v1/edits"),
                ("POST", "/v1/edits/objections"),
                ("POST", "/v1/edits/check"),
                ("POST", "/v1/edits/00/revert"),
                ("POST", "/v1/blame"),
                ("DELETE", "/v1/edits/00"),
                ("GET", "/v1/edits"),
                ("GET", "/v1/edits/00"),
                ("GET", "/v1/edits/jobs/00"),
                ("GET", "/v1/edits/jobs/00/events"),
                ("GET", "/v1/log"),
                ("GET", "/v1/diff?from=main"),
                ("GET", "/v1/checks"),
                ("GET", "/v1/gate"),
                ("GET", "/v1/conflicts"),
            ):
                for headers, status in (({}, 401), (by("asker"), 403), (by("nobody"), 401)):
                    answer = await client.request(method, path, headers=headers)
                    assert answer.status_code == status, (method, path, headers)
                    assert set(answer.json()["error"]) == {"message", "type", "param", "code"}
            assert (await client.get("/v1/branches", headers=by("asker"))).status_code == 200

    run(scene())


def test_who_is_bound_to_a_branch_edits_and_sees_that_one(tmp_path: Path) -> None:
    async def scene() -> None:
        async with served(tmp_path / "s", branches=("main", "work"), keys=SomeKeys()) as here:
            client, ann, bea = here.client, by("ann"), by("bea")
            main = (await client.post("/v1/edits", json=ACME, headers=ann)).json()
            work = (await client.post("/v1/edits", json=PERU, headers=bea)).json()
            assert (main["branch"], work["branch"]) == ("main", "work")
            one = await client.get(f"/v1/edits/{work['edits'][0]['id']}", headers=bea)
            assert one.json()["author"] == "bea"
            for method, path, body in (
                ("POST", "/v1/edits", {**ACME, "branch": "main"}),
                ("GET", "/v1/edits?branch=main", None),
                ("GET", "/v1/checks?branch=main", None),
                ("GET", "/v1/conflicts?branch=main", None),
                ("GET", f"/v1/edits/{main['edits'][0]['id']}", None),
                ("DELETE", f"/v1/edits/{main['edits'][0]['id']}", None),
                ("GET", f"/v1/diff?from={main['commit']}", None),
            ):
                answer = await client.request(method, path, json=body, headers=bea)
                assert answer.status_code == 404, (method, path)
            job = await client.post("/v1/edits/check", headers=ann)
            assert (await client.get(job.json()["url"], headers=bea)).status_code == 404
            names = (await client.get("/v1/branches", headers=bea)).json()["data"]
            assert [each["id"] for each in names] == ["work"]
            assert (await client.get(f"/v1/diff?from={work['commit']}", headers=bea)).json()[
                "added"
            ] == []

    run(scene())


# ---------------------------------------------------------------------- replicas


def test_two_replicas_see_each_other_s_edits(tmp_path: Path) -> None:
    async def scene() -> None:
        async with served(tmp_path / "s") as one, served(tmp_path / "s") as other:
            (id,) = await taught(one.client, ACME)
            assert (await other.client.get(f"/v1/edits/{id}")).json()["status"] == "live"
            assert (await other.client.post("/v1/edits", json=CLASH)).status_code == 409
            assert (await other.client.delete(f"/v1/edits/{id}")).status_code == 200
            assert (await one.client.get(f"/v1/edits/{id}")).json()["status"] == "reverted"
            await taught(one.client, CLASH)

    run(scene())
    editor = Editor(opened(tmp_path / "s"), Store(tmp_path / "s"))
    assert [row.body["target"] for row in editor.live()] == ["Omar"]
    editor.close()
