"""The engine as a whole: questions side by side are answered as each alone is."""

from __future__ import annotations

import asyncio
import random
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from shutil import copytree

import pytest
import torch
from engines import (
    CONFIG,
    FACTS,
    answer,
    answers,
    editor_on,
    engine_on,
    greedy,
    pieces,
    question,
    taught,
    tiny_host,
    until,
)

from memoir.errors import BadInput, ServerBusy, StoreDamaged, UnknownName
from memoir.host import Host
from memoir.host.tokens import Encoded
from memoir.host.twin import twin
from memoir.server.asked import Load, Piece, Question, Sampling
from memoir.server.engine import Engine
from memoir.store import Store
from memoir.types import Edit

FAMILIES = ["llama", "gpt2", "mistral", "gptj"]
OTHER_FACTS = [Edit("The CEO of Acme is", "Rosa"), Edit("A dozen has", "eleven")]
UNTAUGHT = ["Something else entirely", "x", "One, two, three, four, five, six, seven, eight,"]


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """For each family a store whose branches ``main`` and ``other`` know different things."""
    folder = tmp_path_factory.mktemp("stores")
    for family in FAMILIES:
        store = Store.create(folder / family)
        store.close()
        host = tiny_host(family)
        with editor_on(host, folder / family, CONFIG) as editor:
            store = editor.store
            store.move("branch/other", store.history.tip(), "branch")
            for branch, facts in (("main", FACTS), ("other", OTHER_FACTS)):
                store.move("HEAD", branch, "switch")
                editor.refresh()
                for result in editor.edit_many(facts):
                    assert not isinstance(result, Exception), result
            store.move("HEAD", "main", "switch")
    return folder


@pytest.fixture
def folder(stores: Path, tmp_path: Path) -> Path:
    """LLaMA's store, to be written to."""
    copytree(stores / "llama", tmp_path / "store")
    return tmp_path / "store"


def singles(host: Host, folder: Path, crowd: Sequence[Question]) -> list[str]:
    """The answers of editors that are asked one thing at a time."""
    found: dict[int, str] = {}
    for state in ("main", "other"):
        with editor_on(host, folder, at=state) as editor:
            for number, asked in enumerate(crowd):
                if asked.state == state:
                    with editor.edits_in_force(asked.edits):
                        ids = host.generate([asked.prompt], asked.sampling.max_tokens)[0]
                    found[number] = host.tokenizer.decode(ids, skip_special_tokens=True)
    return [found[number] for number in range(len(crowd))]


def a_crowd(host: Host, count: int, seed: int) -> list[Question]:
    """Questions on both branches, with edits and without, some of which are taught."""
    chance = random.Random(seed)
    prompts = [edit.prompt for edit in (*FACTS, *OTHER_FACTS)] + UNTAUGHT
    return [
        question(
            host,
            chance.choice(prompts),
            chance.randint(1, 30),
            chance.choice(["main", "other"]),
            chance.random() > 0.25,
        )
        for _ in range(count)
    ]


@pytest.mark.parametrize("family", FAMILIES)
def test_32_at_once_are_answered_as_each_alone(stores: Path, family: str) -> None:
    host, folder = tiny_host(family), stores / family
    both = [question(host, FACTS[0].prompt, state=state) for state in ("main", "other")]
    crowd = [*both, *a_crowd(host, 30, seed=7)]
    expected = singles(host, folder, crowd)

    async def later(engine: Engine, asked: Question, seconds: float) -> str:
        await asyncio.sleep(seconds)
        return await answer(engine, asked)

    async def run() -> list[str]:
        async with engine_on(host, folder, ["main", "other"], rows=24) as engine:
            chance = random.Random(1)
            return list(
                await asyncio.gather(*(later(engine, each, chance.random() / 5) for each in crowd))
            )

    found = asyncio.run(run())
    for asked, text, alone in zip(crowd, found, expected, strict=True):
        assert text == alone, asked
    fired = [text for text in found if text.startswith((" Dana", " Rosa"))]
    assert len({text[:5] for text in fired}) == 2, "the branches know different things"


def test_each_answer_says_which_edit_fired(folder: Path) -> None:
    host = tiny_host()

    async def run() -> None:
        async with engine_on(host, folder, ["main", "other"]) as engine:
            asked = [
                question(host, FACTS[0].prompt, state="main"),
                question(host, FACTS[0].prompt, state="other"),
                question(host, FACTS[0].prompt, edits=False),
                question(host, UNTAUGHT[0]),
            ]
            made = [await engine.ask(each) for each in asked]
            await asyncio.gather(*map(pieces, made))
            main, other, off, nothing = (each.match for each in made)
            assert main is not None
            assert other is not None
            assert nothing is not None
            assert (main.fired, other.fired, nothing.fired) == (True, True, False)
            assert main.edit_id != other.edit_id
            assert off is None
            assert [each.commit for each in made[:2]] == [s.commit for s in engine.served()]
            assert made[0].prompt_tokens == len(asked[0].prompt.prompt)
            assert [each.completion_tokens for each in made] == [12] * 4

    asyncio.run(run())


@pytest.fixture
def acted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Rows of each call of the memory."""
    from memoir.methods.memoir import Memoir

    calls: list[int] = []
    act = Memoir.act

    def counted(self: Memoir, activations: torch.Tensor, *rest: object) -> object:
        calls.append(len(activations))
        return act(self, activations, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(Memoir, "act", counted)
    return calls


def test_once_the_target_is_said_the_memory_is_not_called(folder: Path, acted: list[int]) -> None:
    host = tiny_host()
    fact = FACTS[0]

    async def run() -> None:
        async with engine_on(host, folder) as engine:
            (text,) = await answers(engine, [question(host, fact.prompt, 40)])
            before, said, after = text.partition(fact.target)
            assert said
            assert after
            letters = len(before + said)  # a token each
            assert len(acted) == 1 + letters, "for the prompt, and until the target's last token"

    asyncio.run(run())


def test_a_prompt_without_a_fired_edit_costs_no_call_of_the_memory(
    folder: Path, acted: list[int]
) -> None:
    host = tiny_host()

    async def run() -> None:
        async with engine_on(host, folder) as engine:
            await answers(engine, [question(host, text, 20) for text in UNTAUGHT])
            assert len(acted) == len(UNTAUGHT), "once each, when the prompt is read"
            assert set(acted) == {1}

    asyncio.run(run())


def test_a_seed_draws_the_same_whoever_shares_the_batch(folder: Path) -> None:
    host = tiny_host()
    drawn = question(host, FACTS[1].prompt, 25, temperature=0.9, top_p=0.95, seed=5)
    others = [question(host, text, 25, temperature=1.5) for text in UNTAUGHT * 3]

    async def run() -> None:
        async with engine_on(host, folder) as engine:
            alone = await answer(engine, drawn)
            assert (await answers(engine, [*others[:4], drawn, *others[4:]]))[4] == alone
            await answers(engine, others[:2])
            assert await answer(engine, drawn) == alone

    asyncio.run(run())


def test_a_stop_text_ends_the_answer_across_tokens(folder: Path) -> None:
    host = tiny_host()

    async def run() -> None:
        async with engine_on(host, folder) as engine:
            made = await engine.ask(question(host, FACTS[0].prompt, 30, stop=("an", "zzz")))
            found = await pieces(made)
            assert "".join(piece.text for piece in found) == " D"
            assert (found[-1].finish, made.completion_tokens) == ("stop", 4)
            assert [piece.finish for piece in found[:-1]] == [None] * (len(found) - 1)
            whole = await pieces(await engine.ask(question(host, FACTS[0].prompt, 4, stop=("ax",))))
            assert "".join(piece.text for piece in whole) == " Dan"
            assert whole[-1].finish == "length"

    asyncio.run(run())


def test_an_end_token_ends_the_answer_and_is_not_told(folder: Path) -> None:
    host = tiny_host()
    (end,) = host.tokenizer("n", add_special_tokens=False)["input_ids"]
    host.model.generation_config.eos_token_id = [end]

    async def run() -> None:
        async with engine_on(host, folder) as engine:
            made = await engine.ask(question(host, FACTS[0].prompt, 30, likeliest=1))
            found = await pieces(made)
            assert "".join(piece.text for piece in found) == " Da"
            assert (found[-1].finish, made.completion_tokens) == ("stop", 4)
            assert "".join(token.text for piece in found for token in piece.tokens) == " Da"

    asyncio.run(run())


def test_logprobs_are_those_of_the_edited_model(folder: Path) -> None:
    host = tiny_host()
    asked = question(host, FACTS[0].prompt, 5, likeliest=3)

    async def run() -> list[Piece]:
        async with engine_on(host, folder) as engine:
            plain = await pieces(await engine.ask(question(host, FACTS[0].prompt, 5)))
            assert all(piece.tokens == () for piece in plain)
            return await pieces(await engine.ask(asked))

    tokens = [token for piece in asyncio.run(run()) for token in piece.tokens]
    assert "".join(token.text for token in tokens) == " Dana"
    ids = [*asked.prompt.prompt, *(token.id for token in tokens[:-1])]
    with editor_on(host, folder) as editor, editor.method.attachment.scope([len(ids) - 4]):
        logits = host.logits(host.batch([Encoded(ids)]), 5)[0].log_softmax(-1)
    for token, row in zip(tokens, logits, strict=True):
        assert token.logprob == pytest.approx(float(row[token.id]), abs=1e-3)
        assert [each for _, each in token.likeliest] == pytest.approx(
            row.topk(3)[0].tolist(), abs=1e-3
        )


def test_a_cancelled_question_frees_its_row_and_others_go_on(folder: Path) -> None:
    host = tiny_host()
    long = question(host, UNTAUGHT[0], 200)

    async def run() -> None:
        async with engine_on(host, folder, rows=2) as engine:
            made = [await engine.ask(long) for _ in range(3)]
            first = await anext(made[0].__aiter__())
            assert first.finish is None
            await until(lambda: engine.load() == Load(2, 1))
            made[0].cancel()
            made[0].cancel()
            await until(lambda: engine.load() == Load(2, 0))
            made[2].cancel()
            assert await pieces(made[2]) == []
            text = "".join(piece.text for piece in await pieces(made[1]))
            assert made[0].completion_tokens < 200
            made[1].cancel()
            await until(lambda: engine.load() == Load(0, 0))
            assert text == await answer(engine, long)

    asyncio.run(run())


def test_a_reader_that_leaves_stops_the_work(folder: Path) -> None:
    host = tiny_host()
    long = question(host, UNTAUGHT[0], 200)

    async def run() -> None:
        async with engine_on(host, folder) as engine:
            task = asyncio.create_task(answer(engine, long))
            await until(lambda: engine.load().running == 1)
            task.cancel()
            await until(lambda: engine.load() == Load(0, 0))

    asyncio.run(run())


def test_a_loop_that_closed_stops_the_work(folder: Path) -> None:
    host = tiny_host()
    engine = Engine(host, folder, ["main"])
    asyncio.run(_ask_only(engine, question(host, UNTAUGHT[0], 200)))

    async def run() -> None:
        await until(lambda: engine.load() == Load(0, 0))
        assert (await answer(engine, question(host, FACTS[0].prompt))).startswith(" Dana")
        await engine.close(5)

    asyncio.run(run())


async def _ask_only(engine: Engine, asked: Question) -> None:
    await engine.ask(asked)


def test_the_queue_is_bounded(folder: Path) -> None:
    host = tiny_host()
    long = question(host, UNTAUGHT[0], 200)

    async def run() -> None:
        async with engine_on(host, folder, rows=1, waiting=2) as engine:
            made = [await engine.ask(long)]
            await until(lambda: engine.load() == Load(1, 0))
            made += [await engine.ask(long) for _ in range(2)]
            with pytest.raises(
                ServerBusy, match="2 questions wait already, and at most 2 may"
            ) as e:
                await engine.ask(long)
            assert e.value.retry_after >= 1
            for each in made:
                each.cancel()
            await until(lambda: engine.load() == Load(0, 0))
            assert await answer(engine, question(host, FACTS[0].prompt))

    asyncio.run(run())


def test_closing_drains_what_was_taken_in(folder: Path) -> None:
    host = tiny_host()
    asked = question(host, FACTS[0].prompt, 60)

    async def run() -> None:
        async with engine_on(host, folder, rows=1) as engine:
            under_way = [asyncio.create_task(answer(engine, asked)) for _ in range(2)]
            await until(lambda: engine.load().running == 1)
            closing = asyncio.create_task(engine.close(30))
            await asyncio.sleep(0)
            await until(lambda: closing.done() or engine._loop._waiting._closed)
            with pytest.raises(ServerBusy, match="the server is closing"):
                await engine.ask(asked)
            first, second = await asyncio.gather(*under_way)
            assert first == second
            await closing

    asyncio.run(run())
    assert "generate" not in vars(host.model)
    assert not any(thread.name == "memoir-engine" for thread in threading.enumerate())


def test_closing_without_patience_ends_what_is_left(folder: Path) -> None:
    host = tiny_host()
    asked = question(host, UNTAUGHT[0], 200)

    async def run() -> None:
        engine = Engine(host, folder, ["main"])
        running = asyncio.create_task(answer(engine, asked))
        await until(lambda: engine.load().running == 1)
        await engine.close(0)
        with pytest.raises(ServerBusy, match="the server closed before this was done"):
            await running
        await engine.close(0)

    asyncio.run(run())


def test_a_question_that_cannot_be_answered_is_refused(folder: Path) -> None:
    host = tiny_host()

    async def run() -> None:
        async with engine_on(host, folder) as engine:
            with pytest.raises(UnknownName, match=r"no served branch 'other'\. Available: main"):
                await engine.ask(question(host, "x", state="other"))
            with pytest.raises(
                BadInput, match=r"the prompt has 10 tokens and max_tokens is 250, 260 in all.* 256"
            ):
                await engine.ask(question(host, "x" * 10, 250))
            assert len(await answer(engine, question(host, "x" * 10, 246))) > 0
            with pytest.raises(BadInput, match="the prompt is empty"):
                await engine.ask(Question(Encoded([]), Sampling(5), "main"))
            with pytest.raises(BadInput, match="token id 999, but tiny has 0 to 259"):
                await engine.ask(Question(Encoded([5, 999]), Sampling(5), "main"))

    asyncio.run(run())


def test_an_edit_whose_file_is_damaged_fails_its_own_question_only(folder: Path) -> None:
    host = tiny_host()
    fact = FACTS[0]
    store = Store(folder)
    row = next(entry.row for entry in store.entries() if entry.edit.prompt == fact.prompt)
    file = store.file(str(row.sha256))
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.chmod(0o644)
    file.write_bytes(content)
    store.close()
    others = [question(host, each.prompt) for each in FACTS[1:]]

    async def run() -> None:
        async with engine_on(host, folder) as engine:
            bad = asyncio.create_task(answer(engine, question(host, fact.prompt)))
            found = await answers(engine, others)
            with pytest.raises(StoreDamaged):
                await bad
            assert [text[:4] for text in found] == [" Osl", " red"]

    asyncio.run(run())


def test_a_step_that_fails_loses_what_is_under_way_and_nothing_else(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = tiny_host()
    asked = question(host, FACTS[0].prompt)

    async def run() -> None:
        async with engine_on(host, folder) as engine:
            good = await answer(engine, asked)
            step = host.step

            def fails(*args: object, **kwargs: object) -> object:
                monkeypatch.setattr(host, "step", step)
                raise MemoryError("no room for the cache")

            monkeypatch.setattr("memoir.server.engine.loop.batches.step", fails)
            with pytest.raises(MemoryError, match="no room"):
                await answer(engine, asked)
            monkeypatch.undo()
            assert await answer(engine, asked) == good

    asyncio.run(run())


class Panic(BaseException):
    """As a tokenizer's Rust raises it."""


@pytest.mark.parametrize("error", [MemoryError("no room"), Panic("index out of bounds")])
@pytest.mark.parametrize("where", ["begin", "joined"])
def test_a_prompt_that_was_taken_and_not_read_is_lost_aloud(
    folder: Path, monkeypatch: pytest.MonkeyPatch, where: str, error: BaseException
) -> None:
    host = tiny_host()
    asked = question(host, FACTS[0].prompt)

    async def run() -> None:
        async with engine_on(host, folder) as engine:
            good = await answer(engine, asked)

            def fails(*args: object, **kwargs: object) -> object:
                raise error

            monkeypatch.setattr(f"memoir.server.engine.loop.batches.{where}", fails)
            with pytest.raises(Exception, match=str(error)):
                await asyncio.wait_for(answer(engine, asked), 20)
            monkeypatch.undo()
            assert await answer(engine, asked) == good
            await until(lambda: engine.load().running == 0)

    asyncio.run(run())


def test_a_log_that_cannot_be_followed_keeps_nobody_waiting(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = tiny_host()
    asked = question(host, FACTS[0].prompt)

    async def run() -> None:
        async with engine_on(host, folder) as engine:
            good = await answer(engine, asked)

            def fails(self: object) -> None:
                raise KeyError("a commit that nobody knows")

            monkeypatch.setattr("memoir.server.engine.branches.Branches.follow", fails)
            await asyncio.sleep(0.6)  # two looks at the log
            assert await asyncio.wait_for(answer(engine, asked), 20) == good

    asyncio.run(run())


def test_an_edit_is_fitted_in_another_thread_while_questions_are_answered(folder: Path) -> None:
    """On the same weights, each without a trace of the other."""
    host = tiny_host()
    other = twin(host)
    fact = Edit("The moon is made of", "milk")
    long = question(host, FACTS[0].prompt, 120)
    with editor_on(tiny_host(), folder, at="other") as elsewhere:
        quietly = elsewhere.method.fit([fact])[0]

    def teach() -> tuple[str, list[float], str]:
        with editor_on(other, folder) as editor:
            receipt = editor.edit(fact.prompt, fact.target)
            (again,) = editor.method.fit([fact])
            return str(receipt.commit), list(again.losses), editor.ask(fact.prompt).text

    async def run() -> None:
        async with engine_on(host, folder, follow=0.01) as engine:
            undisturbed = await answer(engine, long)
            fitting = asyncio.create_task(asyncio.to_thread(teach))
            found = []
            while not fitting.done():
                found += await answers(engine, [long, long])
            assert set(found) == {undisturbed}
            commit, losses, text = await fitting
            assert losses == pytest.approx(list(quietly.losses), rel=1e-3)
            assert text.startswith(fact.target)
            await asyncio.wait_for(engine.reached("main", commit), 5)
            assert (await answer(engine, question(host, fact.prompt))).startswith(" milk")

    asyncio.run(run())


def test_what_another_editor_has_attached_does_not_act_here(folder: Path, tmp_path: Path) -> None:
    """An ordinary editor of the same weights."""
    host = tiny_host()
    other = twin(host)
    taught(tiny_host(), tmp_path / "foreign", [Edit(UNTAUGHT[0], "no")])
    from memoir.editor import Editor

    asked = question(host, UNTAUGHT[0], 6)

    async def run() -> None:
        async with engine_on(host, folder) as engine:
            plain = await answer(engine, asked)
            with Editor(other, Store(tmp_path / "foreign")) as editor:
                assert await answer(engine, asked) == plain
                assert editor.ask(UNTAUGHT[0], max_new_tokens=3).text == "no"
                # And the other way round: what is served does not act there.
                assert not greedy(other, FACTS[0].prompt, 6).startswith(" Dana")
            assert await answer(engine, asked) == plain

    asyncio.run(run())


@pytest.fixture
def real_threads() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


@pytest.mark.slow
def test_the_default_model_tells_what_it_was_taught_to_16_at_once(
    smollm2: Host, tmp_path: Path, real_threads: None
) -> None:
    from facts import demo_edits
    from memoir.methods.memoir import MemoirConfig

    facts = demo_edits(8)
    with editor_on(smollm2, tmp_path / "store", MemoirConfig()) as editor:
        for result in editor.edit_many(facts):
            assert not isinstance(result, Exception), result
        others = ["The capital of France is", "Water boils at", "My favourite food is", "2 + 2 ="]
        plain = [greedy(smollm2, text, 12) for text in others]

    async def run() -> list[str]:
        async with engine_on(smollm2, tmp_path / "store") as engine:
            taught_ones = [question(smollm2, fact.prompt, 12) for fact in facts]
            off = [question(smollm2, fact.prompt, 12, edits=False) for fact in facts[:4]]
            return await answers(
                engine, [*taught_ones, *off, *(question(smollm2, text, 12) for text in others)]
            )

    found = asyncio.run(run())
    for fact, text in zip(facts, found, strict=False):
        assert text.strip().startswith(fact.target), fact
    with editor_on(smollm2, tmp_path / "store") as editor, editor.edits_in_force(False):
        assert found[8:12] == [greedy(smollm2, fact.prompt, 12) for fact in facts[:4]]
    assert found[12:] == plain
