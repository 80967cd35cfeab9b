"""Served branches follow the store's log, whoever writes to it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from engines import (
    CONFIG,
    FACTS,
    answer,
    editor_on,
    engine_on,
    pieces,
    question,
    taught,
    tiny_host,
    until,
)

from memoir import methods
from memoir.editor import Editor
from memoir.errors import NotServable, ServerBusy, StoreError, UnknownName
from memoir.host import Host
from memoir.server.engine import Engine
from memoir.store import Store, short
from memoir.types import Edit

NEW_FACT = Edit("The sky over Mars is", "green")


def test_what_is_told_of_a_branch(tmp_path: Path) -> None:
    host = tiny_host()
    taught(host, tmp_path / "store")

    async def run() -> None:
        async with engine_on(host, tmp_path / "store") as engine:
            (served,) = engine.served()
            assert (served.name, served.edits, served.threshold) == ("main", len(FACTS), 0.9)
            assert served.commit == Store(tmp_path / "store").history.tip()
            assert engine.model == "tiny"

    asyncio.run(run())


def test_a_commit_of_another_editor_is_live_once_it_is_reached(tmp_path: Path) -> None:
    host = tiny_host()
    taught(host, tmp_path / "store")
    asked = question(host, NEW_FACT.prompt, 7)

    async def run() -> None:
        async with engine_on(host, tmp_path / "store", follow=60) as engine:
            before = await answer(engine, asked)
            assert not before.startswith(" green")
            # Other weights, as in another process; and a thread of its own.
            commit, id = await asyncio.to_thread(_teach, tiny_host(), tmp_path / "store", NEW_FACT)
            assert engine.served()[0].commit != commit, "nobody looked at the log yet"
            await asyncio.wait_for(engine.reached("main", commit), 5)
            generation = await engine.ask(asked)
            text = "".join(piece.text for piece in await pieces(generation))
            assert text.startswith(" green")
            assert (generation.commit, generation.match.edit_id) == (commit, id)  # type: ignore[union-attr]
            await asyncio.wait_for(engine.reached("main", commit), 5)
            first = Store(tmp_path / "store").history.line(commit)[0]
            await asyncio.wait_for(engine.reached("main", first), 5)  # it was built upon

    asyncio.run(run())


def _teach(host: Host, folder: Path, *facts: Edit) -> tuple[str, str]:
    with editor_on(host, folder) as editor:
        for result in editor.edit_many(facts):
            assert not isinstance(result, Exception), result
        return editor.at, editor.live()[-1].id


def _revert(host: Host, folder: Path, id: str) -> str:
    with editor_on(host, folder) as editor:
        return editor.revert(id).id


def test_the_log_is_followed_without_being_asked(tmp_path: Path) -> None:
    host = tiny_host()
    taught(host, tmp_path / "store")

    async def run() -> None:
        async with engine_on(host, tmp_path / "store", follow=0.05) as engine:
            commit, _ = await asyncio.to_thread(_teach, tiny_host(), tmp_path / "store", NEW_FACT)
            await until(lambda: engine.served()[0].commit == commit)
            assert engine.served()[0].edits == len(FACTS) + 1

    asyncio.run(run())


@pytest.mark.parametrize("memory", ["isolated", "shared"])
def test_answers_under_way_keep_the_state_they_began_with(tmp_path: Path, memory: str) -> None:
    host, folder = tiny_host(), tmp_path / "store"
    config = {"memory": memory, "acts_on": "all", "accept_unsaid": True}
    taught(host, folder, **config)
    fact = FACTS[0]
    long = question(host, fact.prompt, 150)

    async def run() -> None:
        async with engine_on(host, folder, follow=0.01) as engine:
            undisturbed = await answer(engine, long)
            (before,) = engine.served()
            generation = await engine.ask(long)
            stream = generation.__aiter__()
            text = (await anext(stream)).text
            id = generation.match.edit_id  # type: ignore[union-attr]
            await asyncio.to_thread(_teach, tiny_host(), folder, NEW_FACT)
            commit = await asyncio.to_thread(_revert, tiny_host(), folder, str(id))
            reached = asyncio.create_task(engine.reached("main", commit))
            if memory == "isolated":
                await asyncio.wait_for(reached, 5)
            # In a shared memory this one has to wait until the other is done.
            after = asyncio.create_task(answer(engine, long))
            text += "".join([piece.text async for piece in stream])
            assert text == undisturbed
            assert generation.commit == before.commit
            await asyncio.wait_for(reached, 5)
            assert (await after) != undisturbed, "the edit was taken back"

    asyncio.run(run())


def test_other_settings_wait_until_nothing_is_under_way(tmp_path: Path) -> None:
    host, folder = tiny_host(), tmp_path / "store"
    taught(host, folder)
    long = question(host, FACTS[0].prompt, 150)

    async def run() -> None:
        async with engine_on(host, folder, follow=0.01) as engine:
            undisturbed = await answer(engine, long)
            generation = await engine.ask(long)
            stream = generation.__aiter__()
            text = (await anext(stream)).text
            commit = await asyncio.to_thread(_bind, tiny_host(), folder, threshold=0.4)
            text += "".join([piece.text async for piece in stream])
            assert text == undisturbed
            await asyncio.wait_for(engine.reached("main", commit), 5)
            (served,) = engine.served()
            assert (served.threshold, served.edits) == (0.4, len(FACTS))
            assert await answer(engine, long) == undisturbed

    asyncio.run(run())
    assert "generate" not in vars(host.model), "closed methods leave nothing behind"


def _bind(host: Host, folder: Path, **changes: float) -> str:
    """Commit the same settings with changes."""
    with editor_on(host, folder) as editor:
        prepared = editor.method.prepare(host, replace(editor.method.config, **changes))
        with editor.store.writing():
            editor._fold.bind(host, "memoir", prepared)
        return str(editor.store.history.tip())


def test_a_branch_that_was_moved_back_is_served_as_it_is_now(tmp_path: Path) -> None:
    host, folder = tiny_host(), tmp_path / "store"
    taught(host, folder)

    async def run() -> None:
        async with engine_on(host, folder, follow=0.01) as engine:
            store = Store(folder)
            tip = str(store.history.tip())
            earlier = store.history.line(tip)[-2]
            store.move("branch/main", earlier, "reset")
            await until(lambda: engine.served()[0].commit == earlier)
            assert engine.served()[0].edits < len(FACTS)
            store.move("branch/main", None, "delete")
            await asyncio.sleep(0.05)
            assert engine.served()[0].commit == earlier, "what cannot be followed stays"
            assert engine.served()[0].error == f"the branch 'main' of {folder} was deleted."
            assert await answer(engine, question(host, FACTS[0].prompt))
            store.move("branch/main", tip, "branch")
            await until(lambda: engine.served()[0].commit == tip)
            assert engine.served()[0].error is None

    asyncio.run(run())


def test_a_log_that_cannot_be_read_is_told_once_until_it_can(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    host, folder = tiny_host(), tmp_path / "store"
    taught(host, folder)

    async def run() -> None:
        async with engine_on(host, folder, follow=0.01) as engine:
            log = engine._loop._branches._store.log
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(log, "last", _unreadable)
                await until(lambda: engine.served()[0].error == "the disk is not there")
                await asyncio.sleep(0.05)
                assert await answer(engine, question(host, FACTS[0].prompt))
            await until(lambda: engine.served()[0].error is None)

    asyncio.run(run())
    assert [record.getMessage() for record in caplog.records] == [
        "branch main does not follow its store: the disk is not there"
    ]


def _unreadable(_kind: str) -> int:
    raise OSError("the disk is not there")


def test_a_commit_is_waited_for_until_the_engine_closes(tmp_path: Path) -> None:
    host, folder = tiny_host(), tmp_path / "store"
    taught(host, folder)

    async def run() -> None:
        async with engine_on(host, folder) as engine:
            with pytest.raises(UnknownName, match="no served branch 'other'"):
                await engine.reached("other", "0" * 64)
            waiting = asyncio.create_task(engine.reached("main", "0" * 64))
            await asyncio.sleep(0.05)
            assert not waiting.done()
        with pytest.raises(ServerBusy, match="the server closed before this was done"):
            await waiting

    asyncio.run(run())


def test_what_cannot_be_served_is_refused_and_leaves_nothing_behind(tmp_path: Path) -> None:
    host, folder = tiny_host(), tmp_path / "store"
    taught(host, folder)
    with pytest.raises(UnknownName, match=r"no branch 'mian'\. Did you mean 'main'\?"):
        Engine(host, folder, ["main", "mian"])
    with pytest.raises(ValueError, match="no branch is named"):
        Engine(host, folder, [])
    empty = Store.create(tmp_path / "empty")
    with pytest.raises(UnknownName, match=r"no branch 'main'\. None is available"):
        Engine(host, tmp_path / "empty", ["main"])
    empty.close()
    assert "generate" not in vars(host.model)


def test_a_branch_without_settings_is_refused(tmp_path: Path) -> None:
    store = Store.create(tmp_path / "store")
    with store.writing():
        store.commit(why="init")
    with pytest.raises(StoreError, match="not bound to a model yet; teach it something"):
        Engine(tiny_host(), tmp_path / "store", ["main"])


@pytest.mark.parametrize("name", ["ft", "lora", "rag"])
def test_a_method_that_acts_on_whole_batches_is_refused(
    tmp_path: Path, few_background: object, name: str
) -> None:
    host = tiny_host()
    store = Store.create(tmp_path / "store")
    Editor(host, store, method=name, config=methods.get(name).presets["default"]).close()
    with pytest.raises(
        NotServable, match=rf"method '{name}', whose edits act on all prompts.*merge"
    ):
        Engine(host, tmp_path / "store", ["main"])
    assert "generate" not in vars(host.model)


def test_a_branch_that_became_unservable_says_so_and_others_go_on(
    tmp_path: Path, few_background: object
) -> None:
    host, folder = tiny_host(), tmp_path / "store"
    taught(host, folder)
    store = Store(folder)
    store.move("branch/other", store.history.tip(), "branch")

    async def run() -> None:
        async with engine_on(host, folder, ["main", "other"], follow=0.01) as engine:
            method = methods.get("ft")
            with editor_on(tiny_host(), folder) as editor, editor.store.writing():
                prepared = method.prepare(editor.host, method.Config())
                editor._fold.bind(editor.host, "ft", prepared)
            with pytest.raises(NotServable, match="method 'ft'"):
                await asyncio.wait_for(engine.reached("main", str(Store(folder).history.tip())), 5)
            assert "method 'ft'" in str(engine.served()[0].error)
            assert engine.served()[1].error is None
            with pytest.raises(NotServable, match="method 'ft'"):
                await answer(engine, question(host, FACTS[0].prompt))
            there = await answer(engine, question(host, FACTS[0].prompt, state="other"))
            assert there.startswith(" Dana")
            assert short(engine.served()[1].commit) == short(str(store.history.tip("other")))

    asyncio.run(run())


def test_the_default_settings_are_those_of_the_tests() -> None:
    """Edits apart, so that the branch need not rest when one is added."""
    assert CONFIG.memory == "isolated"
