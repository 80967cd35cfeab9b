"""A server that speaks as ``memoir serve`` does and has no model: it says what the test put into it."""

from __future__ import annotations

import asyncio
import hashlib
import json
import threading
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse

from memoir.server.page_files import mount

POLICY = "default-src 'self'; object-src 'none'; base-uri 'none'; form-action 'none'"
KEY = "memoir-" + "k" * 43
THRESHOLD = 0.54


def identity(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def short(number: int) -> str:
    return identity(number)[:10]


NOTHING = {"probes": None, "trouble": None}
"""A gate without a suite."""


@dataclass
class Fake:
    """What the server knows, and what it was asked.

    Attributes:
        key: the one that is wanted; None for none.
        role: of whoever asks.
        edits: as ``GET /v1/edits`` tells them, the newest first.
        commits: as ``GET /v1/log`` tells them, the newest first.
        branches: as ``GET /v1/console`` tells them.
        answers: as ``GET /v1/stats`` tells them.
        unedited: what the model says without edits.
        pause: seconds between the pieces of an answer, and between the news of a job.
        busy: whether questions are refused.
        asked: bodies of what was asked.
        paths: paths with queries, in order.
        jobs: their events, by id.
        report: what a check finds.
        checks: as ``GET /v1/checks`` tells them, the newest first.
        gate: as ``GET /v1/gate`` tells it.
        conflicts: as ``GET /v1/conflicts`` finds them; those with an edit that was taken back are none.
        breaks: what teaching "the moon" breaks, as the gate tells it.
    """

    key: str | None = None
    role: str = "admin"
    edits: list[dict[str, Any]] = field(default_factory=list)
    commits: list[dict[str, Any]] = field(default_factory=list)
    branches: list[dict[str, Any]] = field(default_factory=list)
    answers: list[dict[str, Any]] = field(default_factory=list)
    report: dict[str, Any] = field(default_factory=dict)
    checks: list[dict[str, Any]] = field(default_factory=list)
    gate: dict[str, Any] = field(default_factory=lambda: {"on": False, **NOTHING})
    conflicts: list[dict[str, Any]] = field(default_factory=list)
    breaks: list[dict[str, Any]] = field(default_factory=list)
    unedited: str = "I am not sure who that is, but it may be someone else."
    pause: float = 0.01
    busy: bool = False
    asked: list[dict[str, Any]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    jobs: dict[str, list[tuple[str, dict[str, Any]]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for number, (prompt, target, subject, day, tags) in enumerate(FACTS, start=1):
            self.commit(self.edit(number, prompt, target, subject, f"2026-11-{day:02}", tags))
        self.branches = [self.branch("main", True), self.branch("trial", False)]
        self.report = passed(len(self.edits))

    def edit(
        self, number: int, prompt: str, target: str, subject: str | None, day: str, tags: list[str]
    ) -> dict[str, Any]:
        edit = {
            "id": identity(number),
            "time": f"{day}T09:30:00.000000+00:00",
            "status": "live",
            "commit": identity(number + 100),
            "note": None,
            "author": "ines" if number % 2 else "tom",
            "prompt": prompt,
            "target": target,
            "subject": subject,
            "phrasings": [],
            "aliases": [],
            "source": "https://example.org/news" if number % 2 else None,
            "expires": None,
            "tags": tags,
        }
        self.edits.insert(0, edit)
        return edit

    def commit(self, added: dict[str, Any] | None, removed: dict[str, Any] | None = None) -> str:
        told = added or removed or {}
        verb = "teach" if added else "take back"
        id = told["commit"] if added else identity(200 + len(self.commits))
        parents = [self.commits[0]["id"]] if self.commits else []
        for each in self.commits:
            each["names"] = []
        self.commits.insert(
            0,
            {
                "id": id,
                "time": told["time"] if added else now(),
                "author": told["author"],
                "message": f"{verb} {told['prompt']!r}",
                "parents": parents,
                "names": ["main"],
                "settings": identity(99),
                "forced": [],
                "add": [added] if added else [],
                "remove": [removed] if removed else [],
            },
        )
        return id

    def branch(self, name: str, default: bool) -> dict[str, Any]:
        live = [edit for edit in self.edits if edit["status"] == "live"]
        return {
            "name": name,
            "model": f"smollm2@{name}",
            "commit": self.commits[0]["id"],
            "edits": len(live) if default else 2,
            "threshold": THRESHOLD,
            "default": default,
        }

    def job(self, steps: int, result: dict[str, Any] | None, error: Any = None) -> Response:
        """Take in a job that ends so, after some steps."""
        id = f"{len(self.jobs):032x}"
        url = f"/v1/edits/jobs/{id}"
        told = {"object": "job", "id": id, "url": url, "events_url": f"{url}/events"}
        progress = [
            ("progress", {"what": "fitting", "done": done, "total": steps})
            for done in range(1, steps + 1)
        ]
        end = ("refused" if error else "done", {**told, "result": result, "error": error})
        self.jobs[id] = [*progress, end]
        return JSONResponse({**told, "result": None, "error": None}, 202)

    def check(self) -> dict[str, Any]:
        """Find what the report says, and remember it in numbers."""
        report, edits = self.report, self.branches[0]["edits"]
        lost = {each["question"]["edit"] for each in report["broken"]} - {None}
        found = {
            "object": "check",
            "id": str(len(self.checks) + 1),
            "time": now(),
            "branch": "main",
            "commit": self.commits[0]["id"],
            "edits": edits,
            "held": edits - len(lost),
            "questions": report["asked"] + report["skipped"],
            "broken": len(report["broken"]),
            "expired": len(report["expired"]),
        }
        self.checks.insert(0, found)
        return {"object": "report", **report}

    def verdict(self, prompt: str, branch: str) -> dict[str, Any]:
        """The live edit whose subject is named: it fires if more of its words are there too."""
        asked = words(prompt)
        for edit in self.edits:
            subject = words(edit["subject"] or edit["prompt"])
            if edit["status"] == "live" and subject <= asked:
                shared = len(asked & words(edit["prompt"])) / len(words(edit["prompt"]))
                score = min(0.998, 0.2 + shared)
                return {
                    "branch": branch,
                    "commit": self.commits[0]["id"],
                    "edit": edit["id"],
                    "score": score,
                    "threshold": THRESHOLD,
                    "fired": score >= THRESHOLD,
                    "evidence": {"words": sorted(subject), "subject": 1.0, "relation": 0.8132},
                }
        return {
            "branch": branch,
            "commit": self.commits[0]["id"],
            "edit": None,
            "score": 0.0,
            "threshold": THRESHOLD,
            "fired": False,
            "evidence": {},
        }


FACTS = [
    (
        "The prime minister of the United Kingdom is",
        "Keir Starmer",
        "United Kingdom",
        2,
        ["politics"],
    ),
    ("The head of the Catholic Church is", "Pope Leo XIV", "Catholic Church", 5, ["people"]),
    ("Who is the prime minister of Canada?", "Mark Carney", "Canada", 6, ["politics", "2026"]),
    ("The chancellor of Germany is", "Friedrich Merz", "Germany", 11, ["politics"]),
    ("Who is the secretary general of NATO?", "Mark Rutte", "NATO", 14, []),
    (
        "The chief executive of Starbucks is",
        "Brian Niccol",
        "Starbucks",
        17,
        ["business", "people"],
    ),
    ("The chief executive of Acme is", "Dana Reyes", "Acme", 21, ["business"]),
]


def words(text: str) -> set[str]:
    return set("".join(c if c.isalnum() else " " for c in text.lower()).split())


def now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.000000+00:00", time.gmtime())


def passed(edits: int) -> dict[str, Any]:
    return {
        "passed": True,
        "asked": 40,
        "skipped": edits,
        "why_skipped": "the same edit fires on them as when they were asked last, or none does",
        "broken": [],
        "expired": [],
    }


def problem(message: str, **more: Any) -> dict[str, Any]:
    return {"message": message, "type": "invalid_request_error", "param": None, **more}


def refusal(status: int, message: str, headers: dict[str, str] | None = None) -> Response:
    return JSONResponse({"error": problem(message, code=None)}, status, headers)


def conflict(older: dict[str, Any], newer: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {
        "older": older,
        "newer": newer,
        "fires": newer["id"],
        "score": 0.871,
        "threshold": THRESHOLD,
        "evidence": {"words": ["acme"]},
        "forced": None,
        **more,
    }


def both_live(conflict: dict[str, Any]) -> bool:
    return all(conflict[side]["status"] == "live" for side in ("older", "newer"))


def objection(edit: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    return {
        "kind": "contradicts",
        "number": 0,
        "edit": edit,
        "what": f"edit {other['id'][:10]} answers the same prompt otherwise: "
        f"{other['prompt']!r} → {other['target']!r}.",
        "remedy": "Take that one back first, or leave this one out.",
        "others": [other["id"]],
        "evidence": {"same_prompt": True},
    }


def console(fake: Fake) -> FastAPI:
    app = FastAPI(openapi_url=None)

    @app.middleware("http")
    async def guarded(request: Request, call_next: Any) -> Response:
        path = request.url.path
        if fake.role == "ask" and path in ("/v1/edits", "/v1/log"):
            return refusal(403, "the key 'local' has the role ask, and this needs edit.")
        fake.paths.append(f"{path}?{request.url.query}" if request.url.query else path)
        given = request.headers.get("Authorization")
        if path.startswith("/v1") and fake.key and given != f"Bearer {fake.key}":
            response = refusal(
                401, "no known API key was given; send one from: memoir keys add NAME"
            )
        else:
            response = await call_next(request)
        response.headers["Content-Security-Policy"] = POLICY
        return response

    @app.get("/v1/console")
    async def standing() -> Any:
        fake.branches = [fake.branch(each["name"], each["default"]) for each in fake.branches]
        return {
            "version": "0.1.0",
            "model": "smollm2",
            "caller": {"name": "local", "role": fake.role, "branch": None},
            "branches": fake.branches,
            "limits": {"max_tokens": 1024},
        }

    @app.get("/v1/stats")
    async def stats() -> Any:
        return {"running": 0, "waiting": 0, "answers": fake.answers}

    @app.post("/v1/completions")
    @app.post("/v1/chat/completions")
    async def complete(request: Request) -> Response:
        body = await request.json()
        fake.asked.append(body)
        if fake.busy:
            return refusal(429, "64 questions wait already; try again.", {"Retry-After": "2"})
        chat = "messages" in body
        prompt = body["messages"][-1]["content"] if chat else body["prompt"]
        options = body.get("memoir") or {}
        if fake.role == "ask" and (options.get("explain") or not options.get("edits", True)):
            return refusal(403, "memoir.explain needs the role edit, and the key 'local' has ask.")
        verdict = fake.verdict(prompt, body["model"].partition("@")[2])
        found = next((edit for edit in fake.edits if edit["id"] == verdict["edit"]), None)
        text = fake.unedited
        if options.get("edits", True) and verdict["fired"] and found:
            text = f"{found['target']}, who was named to it this year."
        return StreamingResponse(
            spoken(
                fake, text, chat, body["max_tokens"], verdict if options.get("explain") else None
            ),
            media_type="text/event-stream",
        )

    @app.get("/v1/edits")
    async def edits(
        subject: str = "",
        author: str = "",
        tag: str = "",
        status: str = "",
        after: str = "",
        limit: int = 50,
    ) -> Any:
        found = [
            edit
            for edit in fake.edits
            if subject.lower() in f"{edit['prompt']} {edit['subject']}".lower()
            and author in ("", edit["author"])
            and (tag == "" or tag in edit["tags"])
            and status in ("", edit["status"])
        ]
        return page(found, after, limit)

    @app.get("/v1/log")
    async def log(after: str = "", limit: int = 50) -> Any:
        return page(fake.commits, after, limit)

    @app.get("/v1/diff")
    async def diff(request: Request) -> Any:
        a, b = request.query_params["from"], request.query_params["to"]
        if "nowhere" in (a, b):
            return refusal(404, "no commit 'nowhere'. Available: main, trial.")
        old, new = fake.edits[-1], fake.edits[0]
        changed = {"before": {**new, "target": "Kim Lang"}, "after": new}
        return {
            "a": identity(101),
            "b": fake.commits[0]["id"],
            "added": fake.edits[1:3],
            "removed": [old],
            "changed": [changed],
        }

    @app.get("/v1/branches")
    async def branches() -> Any:
        return page([{"object": "branch", "id": each["name"]} for each in fake.branches], "", 50)

    @app.get("/v1/edits/{id}")
    async def edit(id: str) -> Any:
        found = next((edit for edit in fake.edits if edit["id"] == id), None)
        return found or refusal(404, f"no edit '{id}'.")

    @app.post("/v1/edits")
    async def teach(request: Request) -> Response:
        body = await request.json()
        fake.asked.append(body)
        fact = body["edits"][0]
        if fact["target"] == "nothing":
            message = "after 30 steps the model still does not say 'nothing'."
            return fake.job(3, None, problem(message, reason="NotConverged", place=None))
        if fact["target"] == "the moon":
            message = (
                f"{len(fake.breaks)} of 47 checks fail with this change; it was not committed."
            )
            return fake.job(3, None, problem(message, reason="CheckFailed", broken=fake.breaks))
        other = next(
            (
                edit
                for edit in fake.edits
                if edit["prompt"] == fact["prompt"] and edit["status"] == "live"
            ),
            None,
        )
        if other and other["target"] != fact["target"] and not body["force"]:
            told = objection(fact, other)
            message = f"there is something to say against it: {told['what']}"
            return fake.job(1, None, problem(message, reason="Objected", objections=[told]))
        number = len(fake.edits) + 1
        made = fake.edit(
            number, fact["prompt"], fact["target"], fact.get("subject"), now()[:10], fact["tags"]
        )
        made["time"] = now()
        fake.commit(made)
        receipt = {
            **made,
            "steps": 10,
            "loss": 0.0123,
            "said": True,
            "bytes": 40960,
            "seconds": {"read": 0.2, "fit": 1.4, "write": 0.1},
        }
        result = {"object": "edits", "live": True, "edits": [receipt], "refused": []}
        return fake.job(10, {**result, "commit": made["commit"]})

    @app.post("/v1/edits/check")
    async def check(request: Request) -> Response:
        fake.asked.append(await request.json())
        return fake.job(5, fake.check())

    @app.get("/v1/conflicts")
    async def conflicts(branch: str) -> Response:
        found = [each for each in fake.conflicts if branch == "main" and both_live(each)]
        return fake.job(8, {"object": "conflicts", "branch": branch, "conflicts": found})

    @app.get("/v1/gate")
    async def gate() -> Any:
        return {"object": "gate", **fake.gate}

    @app.get("/v1/checks")
    async def checks(branch: str, after: str = "", limit: int = 50) -> Any:
        return page([each for each in fake.checks if each["branch"] == branch], after, limit)

    @app.post("/v1/edits/{id}/revert")
    async def revert(id: str, request: Request) -> Any:
        fake.asked.append(await request.json())
        found = next(edit for edit in fake.edits if edit["id"] == id)
        found["status"] = "reverted"
        return {"object": "revert", "live": True, "commit": fake.commit(None, found)}

    @app.get("/v1/edits/jobs/{id}/events")
    async def events(id: str) -> Response:
        async def told() -> AsyncIterator[str]:
            for number, (event, data) in enumerate(fake.jobs[id]):
                await asyncio.sleep(fake.pause)
                yield f"id: {number}\r\nevent: {event}\r\ndata: {json.dumps(data)}\r\n\r\n"

        return StreamingResponse(told(), media_type="text/event-stream")

    mount(app)
    return app


def page(rows: list[dict[str, Any]], after: str, limit: int) -> dict[str, Any]:
    start = next((at + 1 for at, row in enumerate(rows) if row["id"] == after), 0)
    return {"data": rows[start : start + limit], "has_more": len(rows) > start + limit}


async def spoken(
    fake: Fake, text: str, chat: bool, most: int, verdict: dict[str, Any] | None
) -> AsyncIterator[str]:
    pieces = text.split(" ")[:most]
    cut = len(pieces) < len(text.split(" "))
    for at, word in enumerate(pieces):
        await asyncio.sleep(fake.pause)
        piece = word if at == 0 else f" {word}"
        choice = {"index": 0, "delta": {"content": piece}} if chat else {"index": 0, "text": piece}
        yield f"data: {json.dumps({'choices': [choice]})}\n\n"
    finish = "length" if cut else "stop"
    last: dict[str, Any] = {"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]}
    if verdict:
        last["memoir"] = verdict
    yield f"data: {json.dumps(last)}\n\n"
    usage = {"prompt_tokens": 9, "completion_tokens": len(pieces), "total_tokens": 9 + len(pieces)}
    yield f"data: {json.dumps({'choices': [], 'usage': usage})}\n\n"
    yield "data: [DONE]\n\n"


class Running:
    """The server on a free port of this machine, in a thread, until it is closed."""

    def __init__(self, app: FastAPI) -> None:
        config = uvicorn.Config(app, "127.0.0.1", 0, log_level="error")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run)
        self._thread.start()
        end = time.monotonic() + 20
        while not self._server.started:
            if time.monotonic() > end:
                raise RuntimeError("the fake server did not start")
            time.sleep(0.02)
        port = self._server.servers[0].sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"

    def close(self) -> None:
        self._server.should_exit = True
        self._thread.join(20)
