"""Second moments of keys: counted per token, resumable, kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from memoir import moments
from memoir.errors import BadInput
from memoir.host import Host
from memoir.host.tokens import Encoded

LAYERS = [1, 2]
TEXTS = [f"The bees of hive {number} fly east. " * (number % 5 + 1) for number in range(40)]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache folder, small batches, no data folder."""
    monkeypatch.setattr(moments, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.setattr(moments, "SAVE_EVERY", 2)
    monkeypatch.setattr(moments, "WINDOW", 50)
    monkeypatch.delenv("MEMOIR_DATA", raising=False)
    return tmp_path / "cache"


@pytest.fixture
def corpus(tmp_path: Path) -> str:
    path = tmp_path / "texts.txt"
    path.write_text("\n".join(TEXTS), encoding="utf-8")
    return str(path)


def measured(host: Host, corpus: str, **more: Any) -> dict[int, torch.Tensor]:
    evidence = moments.measured(host, LAYERS, corpus, **more)
    return moments.load_moments(host, LAYERS, evidence)


def test_it_is_the_mean_over_all_tokens(host: Host, cache: Path, corpus: str) -> None:
    found = measured(host, corpus)
    pieces = []
    for text in TEXTS:
        ids = host.encode(text.strip()).prompt
        pieces += [ids[start : start + 50] for start in range(0, len(ids), 50)]
    for layer in LAYERS:
        keys = [host.read_layers(host.batch([Encoded(ids)]), [layer])[0][0] for ids in pieces]
        every = torch.cat(keys).double()
        torch.testing.assert_close(found[layer], every.T @ every / len(every), rtol=1e-5, atol=1e-7)
    assert moments.measured(host, LAYERS, corpus)["tokens"] == len(every)


def test_an_interrupted_measurement_goes_on_and_ends_with_the_same_bits(
    host: Host, cache: Path, corpus: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    starts: list[int] = []

    def stop_at(last: int) -> Any:
        def progress(_what: str, done: int, _total: int) -> None:
            starts.append(done)
            if done == last:
                raise KeyboardInterrupt

        return progress

    with pytest.raises(KeyboardInterrupt):
        measured(host, corpus, progress=stop_at(5))
    starts.clear()
    resumed = measured(host, corpus, progress=stop_at(-1))
    assert starts[0] == 4, "it must go on from the last saved sums"
    assert not list(cache.rglob("*.unfinished*"))
    monkeypatch.setattr(moments, "cache_folder", lambda: cache / "other")
    at_once = measured(host, corpus)
    assert all(torch.equal(resumed[layer], at_once[layer]) for layer in LAYERS)


def test_what_was_measured_is_not_measured_again(
    host: Host, cache: Path, corpus: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = measured(host, corpus)

    def refuse(*_: object) -> None:
        raise AssertionError("measured again")

    monkeypatch.setattr(moments, "_measure", refuse)
    again = measured(host, corpus)
    assert all(torch.equal(first[layer], again[layer]) for layer in LAYERS)
    with pytest.raises(AssertionError, match="measured again"):
        measured(host, corpus, texts=3)


def test_without_a_corpus_the_latest_measurement_serves(
    host: Host, cache: Path, corpus: str
) -> None:
    with pytest.raises(BadInput, match="memoir stats --corpus FILE"):
        moments.measured(host, LAYERS)
    evidence = moments.measured(host, LAYERS, corpus)
    assert moments.measured(host, LAYERS) == evidence
    with pytest.raises(BadInput, match="memoir stats"):
        moments.measured(host, [0, *LAYERS])


def test_a_store_whose_statistics_and_texts_are_gone_is_told_so(
    host: Host, cache: Path, corpus: str
) -> None:
    evidence = moments.measured(host, LAYERS, corpus)
    for path in cache.rglob("*.safetensors"):
        path.unlink()
    moments.load_moments(host, LAYERS, evidence, corpus)  # the texts are there: measured again
    for path in cache.rglob("*.safetensors"):
        path.write_bytes(b"spoilt")
    Path(corpus).write_text("other words", encoding="utf-8")
    with pytest.raises(BadInput, match="have changed or are gone"):
        moments.load_moments(host, LAYERS, evidence, corpus)


def test_texts_are_paragraphs_or_lines(tmp_path: Path) -> None:
    path = tmp_path / "texts.txt"
    path.write_text("one\nstill one\n\n two \n\n\nthree", encoding="utf-8")
    assert moments.corpus_of(path).texts == ("one\nstill one", "two", "three")
    path.write_text("one\n two\nthree\n", encoding="utf-8")
    assert moments.corpus_of(path, 2).texts == ("one", "two")
    path.write_text(" \n", encoding="utf-8")
    with pytest.raises(BadInput, match="no text"):
        moments.corpus_of(path)


def test_a_cache_that_cannot_be_written_is_named(host: Host, cache: Path, corpus: str) -> None:
    cache.write_text("a file where a folder should be")
    with pytest.raises(BadInput, match="MEMOIR_CACHE"):
        moments.measured(host, LAYERS, corpus)
