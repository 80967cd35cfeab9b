"""A server under load is killed, again and again: what it acknowledged stays, and nothing else."""

from __future__ import annotations

import random
import signal
import threading
import time
from pathlib import Path

import pytest
from replicas import tiny_store

from soak_clients import LIMITS, Crowd, Wants
from soak_facts import PLAIN
from soak_judging import of_edits, of_store
from soak_ledger import Ledger
from soak_server import Server

pytestmark = pytest.mark.slow

TINY = Wants(clients=6, tokens=6, most=40, sure=False, teaching=20)


def kill(place: Path, crowd: Crowd, chance: random.Random, changes: int, more: float) -> None:
    """Put a server under load, and kill it a while after it acknowledged some more changes.

    Args:
        place: of its store.
        crowd: who asks.
        chance: how long the while is, up to ``more`` seconds.
        changes: so many at least are acknowledged.
        more: see ``chance``.
    """
    died, done, enough = crowd.died, acknowledged(crowd), threading.Event()
    with Server(place, place.with_name("log"), *LIMITS) as server:

        def killing() -> None:
            until = time.monotonic() + 300
            while not enough.is_set() and time.monotonic() < until:
                if acknowledged(crowd) >= done + changes:
                    enough.set()
                time.sleep(0.01)
            time.sleep(chance.uniform(0, more))
            server.end(signal.SIGKILL)

        thread = threading.Thread(target=killing)
        thread.start()
        crowd.act(server.url, lambda: True)
        thread.join()
        assert server.process.returncode == -signal.SIGKILL
    assert crowd.died > died
    # Seen before it died: of what was being taken back then, nobody knows whether it was.
    assert enough.is_set()


def acknowledged(crowd: Crowd) -> int:
    return len(crowd.ledger.in_state("in force", "taken back"))


def judge(place: Path, ledger: Ledger, before: dict[str, str]) -> None:
    """What was acknowledged is so in the store, and in a server of it; the rest is as before."""
    assert ledger.unexpected == []
    # A file whose row its server died before writing is named, and in nobody's way.
    assert [each for each in of_store(place, ledger) if "No row names" not in each] == []
    with Server(place, place.with_name("log-after")) as server:
        assert of_edits(server, ledger) == []
        assert {prompt: server.says(prompt) for prompt in PLAIN} == before
        assert server.end() == 0
        assert server.troubles() == []


def said_before(place: Path) -> dict[str, str]:
    with Server(place, place.with_name("log-before")) as server:
        return {prompt: server.says(prompt) for prompt in PLAIN}


def test_a_server_that_is_killed_leaves_what_it_acknowledged(tmp_path: Path) -> None:
    place, crowd, chance = tiny_store(tmp_path), Crowd(3, TINY), random.Random(3)
    before = said_before(place)
    for _ in range(5):
        kill(place, crowd, chance, 8, 0.5)
        judge(place, crowd.ledger, before)
    assert crowd.ledger.in_state("in force")
    assert crowd.ledger.in_state("taken back")


def test_so_does_a_server_of_a_real_model(tmp_path: Path) -> None:
    place, crowd = tmp_path / "facts", Crowd(4, Wants(clients=4, teaching=10))
    before = said_before(place)
    kill(place, crowd, random.Random(4), 3, 10.0)
    judge(place, crowd.ledger, before)
    with Server(place, place.with_name("log-taught")) as server:
        for each in crowd.ledger.in_state("in force"):
            assert server.says(each.fact.prompt).strip().startswith(each.fact.target)
