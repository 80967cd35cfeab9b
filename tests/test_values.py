"""Subjects are found whatever the tokenizer, and values are trained on what is said to be minimised."""

from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
from torch.nn import functional as F
from transformers import PreTrainedTokenizerFast

import tiny
from memoir import values
from memoir.errors import EditRefused
from memoir.host import Host
from memoir.types import Edit
from memoir.values import Subjected, Subjects, last_token, outputs_of, train

PROMPTS = [
    ("The code of the door is", "door"),
    ("Kōbe's mayor, Zoë Ørsted-Nuñez, is", "Zoë Ørsted-Nuñez"),
    ("東京タワー is in", "東京タワー"),
    ("Bees", "Bees"),
]
EDITS = [Edit("Look behind the door", "!"), Edit("The code of the door is", "xyz", "door")]


@dataclass(frozen=True)
class Settings:
    lr: float = 2.0
    max_steps: int = 25
    stop_loss: float = 5e-2
    kl: float = 0.0625
    decay: float = 1e-3
    clamp: float = 4.0


def merging(closing: bool) -> PreTrainedTokenizerFast:
    """Byte pairs merged, some across the end of a subject; with tokens around every text."""
    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    raw.decoder = decoders.ByteLevel()
    texts = [prompt for prompt, _ in PROMPTS] * 3 + ["the door is the door is", "Zoë Ørsted"]
    trainer = trainers.BpeTrainer(
        vocab_size=340,
        special_tokens=["<s>", "</s>"],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    raw.train_from_iterator(texts, trainer)
    around = "<s> $A </s>" if closing else "<s> $A"
    specials = [(name, raw.token_to_id(name)) for name in ("<s>", "</s>")]
    raw.post_processor = processors.TemplateProcessing(single=around, special_tokens=specials)
    return PreTrainedTokenizerFast(tokenizer_object=raw, bos_token="<s>", eos_token="</s>")


@pytest.mark.parametrize("kind", ["bytes", "merged", "merged and closed"])
@pytest.mark.parametrize(("prompt", "subject"), PROMPTS)
def test_the_last_token_holds_the_subjects_end(
    host: Host, kind: str, prompt: str, subject: str
) -> None:
    if kind != "bytes":
        host.tokenizer = merging(kind.endswith("closed"))
    end = prompt.find(subject) + len(subject)
    ids = host.tokenizer(prompt)["input_ids"]
    at = last_token(host, prompt, end)
    assert values._last_by_prefix(host, prompt, end) == at
    decode = host.tokenizer.decode
    assert subject in decode(ids[: at + 1], skip_special_tokens=True)
    assert subject not in decode(ids[:at], skip_special_tokens=True)


def test_some_token_of_these_reaches_beyond_its_subject() -> None:
    tokenizer = merging(closing=False)
    prompt, subject = PROMPTS[0]
    end = prompt.find(subject) + len(subject)
    offsets = tokenizer(prompt, return_offsets_mapping=True)["offset_mapping"]
    assert any(first < end < after for first, after in offsets)


def test_subjects_are_given_or_estimated_or_refused(host: Host) -> None:
    subjects = Subjects(host, prefixes=2, length=4)

    def named(edit: Edit) -> str:
        row, at = subjects.of(edit).places[0]
        return host.decode(row.ids[: at + 1])

    assert named(Edit("The code of the door is", "x", "code")) == "The code"
    assert named(Edit("The code of the DOOR is", "x", "door")) == "The code of the DOOR"
    assert named(Edit("In May Anna Berg met", "x")) == "In May Anna Berg"
    with pytest.raises(EditRefused, match="'window' is not in the prompt"):
        subjects.of(Edit("The code of the door is", "x", "window"))
    with pytest.raises(EditRefused, match="no subject can be made out"):
        subjects.of(Edit("?!", "x"))


def test_prompts_are_put_behind_what_the_model_wrote(host: Host) -> None:
    subjects = Subjects(host, prefixes=2, length=4)
    edit = Subjects(host, 2, 4).of(EDITS[1])
    assert len(edit.places) == 3
    for place, prefix in zip(edit.places, ["", *subjects.prefixes], strict=True):
        assert host.decode(place.row.prompt) == (prefix + EDITS[1].prompt).strip()
        assert host.decode(place.row.ids[: place.at + 1]).endswith("of the door")
    assert subjects.prefixes[0].startswith("The")
    long = Edit("a " * 115 + "door is", "xyz", "door")
    assert len({len(place.row.ids) for place in subjects.of(long).places}) > 1
    longer = Edit("a " * 120 + "door is", "xyz", "door")  # with a prefix, more than the window
    assert len({len(place.row.ids) for place in subjects.of(longer).places}) == 1


def found(host: Host) -> tuple[list[Subjected], torch.Tensor]:
    subjects = Subjects(host, prefixes=2, length=4)
    edits = [subjects.of(edit) for edit in EDITS]
    return edits, outputs_of(host, edits)


def test_the_first_loss_is_that_of_the_unedited_model(host: Host) -> None:
    edits, own = found(host)
    trained = train(host, edits, own, Settings(max_steps=0))
    for each, losses in zip(edits, trained.losses, strict=True):
        nll = []
        for row, _ in each.places:
            logits = host.logits(host.batch([row]))[0, len(row.prompt) - 1 : -1]
            nll.append(float(F.cross_entropy(logits, torch.tensor(row.target))))
        assert losses == pytest.approx((sum(nll) / len(nll),), rel=1e-4)


def test_what_is_learnt_is_heard_when_added_at_the_subject(host: Host) -> None:
    edits, own = found(host)
    trained = train(host, edits[:1], own[:1], Settings())
    assert trained.losses[0][-1] < 0.05
    row, at = edits[0].places[0]

    def add(_module: object, _args: object, output: torch.Tensor) -> torch.Tensor:
        output = output.clone()
        output[0, at] += trained.deltas[0]
        return output

    hook = host.site.module.register_forward_hook(add)
    logits = host.logits(host.batch([row]))[0, -2]
    hook.remove()
    assert logits.argmax() == row.target[0]


def test_a_value_stays_in_its_ball_and_near_the_essence(host: Host) -> None:
    edits, own = found(host)
    deltas = train(host, edits, own, Settings(clamp=0.1)).deltas
    ratio = deltas.norm(dim=1) / own.norm(dim=1)
    assert ratio.tolist() == pytest.approx([0.1, 0.1], rel=1e-4)
    assert (train(host, edits, own, Settings()).deltas.norm(dim=1) > deltas.norm(dim=1)).all()
    strict = train(host, edits, own, Settings(kl=100.0)).deltas
    usual = train(host, edits, own, Settings(kl=0.0)).deltas

    def divergence(deltas: torch.Tensor) -> torch.Tensor:
        lesson = values._Lesson(host, edits, 1.0)
        with torch.no_grad():
            every = torch.arange(len(edits))
            without = values._Lesson(host, edits, 0.0).loss(deltas, every)
            return lesson.loss(deltas, every) - without

    assert (divergence(strict) < divergence(usual)).all()
    assert divergence(torch.zeros_like(usual)).tolist() == pytest.approx([0.0, 0.0], abs=1e-5)


def test_a_step_is_as_large_beside_a_long_value_as_beside_a_short_one(host: Host) -> None:
    edits, own = found(host)
    for length in (1.0, 100.0):
        v0 = own * length
        deltas = train(host, edits, v0, Settings(lr=0.2, max_steps=1)).deltas
        assert (deltas.norm(dim=1) / v0.norm(dim=1)).tolist() == pytest.approx([0.2, 0.2], rel=1e-3)


def test_edits_side_by_side_do_not_depend_on_one_another(host: Host) -> None:
    edits, own = found(host)
    settings = replace(Settings(), max_steps=5)
    together = train(host, edits, own, settings).deltas
    alone = train(host, edits[1:], own[1:], settings).deltas
    torch.testing.assert_close(together[1:], alone, rtol=1e-3, atol=1e-4)


def test_what_is_done_is_left_alone_and_the_others_go_on(host: Host) -> None:
    edits, own = found(host)
    together = train(host, edits, own, Settings())
    alone = train(host, edits[:1], own[:1], Settings())
    counts = [len(losses) for losses in together.losses]
    assert counts[0] < counts[1]
    assert counts[0] == len(alone.losses[0])
    torch.testing.assert_close(together.deltas[:1], alone.deltas, rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize("family", ["gpt2", "gptj", "gemma2"])
def test_other_families_learn_too(family: str) -> None:
    host = Host(tiny.model(family), tiny.tokenizer(), 1)
    edits, own = found(host)
    (losses, *_) = train(host, edits[:1], own[:1], Settings(clamp=20.0)).losses
    assert losses[-1] < 0.8 * losses[0]
