"""The desk: one change at a time, live when it is told, whole or not at all."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from desks import QUICK, opened, run, served

from memoir.editor import Editor
from memoir.errors import BadInput, EditRefused, LossNotFinite, ServerBusy, UnknownName
from memoir.methods.memoir import Memoir
from memoir.server.desk import Desk, Job, Limits, Order, Taught
from memoir.store import Store
from memoir.types import Edit, Receipt, Record

ANN = Order("main", "ann")
FACTS = [
    Record(Edit("The CEO of Acme is", "Dana")),
    Record(Edit("The capital of Peru is", "Oslo")),
]


def receipts(taught: Taught) -> list[Receipt]:
    return [each for each in taught.results if isinstance(each, Receipt)]


def live(place: Path, branch: str = "main") -> list[str]:
    store = Store(place)
    found = [row.body["target"] for row in store.live(store.history.tip(branch))]
    store.close()
    return found


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> tuple[threading.Event, threading.Event]:
    """Fitting says when it begins, and goes on when it is let."""
    begun, let = threading.Event(), threading.Event()
    fit = Memoir.fit

    def held(self, edits, progress=None):  # type: ignore[no-untyped-def]
        begun.set()
        assert let.wait(60)
        return fit(self, edits)

    monkeypatch.setattr(Memoir, "fit", held)
    return begun, let


async def reached(event: threading.Event) -> None:
    assert await asyncio.to_thread(event.wait, 60)


def test_what_is_taught_is_live_durable_and_by_the_caller(tmp_path: Path) -> None:
    async def scene() -> None:
        async with served(tmp_path / "s") as here:
            taught = await here.desk.teach(ANN, FACTS, "two facts").outcome()
            assert taught.live
            assert len(receipts(taught)) == 2
            (state,) = here.engine.served()
            assert (state.commit, state.edits) == (taught.commit, 2)
            row = await here.desk.look(lambda store: store.find(taught.commit))
            assert (row.body["author"], row.body["message"]) == ("ann", "two facts")
            back = await here.desk.revert(ANN, receipts(taught)[0].id[:12]).outcome()
            assert back.live
            assert back.row.body["author"] == "ann"

    run(scene())
    assert live(tmp_path / "s") == ["Oslo"]


def test_each_branch_has_its_own_edits_and_the_bits_of_an_editor_alone(tmp_path: Path) -> None:
    place = tmp_path / "s"

    async def scene() -> None:
        async with served(place, branches=("main", "work")) as here:
            for number in range(2):  # in turns, so that each is attached while the other is edited
                for branch in ("main", "work"):
                    fact = Record(Edit(f"Fact {number} of {branch} is", "red"))
                    await here.desk.teach(Order(branch, "ann"), [fact]).outcome()

    run(scene())
    store = Store(place)
    asked = [f"Fact {number} of {branch} is" for branch in ("main", "work") for number in (0, 1)]
    for branch in ("main", "work"):
        rows = store.live(store.history.tip(branch))
        assert [row.body["prompt"] for row in rows] == [each for each in asked if branch in each]
        alone = Store.create(tmp_path / branch)
        host = opened(tmp_path / branch)
        editor = Editor(host, alone)
        for row in rows:
            receipt = editor.edit(row.body["prompt"], "red")
            assert (
                alone.find(receipt.id).sha256 == row.sha256
            )  # fitted as if it were the only branch
        editor.close()
    store.close()


def test_a_refused_change_leaves_the_store_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "s"
    fit = Memoir.fit

    def spoilt(self, edits, progress=None):  # type: ignore[no-untyped-def]
        return [
            LossNotFinite("no number") if "Peru" in edit.prompt else change
            for edit, change in zip(edits, fit(self, edits), strict=True)
        ]

    async def scene() -> None:
        async with served(place) as here:
            await here.desk.teach(ANN, [Record(Edit("A fact is", "true"))]).outcome()
            with monkeypatch.context() as patch:
                patch.setattr(Memoir, "fit", spoilt)
                before = files(place)
                with pytest.raises(LossNotFinite, match="no number"):
                    await here.desk.teach(ANN, FACTS).outcome()
                assert files(place) == before
                taught = await here.desk.teach(ANN, FACTS, together=False).outcome()
                assert [type(each) for each in taught.results] == [Receipt, LossNotFinite]
                with pytest.raises(EditRefused):
                    await here.desk.teach(ANN, FACTS[1:], together=False).outcome()
            await here.desk.teach(ANN, FACTS[1:]).outcome()

    run(scene())
    assert live(place) == ["true", "Dana", "Oslo"]


def files(place: Path) -> tuple[list[str], int]:
    store = Store(place)
    rows = len(store.log.rows())
    store.close()
    return sorted(each.name for each in (place / "tensors").iterdir()), rows


def test_looking_and_asking_go_on_while_a_change_is_under_way(
    tmp_path: Path, slow: tuple[threading.Event, threading.Event]
) -> None:
    begun, let = slow

    async def scene() -> None:
        async with served(tmp_path / "s") as here:
            job = here.desk.teach(ANN, FACTS)
            await reached(begun)
            blame = await here.desk.blame("main", "The CEO of Acme is", chat=False)
            assert (blame.edit, blame.fired) == (None, False)
            assert await here.desk.look(lambda store: store.live()) == []
            assert job.status == "running"
            let.set()
            await job.outcome()
            blame = await here.desk.blame("main", "The CEO of Acme is", chat=False)
            assert blame.edit is not None
            assert blame.commit is not None
            assert (blame.edit.body["target"], blame.commit.body["author"]) == ("Dana", "ann")

    run(scene())


def test_jobs_are_done_in_turn_and_tell_their_progress(
    tmp_path: Path, slow: tuple[threading.Event, threading.Event]
) -> None:
    begun, let = slow

    async def scene() -> None:
        async with served(tmp_path / "s") as here:
            first, second = here.desk.teach(ANN, FACTS), here.desk.check(ANN, unrelated=2)
            await reached(begun)
            assert (first.status, second.status) == ("running", "waiting")
            let.set()
            report = await second.outcome()
            assert first.status == "done"
            assert report.asked == 4
            events = [(event.kind, event.told) async for event in first.follow()]
            told = [each for each in events if each[1].get("what") != "fitting"]
            assert told == [
                ("progress", {"what": "looking for objections", "done": 0, "total": 2}),
                ("progress", {"what": "editing", "done": 0, "total": 2}),
                ("progress", {"what": "editing", "done": 2, "total": 2}),
                ("done", {}),
            ]
            assert [event.number async for event in first.follow(2)] == [*range(2, len(events))]

    run(scene())


def test_a_desk_that_has_too_much_to_do_takes_no_more(
    tmp_path: Path, slow: tuple[threading.Event, threading.Event]
) -> None:
    _, let = slow

    async def scene() -> None:
        async with served(tmp_path / "s", limits=Limits(waiting=2)) as here:
            jobs = [here.desk.teach(ANN, FACTS[:1]), here.desk.teach(ANN, FACTS[1:])]
            with pytest.raises(ServerBusy) as refused:
                here.desk.teach(ANN, FACTS)
            assert str(refused.value) == (
                "2 changes and checks wait already; nothing was taken in. Try later."
            )
            let.set()
            for job in jobs:
                await job.outcome()

    run(scene())
    assert live(tmp_path / "s") == ["Dana", "Oslo"]


def test_the_same_asked_twice_under_one_name_is_done_once(tmp_path: Path) -> None:
    async def scene() -> None:
        async with served(tmp_path / "s") as here:
            order = Order("main", "ann", "k1", "all of it")
            first = here.desk.teach(order, FACTS)
            assert here.desk.teach(order, FACTS) is first
            await first.outcome()
            assert here.desk.teach(order, FACTS) is first
            with pytest.raises(BadInput, match="'k1' was given with another request before"):
                here.desk.teach(Order("main", "ann", "k1", "something else"), FACTS)
            other = here.desk.teach(Order("main", "bea", "k1", "x"), [Record(Edit("It is", "so"))])
            assert other is not first
            await other.outcome()

    run(scene())
    assert live(tmp_path / "s") == ["Dana", "Oslo", "so"]


def test_jobs_that_ended_long_ago_are_forgotten(tmp_path: Path) -> None:
    async def scene() -> None:
        async with served(tmp_path / "s", limits=Limits(kept=1)) as here:
            jobs: list[Job] = []
            for number in range(4):
                jobs.append(here.desk.objections(ANN, [Edit(f"Fact {number} is", "x")]))
                await jobs[-1].outcome()
            assert here.desk.job(jobs[-1].id) is jobs[-1]
            with pytest.raises(UnknownName, match=f"no job '{jobs[0].id}'; a job is known"):
                here.desk.job(jobs[0].id)

    run(scene())


def test_a_change_that_the_engine_is_slow_to_see_is_told_as_such(tmp_path: Path) -> None:
    async def scene() -> None:
        async with served(tmp_path / "s", limits=Limits(live=0.2)) as here:
            here.engine.behind = True
            taught = await here.desk.teach(ANN, FACTS).outcome()
            assert not taught.live

    run(scene())
    assert live(tmp_path / "s") == ["Dana", "Oslo"]


def test_closing_finishes_the_change_under_way_and_refuses_those_that_wait(
    tmp_path: Path, slow: tuple[threading.Event, threading.Event]
) -> None:
    begun, let = slow

    async def scene() -> None:
        async with served(tmp_path / "s") as here:
            first, second = here.desk.teach(ANN, FACTS[:1]), here.desk.teach(ANN, FACTS[1:])
            await reached(begun)
            here.closed = True
            closing = asyncio.ensure_future(here.desk.close(60))
            await asyncio.sleep(0.05)
            third = here.desk.teach(ANN, FACTS)
            let.set()
            await closing
            assert (await first.outcome()).live
            for job in (second, third):
                with pytest.raises(ServerBusy, match="the server is closing"):
                    await job.outcome()

    run(scene())
    assert live(tmp_path / "s") == ["Dana"]


def test_a_change_that_takes_too_long_at_the_end_is_given_up_whole(
    tmp_path: Path, slow: tuple[threading.Event, threading.Event]
) -> None:
    begun, let = slow
    one_by_one = replace(QUICK, batch_size=1)
    opened(tmp_path / "s", one_by_one)
    before = files(tmp_path / "s")

    async def scene() -> None:
        async with served(tmp_path / "s", one_by_one) as here:
            job = here.desk.teach(ANN, FACTS)
            await reached(begun)
            here.closed = True
            closing = asyncio.ensure_future(here.desk.close(0.05))
            await asyncio.sleep(0.3)
            let.set()  # the first is fitted; the second is not begun any more
            await closing
            with pytest.raises(ServerBusy, match="what was not committed yet was not done"):
                await job.outcome()

    run(scene())
    assert live(tmp_path / "s") == []
    assert files(tmp_path / "s") == before


def test_two_desks_on_one_store_see_each_other_s_edits(tmp_path: Path) -> None:
    async def scene() -> None:
        async with served(tmp_path / "s") as one, served(tmp_path / "s") as other:
            jobs = [
                desk.teach(Order("main", by), [Record(Edit(f"Fact {number} by {by} is", "red"))])
                for number in range(3)
                for desk, by in ((one.desk, "ann"), (other.desk, "bea"))
            ]
            for job in jobs:
                await job.outcome()
            told = [await each.desk.look(lambda store: store.live()) for each in (one, other)]
            assert told[0] == told[1]
            assert len(told[0]) == 6
            id = told[0][0].id
            await other.desk.revert(Order("main", "bea"), id).outcome()
            with pytest.raises(UnknownName, match="is reverted already"):
                await one.desk.revert(ANN, id).outcome()
            blame = await other.desk.blame("main", "Fact 2 by ann is", chat=False)
            assert blame.commit is not None
            assert blame.commit.body["author"] == "ann"

    run(scene())


def test_only_served_branches_can_be_named(tmp_path: Path) -> None:
    host = opened(tmp_path / "s")
    desk = Desk(host, tmp_path / "s", ("main",), engine=None)  # type: ignore[arg-type]
    assert desk.branch(None) == "main"
    with pytest.raises(UnknownName) as refused:
        desk.branch("mian")
    assert str(refused.value) == ("no served branch 'mian'. Did you mean 'main'? Available: main.")
