"""Other people's clients, unmodified: the command llm, and the client of Hugging Face's hub, which has
its own reading of OpenAI's interface."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_engine import FakeEngine
from huggingface_hub import InferenceClient
from huggingface_hub.errors import HfHubHTTPError
from served_app import ASK, KEYS, listening

from memoir.server.app import create_app

SAID = "Dana Reyes née Ågren"


@pytest.fixture(scope="module")
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture(scope="module")
def address(engine: FakeEngine) -> Iterator[str]:
    with listening(create_app(engine, keys=KEYS)) as address:
        yield f"{address}/v1"


@pytest.fixture
def llm_folder(tmp_path: Path, address: str) -> Path:
    """Settings of the command llm, as its manual has them for any server of this kind."""
    (tmp_path / "extra-openai-models.yaml").write_text(
        "".join(
            f"- model_id: {id}\n  model_name: {name}\n  api_base: {address}\n  api_key_name: memoir\n"
            + extra
            for id, name, extra in (
                ("edited", "tiny@trial", ""),
                ("text", "tiny", "  completion: true\n"),
                ("missing", "gone", ""),
            )
        ),
        "utf-8",
    )
    (tmp_path / "keys.json").write_text(json.dumps({"memoir": ASK}), "utf-8")
    return tmp_path


def llm(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "llm", *words],
        env={**os.environ, "LLM_USER_PATH": str(folder), "PYTHONIOENCODING": "utf-8"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=60,
        check=False,
    )


def test_llm_asks_a_branch(llm_folder: Path, engine: FakeEngine) -> None:
    for more in ((), ("--no-stream", "-o", "temperature", "0", "-s", "Be brief.")):
        done = llm(llm_folder, "-m", "edited", *more, "Who runs Acme?")
        assert done.stdout.strip() == SAID, done.stderr
        assert engine.asked[-1].state == "trial"
    assert engine.asked[-1].sampling.temperature == 0
    said = engine.texts.raw(engine.asked[-1].prompt.prompt)
    assert said == "<system>Be brief.\n<user>Who runs Acme?\n<assistant>"


def test_llm_goes_on_with_a_text(llm_folder: Path, engine: FakeEngine) -> None:
    done = llm(llm_folder, "-m", "text", "Acme is run by")
    assert done.stdout.strip() == SAID, done.stderr
    assert engine.texts.raw(engine.asked[-1].prompt.prompt) == "Acme is run by"


def test_llm_says_what_the_server_says(llm_folder: Path) -> None:
    done = llm(llm_folder, "-m", "missing", "Who runs Acme?")
    assert done.returncode != 0
    assert "the model 'gone' does not exist" in done.stderr


def test_the_hubs_client_asks(address: str, engine: FakeEngine) -> None:
    client = InferenceClient(base_url=address, api_key=ASK)
    messages = [{"role": "user", "content": "Who runs Acme?"}]
    answer = client.chat_completion(messages, model="tiny", max_tokens=20, seed=3, stop=["END"])
    assert answer.choices[0].message.content == SAID
    assert answer.usage.completion_tokens == 4
    assert engine.asked[-1].sampling.seed == 3
    stream = client.chat_completion(
        messages,
        model="tiny",
        stream=True,
        logprobs=True,
        top_logprobs=1,
        stream_options={"include_usage": True},
    )
    *chunks, last = list(stream)
    assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == SAID
    assert last.usage.total_tokens == len(engine.asked[-1].prompt.prompt) + 4
    with pytest.raises(HfHubHTTPError, match="at most 1024 tokens"):
        client.chat_completion(messages, model="tiny", max_tokens=5000)
