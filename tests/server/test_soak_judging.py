"""What the judges of a soaked server find: each kind of loss, and each kind of growth."""

from __future__ import annotations

import random
from pathlib import Path

from replicas import tiny_store

from memoir.store import Store
from soak_facts import facts
from soak_judging import Held, growth, held, of_store
from soak_ledger import Ledger, State, Taught
from soak_server import Sample

SOME = [fact for fact, _ in zip(facts(0, 0, 2), range(6), strict=False)]


def ledger_of(*states: State) -> tuple[Ledger, list[Taught]]:
    """One change a fact; who was answered knows the edit's id."""
    ledger = Ledger()
    entries = [ledger.asked([fact])[0] for fact, _ in zip(SOME, states, strict=False)]
    for number, (entry, state) in enumerate(zip(entries, states, strict=True)):
        entry.state = state
        entry.id = None if state in ("asked", "refused") else f"id {number}"
    return ledger, entries


def test_what_was_acknowledged_must_be_so_and_the_rest_may_be_either() -> None:
    ledger, _ = ledger_of("in force", "taken back", "asked back", "asked", "refused")
    first, second, third, fourth, fifth, stranger = SOME
    there = ("id 0", first)
    for more in ([], [("id 2", third)], [("any", fourth)]):
        assert ledger.mistakes([there, *more]) == []
    assert ledger.mistakes([]) == [f"lost: {first}"]
    assert ledger.mistakes([("other", first)]) == [f"lost: {first}"]
    assert ledger.mistakes([there, ("id 1", second)]) == [f"in force again: {second}"]
    assert ledger.mistakes([there, ("any", fifth)]) == [f"in force, but refused: {fifth}"]
    assert ledger.mistakes([there, ("any", stranger)]) == [f"nobody taught: {stranger}"]
    assert ledger.mistakes([there, ("again", first)]) == [f"in force 2 times: {first}"]


def test_a_change_that_nobody_was_told_of_is_whole_or_not_there() -> None:
    ledger = Ledger()
    ledger.asked(SOME[:2])
    both = [("one", SOME[0]), ("two", SOME[1])]
    assert ledger.mistakes(both) == ledger.mistakes([]) == []
    assert ledger.mistakes(both[1:]) == ["half of change 0 is in force"]


def test_no_two_clients_teach_the_same() -> None:
    subjects = [[fact.subject for fact in facts(3, client, 2)] for client in range(2)]
    assert not set(subjects[0]) & set(subjects[1])
    assert len({*subjects[0], *subjects[1]}) == 70 * 70
    assert SOME[0].otherwise().prompt == SOME[0].prompt
    assert SOME[0].otherwise().target != SOME[0].target


def test_growth_is_told_apart_from_noise_and_from_what_the_store_holds() -> None:
    noise = random.Random(0)

    def grown(
        leak: float, threads: int = 20, files: int = 30, kept: float | None = None
    ) -> list[str]:
        samples = [
            Sample(5.0 + second, 500 + leak * second + noise.gauss(0, 8), 20, 30)
            for second in range(100)
        ]
        rest = (
            samples[0],
            Sample(105, 500 + (100 * leak if kept is None else kept), threads, files),
        )
        held = (Held(1, 1, 1.0), Held(9, 9, 21.0))
        return growth(samples, rest, *held).troubles(32, 8)

    assert grown(0.0) == grown(0.2) == grown(0.0, 28, 22) == []
    assert grown(1.0, kept=5.0) == grown(0.0, kept=90.0) == []
    (found,) = grown(1.0)
    assert found.startswith("memory grew by ")
    assert grown(0.0, 29, 39) == [
        "9 threads more at the end than when it was warm",
        "9 open files more at the end than when it was warm",
    ]


def test_a_store_is_held_against_the_ledger_and_against_itself(tmp_path: Path) -> None:
    place = tiny_store(tmp_path)
    ledger, (entry,) = ledger_of("in force")
    before = held(place)
    with (store := Store(place)).writing():
        row = store.row("edit", SOME[0]._asdict())
        store.commit([row])
    store.close()
    entry.id = row.id
    assert of_store(place, ledger) == []
    after = held(place)
    assert (after.edits, after.commits) == (before.edits + 1, before.commits + 1)
    assert after.megabytes > before.megabytes
    entry.state = "taken back"
    assert of_store(place, ledger) == [f"in force again: {SOME[0]}"]
    log = place / "log.sqlite"
    log.write_bytes(log.read_bytes().replace(SOME[0].target.encode(), b"X" * len(SOME[0].target)))
    assert any(each.startswith("error: ") for each in of_store(place, ledger))
