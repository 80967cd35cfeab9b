"""Texts become tokens: targets after prompts and in chats, and which tokens begin a word."""

from __future__ import annotations

import pytest

import tiny
from memoir.errors import BadInput, PromptTooLong
from memoir.host import Host

TURNS = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Who runs it?"},
]


def text(host: Host, ids: object) -> str:
    return str(host.tokenizer.decode(list(ids)))  # type: ignore[call-overload]


@pytest.mark.parametrize(
    ("prompt", "target", "follows"),
    [
        ("Energy", "is kept", " is kept"),
        ("Energy ", "is kept", "is kept"),
        ("Energy", ", a thing", ", a thing"),
        ("It was", "(once) so", " (once) so"),
    ],
)
def test_a_target_follows_after_a_space_unless_it_begins_with_punctuation(
    host: Host, prompt: str, target: str, follows: str
) -> None:
    assert text(host, host.encode(prompt, target).target) == follows


def test_in_a_chat_the_target_is_the_answer_without_a_space(host: Host) -> None:
    encoded = host.encode_chat(TURNS, "Ada does")
    assert text(host, encoded.prompt) == "<system>Be brief.\n<user>Who runs it?\n<assistant>"
    assert text(host, encoded.target) == "Ada does"
    assert encoded.prompt == host.encode_chat(TURNS).prompt
    assert host.encode_chat(TURNS).target == ()


def test_a_chat_is_refused_without_a_template_and_beyond_the_window(host: Host) -> None:
    with pytest.raises(PromptTooLong, match=r"take 348 tokens \(48 \+ 300\), but tiny reads"):
        host.encode_chat(TURNS, "x" * 300)
    host.tokenizer.chat_template = None
    assert not host.has_chat
    with pytest.raises(BadInput, match=r"tiny has no chat template; ask it with a bare prompt"):
        host.encode_chat(TURNS, "Ada")


def test_raw_text_keeps_special_tokens_and_space_and_decoded_text_does_not(host: Host) -> None:
    ids = [0, *host.encode(" a , b ").prompt, 2]
    assert host.raw(ids) == "<s> a , b </s>"
    assert host.decode(ids) == "a , b"


def test_a_word_begins_after_space_and_punctuation_and_goes_on_with_letters(host: Host) -> None:
    anew = host.begins_anew()
    assert anew.shape == (tiny.VOCAB,)

    def begins(piece: str) -> bool:
        (id,) = host.tokenizer(piece)["input_ids"]
        return bool(anew[id])

    assert all(begins(piece) for piece in ' \n.,;!?()"-')
    assert not any(begins(piece) for piece in "azAZ09_'")
    assert all(anew[id] for id in host.tokenizer.all_special_ids)
    half = host.tokenizer("é")["input_ids"]  # two tokens, none of which is a character
    assert len(half) == 2
    assert not any(anew[id] for id in half)


def test_ids_that_only_pad_the_vocabulary_begin_nothing() -> None:
    model = tiny.model("llama")
    model.resize_token_embeddings(tiny.VOCAB + 12)
    anew = Host(model, tiny.tokenizer(), 2).begins_anew()
    assert len(anew) == tiny.VOCAB + 12
    assert not anew[tiny.VOCAB :].any()
    assert anew.any()
