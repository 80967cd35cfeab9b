"""What the unedited model said is remembered, for this model and this question only."""

from __future__ import annotations

import resource
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest

from memoir.bench.cache import UneditedCache
from memoir.errors import RunDamaged, RunFull
from memoir.metrics.base import Ask, Force, Say
from memoir.types import Answer, Match, Score

MODEL = {"hash": "abc", "dtype": "float32", "model": "/somewhere"}
SAY = Say("Who leads Acme?", 8, "edit", edits=False, want="Bo Li")
FORCE = Force("Who leads Acme?", "Bo Li", edits=False)
SCORE = Score((True, False), (17, 4), 0.123456789012345)

Open = Callable[..., UneditedCache]


@pytest.fixture
def open_cache(tmp_path: Path) -> Iterator[Open]:
    """Opens the same file each time."""
    opened = []

    def make(**identity: str) -> UneditedCache:
        opened.append(UneditedCache(tmp_path / "runs" / "u.sqlite", {**MODEL, **identity}))
        return opened[-1]

    yield make
    for cache in opened:
        cache.close()


@pytest.mark.parametrize(
    ("ask", "answer"),
    [(SAY, Answer("Straße “a”\nb")), (SAY, Answer("")), (FORCE, SCORE)],
)
def test_an_answer_is_the_same_after_reopening(open_cache: Open, ask: Ask, answer: Any) -> None:
    first = open_cache()
    assert first.get(ask) is None
    first.put([(ask, answer)])
    first.close()
    assert open_cache().get(ask) == answer


def test_an_answer_may_be_put_again(open_cache: Open) -> None:
    for text in ("one", "two"):
        open_cache().put([(SAY, Answer(text))])
    assert open_cache().get(SAY) == Answer("two")


def test_the_verdict_of_a_router_is_not_kept(open_cache: Open) -> None:
    open_cache().put([(SAY, Answer("a", Match("e1", 1.0, 0.5)))])
    assert open_cache().get(SAY) == Answer("a")


@pytest.mark.parametrize("changed", [{"hash": "abd"}, {"dtype": "bfloat16"}])
def test_another_model_does_not_see_it(open_cache: Open, changed: dict[str, str]) -> None:
    open_cache().put([(SAY, Answer("a")), (FORCE, SCORE)])
    other = open_cache(**changed)
    assert (other.get(SAY), other.get(FORCE)) == (None, None)
    other.put([(SAY, Answer("b"))])
    assert open_cache().get(SAY) == Answer("a")


def test_the_same_model_at_another_place_sees_it(open_cache: Open) -> None:
    open_cache().put([(SAY, Answer("a"))])
    assert open_cache(model="/elsewhere").get(SAY) == Answer("a")


@pytest.mark.parametrize("comment", [{"about": "locality"}, {"want": None}, {"want": "Ann"}])
def test_comments_on_a_question_do_not_change_it(
    open_cache: Open, comment: dict[str, str | None]
) -> None:
    open_cache().put([(SAY, Answer("a"))])
    assert open_cache().get(replace(SAY, **comment)) == Answer("a")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "other",
    [
        replace(SAY, prompt="Who leads Acme"),
        replace(SAY, tokens=9),
        replace(SAY, setting="chat"),
        replace(SAY, setting="turns"),
        replace(SAY, edits=True),
        replace(FORCE, prompt="Who leads Acme"),
        replace(FORCE, target="Bo"),
    ],
)
def test_another_question_has_no_answer_yet(open_cache: Open, other: Ask) -> None:
    open_cache().put([(SAY, Answer("a")), (FORCE, SCORE)])
    assert open_cache().get(other) is None


def test_on_a_full_disk_it_is_refused_and_works_again_later(
    open_cache: Open, tmp_path: Path
) -> None:
    cache = open_cache()
    cache.put([(SAY, Answer("a"))])
    size = (tmp_path / "runs" / "u.sqlite").stat().st_size
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        with pytest.raises(RunFull) as full:
            cache.put([(replace(SAY, prompt="q"), Answer("x")), (FORCE, SCORE), *_large()])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert str(full.value).startswith(f"{tmp_path / 'runs' / 'u.sqlite'} could not be extended (")
    assert str(full.value).endswith(
        "finished rows of the run stay. Make room and run the same command again."
    )
    assert (cache.get(SAY), cache.get(FORCE)) == (Answer("a"), None)
    cache.put([(FORCE, SCORE), *_large()])
    assert cache.get(FORCE) == SCORE


def _large() -> list[tuple[Ask, Answer]]:
    return [(replace(SAY, prompt="large"), Answer("x" * 100_000))]


def test_runs_that_open_it_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    count, rounds = 8, 10
    start = Barrier(count)

    def work(number: int) -> None:
        for round_ in range(rounds):
            start.wait(timeout=60)
            with closing(UneditedCache(tmp_path / f"{round_}.sqlite", MODEL)) as cache:
                cache.put([(replace(SAY, prompt=str(number)), Answer(str(number)))])

    with ThreadPoolExecutor(count) as pool:
        list(pool.map(work, range(count)))
    with closing(UneditedCache(tmp_path / "0.sqlite", MODEL)) as cache:
        found = [cache.get(replace(SAY, prompt=str(number))) for number in range(count)]
    assert found == [Answer(str(number)) for number in range(count)]


def test_a_file_that_is_no_cache_is_named(tmp_path: Path) -> None:
    path = tmp_path / "unedited.sqlite"
    path.write_bytes(b"not a database at all, but long enough to be read as one" * 20)
    with pytest.raises(
        RunDamaged, match=r"unedited.sqlite cannot be read \(file is not a database"
    ):
        UneditedCache(path, {"hash": "a", "dtype": "float32"})
