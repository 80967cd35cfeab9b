"""Clients of a server who ask, leave, teach, take back, and look around, at random from one seed."""

from __future__ import annotations

import json
import random
import threading
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import httpx

from soak_facts import PLAIN, Fact, facts
from soak_ledger import Ledger, Taught

TOKENS = 12
LOOKS = (
    "/v1/edits?limit=20",
    "/v1/edits?status=reverted",
    "/v1/log?limit=20",
    "/v1/stats",
    "/v1/console",
    "/v1/branches",
    "/v1/models",
    "/metrics",
    "/health",
    "/ready",
    "/version",
)
LIMITS = ("--max-batch", "8", "--max-waiting", "16")
"""Of a server for these clients: they can fill it."""
TOO_MANY = 64
"""Prompts of a request that its queue does not take."""


class Wants(NamedTuple):
    """How a crowd of clients behaves.

    Attributes:
        clients: so many at once.
        tokens: of an answer, at most.
        most: facts that one client has in force at once.
        sure: whether the model can be taught to say what it is taught; a tiny one of random weights
            cannot.
        teaching: how often they teach, and as often take back; 40 is how often they ask.
    """

    clients: int = 8
    tokens: int = TOKENS
    most: int = 12
    sure: bool = True
    teaching: int = 8


class Client:
    """One client. All it teaches is its own, so nobody else takes it back meanwhile.

    Args:
        ledger: where it notes what is acknowledged.
        number: of the client.
        seed, wants: of the crowd.
    """

    _http: httpx.Client

    def __init__(self, ledger: Ledger, number: int, seed: int, wants: Wants) -> None:
        self._ledger, self._wants = ledger, wants
        self._chance = random.Random(f"{seed} {number}")
        self._facts = facts(seed, number, wants.clients)
        self._mine: list[Taught] = []
        self._does: list[tuple[Callable[[], None], int]] = [
            (self.ask, 40),
            (self.leave, 12),
            (self.look, 15),
            (self.teach, wants.teaching),
            (self.teach_several, 1),
            (self.take_back, wants.teaching),
            (self.take_back_again, 1),
            (self.object, 1),
            (self.blame, 3),
            (self.ask_too_much, 1),
        ]
        if wants.sure:
            self._does += [(self.clash, 1), (self.check, 1)]

    def act(self, url: str, goes_on: Callable[[], bool]) -> None:
        """Do one thing after the other at a server, as long as that goes on.

        Raises:
            httpx.TransportError: the server died.
        """
        does, weights = zip(*self._does, strict=True)
        with httpx.Client(base_url=url, timeout=300) as self._http:
            while goes_on():
                (do,) = self._chance.choices(does, weights)
                do()

    def rehearse(self, url: str) -> None:
        """Do everything once."""
        with httpx.Client(base_url=url, timeout=300) as self._http:
            for do, _ in self._does:
                do()

    # ------------------------------------------------------------------ asking

    def ask(self) -> None:
        """Ask for a fact of one's own, or for something else; as text or in a chat, whole or as it
        comes."""
        known = self._one_in_force() if self._chance.random() < 0.5 else None
        prompt = known.fact.prompt if known else self._chance.choice(PLAIN)
        chat = self._chance.random() < 0.4
        said = (
            self._streamed(prompt, chat)
            if self._chance.random() < 0.5
            else self._said(prompt, chat)
        )
        if said is None or known is None or chat or not self._wants.sure:
            return
        if not said.strip().startswith(known.fact.target):
            self._ledger.surprise(f"{known.fact} is in force, and was answered with {said!r}")

    def leave(self) -> None:
        """Ask for a long answer, and leave before it is there."""
        path, body = self._question(self._chance.choice(PLAIN), self._chance.random() < 0.5)
        body |= {"stream": True, "max_tokens": 8 * self._wants.tokens}
        stay = self._chance.randrange(6)
        with self._http.stream("POST", path, json=body) as answer:
            self._expect("ask", answer.status_code, 200, 429)
            for line in answer.iter_lines():
                stay -= line.startswith("data")
                if stay <= 0:
                    break
        self._ledger.answered("leave", 0)

    def ask_too_much(self) -> None:
        """Ask for more than anybody may, and be refused."""
        body = {"prompt": [PLAIN[0]] * TOO_MANY, "max_tokens": 1}
        answer = self._http.post("/v1/completions", json=body)
        if (
            self._expect("ask too much", answer.status_code, 429)
            and "retry-after" not in answer.headers
        ):
            self._ledger.surprise("429 without Retry-After")

    def _question(self, prompt: str, chat: bool) -> tuple[str, dict[str, Any]]:
        common = {"max_tokens": self._wants.tokens, "temperature": 0}
        if chat:
            messages = [{"role": "user", "content": prompt}]
            return "/v1/chat/completions", {"messages": messages, **common}
        return "/v1/completions", {"prompt": prompt, **common}

    def _said(self, prompt: str, chat: bool) -> str | None:
        path, body = self._question(prompt, chat)
        answer = self._http.post(path, json=body)
        if not self._answered(answer.status_code):
            return None
        choice = answer.json()["choices"][0]
        return str(choice["message"]["content"] if chat else choice["text"])

    def _streamed(self, prompt: str, chat: bool) -> str | None:
        path, body = self._question(prompt, chat)
        pieces, line = [], ""
        with self._http.stream("POST", path, json=body | {"stream": True}) as answer:
            if not self._answered(answer.status_code):
                return None
            for line in filter(None, answer.iter_lines()):
                if not line.startswith("data: {"):
                    continue
                told = json.loads(line.removeprefix("data: "))
                if "error" in told:
                    self._ledger.surprise(f"in a stream: {told['error']}")
                    return None
                (choice,) = told["choices"]
                pieces.append(choice["delta"].get("content", "") if chat else choice["text"])
        if line != "data: [DONE]":
            self._ledger.surprise(f"a stream ended with {line!r}")
        return "".join(pieces)

    def _answered(self, status: int) -> bool:
        """Whether there is an answer; the queue may be full of :meth:`ask_too_much`."""
        self._expect("ask", status, 200, 429)
        return status == 200

    # ------------------------------------------------------------------ changing

    def teach(self) -> None:
        """Teach a fact; the next question must meet it."""
        if self._full():
            return
        (entry,) = self._asked(1)
        answer = self._http.post("/v1/edits", json=entry.fact._asdict())
        self._expect("teach", answer.status_code, 201, 422)
        if answer.status_code != 201:
            entry.state = "refused"
            return
        self._acknowledged([entry], answer.json())

    def teach_several(self) -> None:
        """Teach some facts as one change, and follow the job to its end."""
        if self._full():
            return
        entries = self._asked(2)
        body = {"edits": [each.fact._asdict() for each in entries], "together": True}
        answer = self._http.post("/v1/edits", json=body)
        if not self._expect("teach several", answer.status_code, 202):
            return
        job = answer.json()
        with self._http.stream("GET", job["events_url"]) as events:
            last = [line for line in events.iter_lines() if line.startswith("event:")]
        ended = self._http.get(job["url"]).json()
        if last[-1:] != [f"event: {ended['status']}"]:
            self._ledger.surprise(
                f"the events of a job that is {ended['status']} ended in {last[-1:]}"
            )
        if ended["status"] == "done":
            self._acknowledged(entries, ended["result"])
        elif ended["error"]["code"] == "edit_refused":
            self._each(entries, "refused")
        else:
            self._ledger.surprise(f"a change was not made: {ended['error']}")

    def take_back(self) -> None:
        """Take a fact back; the next question must not meet it."""
        entry = self._one_in_force()
        if entry is None:
            return
        entry.state = "asked back"
        if self._chance.random() < 0.5:
            answer = self._http.delete(f"/v1/edits/{entry.id}")
        else:
            url = f"/v1/edits/{entry.id}/revert"
            answer = self._http.post(url, json={"message": "not so"})
        if not self._expect("take back", answer.status_code, 200):
            return
        entry.state = "taken back"
        if not answer.json()["live"]:
            self._ledger.surprise(f"taking back {entry.fact} was not live in time")
        self._after(entry, False)

    def take_back_again(self) -> None:
        """Take back what is not in force any more, and be refused."""
        gone = [each for each in self._mine if each.state == "taken back"]
        if gone:
            answer = self._http.delete(f"/v1/edits/{self._chance.choice(gone).id}")
            self._expect("take back again", answer.status_code, 404)

    def clash(self) -> None:
        """Teach another answer to something that is taught, and be refused."""
        entry = self._one_in_force()
        if entry is not None:
            answer = self._http.post("/v1/edits", json=entry.fact.otherwise()._asdict())
            self._expect("clash", answer.status_code, 409)

    def _asked(self, count: int) -> list[Taught]:
        entries = self._ledger.asked([next(self._facts) for _ in range(count)])
        self._mine += entries
        return entries

    def _acknowledged(self, entries: Sequence[Taught], told: dict[str, Any]) -> None:
        for entry, edit in zip(entries, told["edits"], strict=True):
            entry.id = edit["id"]
        self._each(entries, "in force")
        if not told["live"]:
            self._ledger.surprise(f"{entries[0].fact} was not live in time")
        self._after(entries[0], True)

    def _after(self, entry: Taught, there: bool) -> None:
        """Ask at once for what has just changed."""
        said = self._said(entry.fact.prompt, False)
        if said is None or not self._wants.sure:
            return
        if said.strip().startswith(entry.fact.target) is not there:
            done = "taught" if there else "taken back"
            self._ledger.surprise(f"{entry.fact} was {done}, and then answered with {said!r}")

    def _each(self, entries: Sequence[Taught], state: Any) -> None:
        for entry in entries:
            entry.state = state

    def _one_in_force(self) -> Taught | None:
        known = [each for each in self._mine if each.state == "in force"]
        return self._chance.choice(known) if known else None

    def _full(self) -> bool:
        return sum(each.state == "in force" for each in self._mine) >= self._wants.most

    # ------------------------------------------------------------------ looking

    def look(self) -> None:
        """Look at a list, a log or a number."""
        entry = self._one_in_force()
        paths = [*LOOKS, *([f"/v1/edits/{entry.id}"] if entry else [])]
        self._expect("look", self._http.get(self._chance.choice(paths)).status_code, 200)

    def blame(self) -> None:
        """Ask which edit answers."""
        entry = self._one_in_force()
        if entry is None:
            return
        answer = self._http.post("/v1/blame", json={"prompt": entry.fact.prompt})
        if self._expect("blame", answer.status_code, 200, 429) and answer.status_code == 200:
            match = answer.json()
            if match["fired"] is not True and self._wants.sure:
                self._ledger.surprise(f"{entry.fact} is in force and does not fire")

    def object(self) -> None:
        """Ask what there is to say against a fact, without teaching it."""
        answer = self._http.post("/v1/edits/objections", json=next(self._facts)._asdict())
        self._expect("objections", answer.status_code, 200)

    def check(self) -> None:
        """Have a little checked."""
        body = {"unrelated": 2}
        answer = self._http.post("/v1/edits/check?wait=true", json=body)
        if self._expect("check", answer.status_code, 200) and not answer.json()["passed"]:
            self._ledger.surprise(f"a check found: {answer.json()['broken'][:2]}")

    def _expect(self, what: str, status: int, *allowed: int) -> bool:
        """Count an answer; whether its status is one that is documented for it."""
        self._ledger.answered(what, status)
        if status not in allowed:
            self._ledger.surprise(f"{what} was answered with {status}")
        return status in allowed


class Crowd:
    """Clients side by side.

    Args:
        seed: of all chances.
        wants: how they behave.

    Attributes:
        ledger: what was acknowledged to them.
        died: how many of them were in the middle of something when a server died.
    """

    def __init__(self, seed: int, wants: Wants | None = None) -> None:
        wants = wants or Wants()
        self.ledger = Ledger()
        self.died = 0
        self._clients = [
            Client(self.ledger, number, seed, wants) for number in range(wants.clients)
        ]

    def rehearse(self, url: str) -> None:
        """Let one of them do everything once: nothing that comes later is new to the server."""
        self._clients[0].rehearse(url)

    def act(self, url: str, goes_on: Callable[[], bool]) -> None:
        """Let them act at a server as long as that goes on, and finish what they began; they stop when
        the server dies.

        Raises:
            Exception: of a client, which is a mistake in it or a reply that cannot be read.
        """
        failed: list[Exception] = []

        def act(client: Client) -> None:
            try:
                client.act(url, lambda: not failed and goes_on())
            except httpx.TransportError:
                self.died += 1
            except Exception as error:
                failed.append(error)

        threads = [threading.Thread(target=act, args=(each,)) for each in self._clients]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if failed:
            raise failed[0]


def fact_of(told: dict[str, Any]) -> Fact:
    """The fact of an edit, as the server or the store tells it."""
    return Fact(told["prompt"], told["target"], told["subject"])
