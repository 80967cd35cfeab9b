"""OpenAI's own client, unmodified, against a real server."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import openai
import pytest
from fake_engine import COMMITS, EDIT, FakeEngine, Reply
from served_app import ASK, KEYS, TRIAL, listening
from served_app import EDIT as EDITOR

from memoir.errors import StoreDamaged
from memoir.server.app import create_app

SAID = "Dana Reyes née Ågren"
MESSAGES = [{"role": "user", "content": "Who runs Acme?"}]


@pytest.fixture(scope="module")
def engine() -> FakeEngine:
    return FakeEngine()


@pytest.fixture(scope="module")
def address(engine: FakeEngine) -> Iterator[str]:
    with listening(create_app(engine, keys=KEYS)) as address:
        yield f"{address}/v1"


@pytest.fixture(scope="module")
def client(address: str) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=address, api_key=EDITOR, max_retries=0) as client:
        yield client


def chat(client: openai.OpenAI, **fields: object) -> openai.types.chat.ChatCompletion:
    return client.chat.completions.create(**{"model": "tiny", "messages": MESSAGES, **fields})


def test_models_are_the_default_branch_and_every_branch(client: openai.OpenAI) -> None:
    assert [model.id for model in client.models.list()] == ["tiny", "tiny@main", "tiny@trial"]
    model = client.models.retrieve("tiny@trial")
    assert model.owned_by == "memoir"
    assert model.memoir == {"branch": "trial", "commit": COMMITS["trial"], "edits": 3}


def test_a_chat_is_answered(client: openai.OpenAI, engine: FakeEngine) -> None:
    answer = chat(client, temperature=0, top_p=0.5, seed=7, stop=["\n", "END"], max_tokens=9)
    (choice,) = answer.choices
    assert choice.message.content == SAID
    assert choice.message.role == "assistant"
    assert choice.finish_reason == "stop"
    assert choice.logprobs is None
    assert answer.id.startswith("chatcmpl-")
    assert answer.model == "tiny"
    assert answer.system_fingerprint == COMMITS["main"][:10]
    asked = engine.asked[-1]
    assert engine.texts.raw(asked.prompt.prompt) == "<user>Who runs Acme?\n<assistant>"
    assert answer.usage.prompt_tokens == len(asked.prompt.prompt)
    assert answer.usage.completion_tokens == 4
    assert answer.usage.total_tokens == answer.usage.prompt_tokens + 4
    sampling = asked.sampling
    assert (sampling.temperature, sampling.top_p, sampling.seed) == (0, 0.5, 7)
    assert (sampling.stop, sampling.max_tokens) == (("\n", "END"), 9)
    assert asked.edits
    assert not hasattr(answer, "memoir")


def test_parts_and_the_developers_role_reach_the_template(
    client: openai.OpenAI, engine: FakeEngine
) -> None:
    parts = [{"type": "text", "text": "Who "}, {"type": "text", "text": "runs it?"}]
    chat(
        client,
        messages=[
            {"role": "developer", "content": "Be brief."},
            {"role": "user", "content": parts, "name": "ann"},
        ],
        max_completion_tokens=3,
        user="ann",
        metadata={"a": "b"},
        store=False,
        tools=[],
        presence_penalty=0,
    )
    asked = engine.asked[-1]
    said = "<system>Be brief.\n<user>Who runs it?\n<assistant>"
    assert engine.texts.raw(asked.prompt.prompt) == said
    assert asked.sampling.max_tokens == 3


def test_what_is_not_said_is_as_openai_has_it(client: openai.OpenAI, engine: FakeEngine) -> None:
    chat(client)
    sampling = engine.asked[-1].sampling
    assert (sampling.temperature, sampling.top_p, sampling.seed) == (1.0, 1.0, None)
    assert (sampling.stop, sampling.likeliest) == ((), None)
    assert sampling.max_tokens == 256 - len(engine.asked[-1].prompt.prompt)  # all the room
    client.completions.create(model="tiny", prompt="Acme is run by")
    assert engine.asked[-1].sampling.max_tokens == 16


def test_several_answers_have_seeds_of_their_own(client: openai.OpenAI, engine: FakeEngine) -> None:
    answer = chat(client, n=3, seed=5)
    assert [choice.index for choice in answer.choices] == [0, 1, 2]
    assert [asked.sampling.seed for asked in engine.asked[-3:]] == [5, 6, 7]
    assert answer.usage.prompt_tokens == len(engine.asked[-1].prompt.prompt)  # counted once
    assert answer.usage.completion_tokens == 12


def test_an_answer_may_be_cut(client: openai.OpenAI) -> None:
    (choice,) = chat(client, max_tokens=2).choices
    assert (choice.message.content, choice.finish_reason) == ("Dana Reyes", "length")


def test_a_chat_is_streamed(client: openai.OpenAI) -> None:
    stream = chat(client, stream=True, stream_options={"include_usage": True}, n=2)
    chunks = list(stream)
    texts, ends, roles = {0: "", 1: ""}, {}, {}
    for chunk in chunks[:-1]:
        assert chunk.object == "chat.completion.chunk"
        assert chunk.usage is None
        (choice,) = chunk.choices
        texts[choice.index] += choice.delta.content or ""
        roles.setdefault(choice.index, choice.delta.role)
        if choice.finish_reason:
            ends[choice.index] = choice.finish_reason
    assert texts == {0: SAID, 1: SAID}
    assert roles == {0: "assistant", 1: "assistant"}
    assert ends == {0: "stop", 1: "stop"}
    assert len({chunk.id for chunk in chunks}) == 1
    assert chunks[-1].choices == []
    assert chunks[-1].usage.completion_tokens == 8


def test_a_stream_counts_tokens_only_if_it_is_asked_to(client: openai.OpenAI) -> None:
    chunks = list(chat(client, stream=True))
    assert all(len(chunk.choices) == 1 for chunk in chunks)
    assert "usage" not in chunks[-1].model_fields_set


def test_completions_take_texts_and_tokens(client: openai.OpenAI, engine: FakeEngine) -> None:
    answer = client.completions.create(model="tiny", prompt=["Acme", "Ajax"], n=2, seed=1)
    assert [choice.index for choice in answer.choices] == [0, 1, 2, 3]
    assert [choice.text for choice in answer.choices] == [SAID] * 4
    assert answer.id.startswith("cmpl-")
    asked = engine.asked[-4:]
    assert [engine.texts.raw(each.prompt.prompt) for each in asked] == [
        *["Acme"] * 2,
        *["Ajax"] * 2,
    ]
    assert [each.sampling.seed for each in asked] == [1, 2, 1, 2]
    assert answer.usage.prompt_tokens == 8
    client.completions.create(model="tiny", prompt=[70, 71])
    assert engine.asked[-1].prompt.prompt == [70, 71]
    client.completions.create(model="tiny", prompt=[[70], [71, 72]])
    assert [each.prompt.prompt for each in engine.asked[-2:]] == [[70], [71, 72]]


def test_completions_are_streamed(client: openai.OpenAI) -> None:
    chunks = list(client.completions.create(model="tiny", prompt="Acme", stream=True, logprobs=1))
    assert "".join(chunk.choices[0].text for chunk in chunks) == SAID
    assert [chunk.choices[0].finish_reason for chunk in chunks] == [None, None, None, "stop"]
    assert [chunk.choices[0].logprobs.text_offset for chunk in chunks] == [[0], [4], [10], [14]]


def test_logprobs_have_both_shapes(client: openai.OpenAI, engine: FakeEngine) -> None:
    (choice,) = chat(client, logprobs=True, top_logprobs=2).choices
    assert engine.asked[-1].sampling.likeliest == 2
    first, *_, last = choice.logprobs.content
    assert (first.token, first.logprob, first.bytes) == ("Dana", -0.5, list(b"Dana"))
    assert last.bytes == list(" Ågren".encode())
    assert [(top.token, top.logprob, top.bytes) for top in first.top_logprobs] == [
        ("Dana", -0.5, list(b"Dana")),
        ("\ufffd", -9999.0, None),  # a part of a character, and a probability of 0
    ]
    (choice,) = client.completions.create(model="tiny", prompt="Acme", logprobs=0).choices
    assert engine.asked[-1].sampling.likeliest == 0
    assert choice.logprobs.tokens == ["Dana", " Reyes", " née", " Ågren"]
    assert choice.logprobs.token_logprobs == [-0.5] * 4
    assert choice.logprobs.top_logprobs[0] == {"Dana": -0.5, "\ufffd": -9999.0}
    assert choice.logprobs.text_offset == [0, 4, 10, 14]


def test_a_branch_is_asked_by_name(client: openai.OpenAI, engine: FakeEngine) -> None:
    answer = chat(client, model="tiny@trial")
    assert engine.asked[-1].state == "trial"
    assert answer.system_fingerprint == COMMITS["trial"][:10]
    assert answer.model == "tiny@trial"


def test_a_key_may_be_bound_to_a_branch(address: str, engine: FakeEngine) -> None:
    bound = openai.OpenAI(base_url=address, api_key=TRIAL, max_retries=0)
    assert [model.id for model in bound.models.list()] == ["tiny", "tiny@trial"]
    for name in ("tiny", "tiny@trial"):
        chat(bound, model=name)
        assert engine.asked[-1].state == "trial"
    with pytest.raises(openai.NotFoundError, match="Available: tiny, tiny@trial") as caught:
        chat(bound, model="tiny@main")
    assert caught.value.code == "model_not_found"


def test_the_unedited_model_can_be_asked(client: openai.OpenAI, engine: FakeEngine) -> None:
    answer = chat(client, extra_body={"memoir": {"edits": False, "explain": True}})
    assert not engine.asked[-1].edits
    assert answer.memoir["edit"] is None
    assert answer.memoir["fired"] is False


VERDICT = {
    "branch": "main",
    "commit": COMMITS["main"],
    "edit": EDIT,
    "score": 0.9,
    "threshold": 0.5,
    "fired": True,
    "evidence": {"words": ["Acme"]},
}
EXPLAIN = {"memoir": {"explain": True}}


def test_an_answer_tells_which_edit_fired(client: openai.OpenAI) -> None:
    raw = client.chat.completions.with_raw_response.create(
        model="tiny", messages=MESSAGES, extra_body=EXPLAIN
    )
    assert raw.headers["X-Memoir-Edits"] == EDIT
    assert raw.parse().memoir == VERDICT
    answer = client.completions.create(model="tiny", prompt=["Acme", "Ajax"], extra_body=EXPLAIN)
    assert [each["fired"] for each in answer.memoir] == [True, False]
    raw = client.completions.with_raw_response.create(
        model="tiny", prompt="Ajax", extra_body=EXPLAIN
    )
    assert "X-Memoir-Edits" not in raw.headers


def test_the_end_of_a_stream_tells_which_edit_fired(client: openai.OpenAI) -> None:
    *before, last = chat(client, stream=True, extra_body=EXPLAIN)
    assert last.memoir == VERDICT
    assert last.choices[0].finish_reason == "stop"
    assert not any(hasattr(chunk, "memoir") for chunk in before)


@pytest.mark.parametrize("wanted", [{"explain": True}, {"edits": False}])
def test_only_editors_look_behind_answers(address: str, wanted: dict[str, bool]) -> None:
    reader = openai.OpenAI(base_url=address, api_key=ASK, max_retries=0)
    assert chat(reader).choices[0].message.content == SAID
    (name,) = wanted
    with pytest.raises(openai.PermissionDeniedError, match="'reader' has ask") as caught:
        chat(reader, extra_body={"memoir": wanted})
    assert caught.value.param == f"memoir.{name}"
    assert caught.value.code == "insufficient_role"


def test_errors_are_the_clients_own_exceptions(address: str, client: openai.OpenAI) -> None:
    with pytest.raises(openai.AuthenticationError, match="memoir keys add"):
        chat(openai.OpenAI(base_url=address, api_key="memoir-wrong", max_retries=0))
    with pytest.raises(openai.NotFoundError, match="the model 'gpt-4' does not exist") as caught:
        chat(client, model="gpt-4")
    assert caught.value.code == "model_not_found"
    assert caught.value.param == "model"
    with pytest.raises(openai.BadRequestError, match="'tools' would change the answer") as caught:
        chat(client, tools=[{"type": "function", "function": {"name": "f"}}])
    assert caught.value.param == "tools"
    with pytest.raises(openai.BadRequestError, match="reads at most 256 tokens") as caught:
        chat(client, max_tokens=250)
    assert caught.value.code == "context_length_exceeded"


def test_a_full_queue_says_when_to_come_again(client: openai.OpenAI, engine: FakeEngine) -> None:
    engine.full = True
    try:
        for stream in (False, True):
            with pytest.raises(openai.RateLimitError, match="8 questions wait") as caught:
                chat(client, stream=stream)
            assert caught.value.response.headers["retry-after"] == "3"
            assert caught.value.code == "server_busy"
    finally:
        engine.full = False


def test_an_error_behind_the_first_piece_ends_the_stream(client: openai.OpenAI, engine: FakeEngine):
    engine.reply = lambda _question: Reply(error=StoreDamaged("/secret/place is truncated."))
    try:
        stream = chat(client, stream=True)
        chunks = [next(stream) for _ in range(5)]
        assert "".join(chunk.choices[0].delta.content for chunk in chunks) == SAID
        with pytest.raises(openai.APIError, match="its log tells why") as caught:
            next(stream)
        assert "secret" not in str(caught.value)
        engine.reply = lambda _question: Reply(words=(), error=StoreDamaged("truncated"))
        with pytest.raises(openai.InternalServerError):  # nothing was sent yet: a status says it
            chat(client, stream=True)
    finally:
        engine.reply = lambda _question: Reply()


def test_the_asynchronous_client_asks_side_by_side(address: str) -> None:
    async def ask() -> list[str]:
        async with openai.AsyncOpenAI(base_url=address, api_key=EDITOR, max_retries=0) as client:

            async def streamed() -> str:
                stream = await client.chat.completions.create(
                    model="tiny", messages=MESSAGES, stream=True
                )
                return "".join([chunk.choices[0].delta.content or "" async for chunk in stream])

            async def whole() -> str:
                answer = await client.chat.completions.create(model="tiny", messages=MESSAGES)
                return str(answer.choices[0].message.content)

            return await asyncio.gather(
                *(streamed() for _ in range(4)), *(whole() for _ in range(4))
            )

    assert asyncio.run(ask()) == [SAID] * 8
