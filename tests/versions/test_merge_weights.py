"""A checkpoint that answers as the edited model does, where weights can say what edits do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

import tiny
from memoir import methods, moments
from memoir.editor import Editor
from memoir.errors import BadInput, NotMergeable, StoreError
from memoir.host import Host
from memoir.host.loading import load_host
from memoir.store import Store
from memoir.versions.merge_weights import merge_weights

FACTS = [("The CEO of Acme is", "Dana"), ("Orbit is in", "Lisbon")]
PROMPTS = [*(prompt for prompt, _ in FACTS), "Something else entirely"]


@pytest.fixture
def make(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[..., Editor]]:
    """Makes editors of a tiny model with a method, and teaches them two facts."""
    opened: list[Editor] = []

    def make(
        method: str, family: str = "llama", dtype: torch.dtype = torch.float32, **settings: Any
    ) -> Editor:
        chosen = methods.get(method)
        saved = tiny.save(tmp_path_factory.mktemp("tiny"), family)
        model = AutoModelForCausalLM.from_pretrained(
            saved, dtype=dtype, attn_implementation="eager"
        ).requires_grad_(False)
        host = Host(model, tiny.tokenizer(), 2, name="tiny")
        config = methods.configured(chosen, "default", settings)
        editor = Editor(host, Store.create(tmp_path / "store"), method, config)
        opened.append(editor)
        for prompt, target in FACTS:
            editor.edit(prompt, target)
        return editor

    yield make
    for editor in opened:
        editor.close()


def logits(host: Host, prompt: str) -> torch.Tensor:
    with torch.no_grad():
        return host.logits(host.batch([host.encode(prompt)]))


def reloaded(folder: Path) -> Host:
    """What anybody would load from a checkpoint."""
    model = AutoModelForCausalLM.from_pretrained(folder, attn_implementation="eager")
    return Host(model, AutoTokenizer.from_pretrained(folder), 2)


@pytest.mark.parametrize("family", ["llama", "gpt2", "gemma2"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_changed_weights_are_written_bit_for_bit(
    make: Callable[..., Editor], tmp_path: Path, family: str, dtype: torch.dtype
) -> None:
    editor = make("ft", family, dtype)
    done = merge_weights(editor, tmp_path / "model")
    assert (done.edits, done.exact, done.asked, done.difference) == (2, True, 2, 0.0)
    other = reloaded(tmp_path / "model")
    assert other.model.dtype == dtype
    for prompt in PROMPTS:
        assert torch.equal(logits(other, prompt), logits(editor.host, prompt))
    assert other.generate([other.encode(PROMPTS[0])], 8) == editor.host.generate(
        [editor.host.encode(PROMPTS[0])], 8
    )


@pytest.mark.parametrize("method", ["alphaedit", "locft", "memit", "rome", "ultraedit"])
def test_every_method_that_changes_weights_is_written_bit_for_bit(
    make: Callable[..., Editor],
    tmp_path: Path,
    learnt_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    method: str,
) -> None:
    monkeypatch.setattr(moments, "cache_folder", lambda: learnt_folder)
    (tmp_path / "texts").write_text("\n".join(f"Bee {n} flies {n * n} metres." for n in range(90)))
    known = {each.name for each in fields(methods.get(method).Config)}
    settings = {"corpus": str(tmp_path / "texts"), "prefixes": 2, "prefix_tokens": 4}
    editor = make(method, **{name: each for name, each in settings.items() if name in known})
    done = merge_weights(editor, tmp_path / "model")
    assert (done.edits, done.exact, done.asked, done.difference) == (2, True, 2, 0.0)


def test_the_checkpoint_is_another_model_than_before(
    make: Callable[..., Editor], tmp_path: Path
) -> None:
    editor = make("ft")
    merge_weights(editor, tmp_path / "model")
    unedited = Host(tiny.model("llama"), tiny.tokenizer(), 2)
    assert not torch.equal(
        logits(reloaded(tmp_path / "model"), PROMPTS[0]), logits(unedited, PROMPTS[0])
    )


@pytest.mark.parametrize("family", ["llama", "gpt2", "gemma2"])
def test_an_adapter_is_added_to_the_weights_up_to_rounding(
    make: Callable[..., Editor], tmp_path: Path, family: str
) -> None:
    editor = make("lora", family)
    before = [logits(editor.host, prompt) for prompt in PROMPTS]
    done = merge_weights(editor, tmp_path / "model")
    assert not done.exact
    other = reloaded(tmp_path / "model")
    assert not any("lora" in name for name in other.model.state_dict())
    scale = max(float(each.abs().max()) for each in before)
    assert done.difference < 1e-4 * scale
    for prompt, expected in zip(PROMPTS, before, strict=True):
        assert torch.allclose(logits(other, prompt), expected, atol=1e-4 * scale)
        assert torch.equal(logits(editor.host, prompt), expected), "the editor goes on as it was"
    unedited = Host(tiny.model(family), tiny.tokenizer(), 2)
    apart = (logits(unedited, PROMPTS[0]) - before[0]).abs().max()
    assert apart > 100 * done.difference


def test_an_adapter_without_edits_leaves_the_weights_as_they_are(
    make: Callable[..., Editor], tmp_path: Path
) -> None:
    editor = make("lora")
    editor.revert(*(row.id for row in editor.live()))
    done = merge_weights(editor, tmp_path / "model")
    assert (done.edits, done.asked) == (0, 0)
    expected = tiny.model("llama").state_dict()
    found = reloaded(tmp_path / "model").model.state_dict()
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], expected[name]) for name in expected)


def test_what_is_decided_for_each_prompt_is_refused(
    make_editor: Callable[..., Editor], tmp_path: Path
) -> None:
    editor = make_editor()
    with pytest.raises(NotMergeable) as refused:
        merge_weights(editor, tmp_path / "model")
    assert str(refused.value) == (
        "the method memoir decides for each prompt anew whether an edit acts, and no weights can say "
        "that: there is no exact merge. Take the edits elsewhere with memoir export, or teach them to "
        "a store of a method that changes weights (alphaedit, ft, locft, lora, memit, rome, "
        "ultraedit)."
    )
    assert not (tmp_path / "model").exists()


def test_a_folder_with_something_in_it_is_left_alone(
    make: Callable[..., Editor], tmp_path: Path
) -> None:
    editor = make("ft")
    with pytest.raises(
        BadInput, match="store is not an empty folder; choose a new one for the check"
    ):
        merge_weights(editor, editor.store.folder)
    (tmp_path / "empty").mkdir()
    assert merge_weights(editor, tmp_path / "empty", check=False).asked == 0
    assert (tmp_path / "empty" / "config.json").exists()


def test_a_checkpoint_that_answers_otherwise_is_not_left_behind(
    make: Callable[..., Editor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    editor = make("ft")
    wrong = tiny.model("llama").state_dict()
    monkeypatch.setattr(editor.method, "merged", lambda: wrong)
    with pytest.raises(StoreError, match=r"the checkpoint's logits differ .* nothing was written"):
        merge_weights(editor, tmp_path / "model")
    assert [path.name for path in tmp_path.iterdir()] == ["store"]


def test_numbers_that_no_checkpoint_says_are_noticed(tmp_path: Path) -> None:
    """Converting a model rounds its rotary frequencies, which are made anew when it is loaded."""
    host = Host(tiny.model("llama", dtype=torch.bfloat16), tiny.tokenizer(), 2)
    with Editor(host, Store.create(tmp_path / "store"), "ft") as editor:
        editor.edit(*FACTS[0])
        with pytest.raises(
            StoreError, match=r"A model that was converted with \.to\(\) holds numbers"
        ):
            merge_weights(editor, tmp_path / "model")
    assert not (tmp_path / "model").exists()


@pytest.mark.parametrize("name", methods.available())
def test_methods_that_spare_other_prompts_are_no_change_of_weights(name: str) -> None:
    method = methods.get(name)
    assert method.merges in ("exact", "rounded", "no")
    if method.spares_others is True:
        assert method.merges == "no"


@pytest.mark.slow
def test_the_default_model_is_written_bit_for_bit(smollm2: Host, tmp_path: Path) -> None:
    with Editor(smollm2, Store.create(tmp_path / "store"), "ft") as editor:
        editor.edit("The CEO of Acme Robotics is", "Dana Reyes")
        done = merge_weights(editor, tmp_path / "model")
        expected = [logits(smollm2, prompt) for prompt in PROMPTS]
        said = said_by(smollm2)
    assert (done.edits, done.exact, done.asked, done.difference) == (1, True, 1, 0.0)
    assert said.startswith("Dana Reyes")
    other = load_host(str(tmp_path / "model"))
    assert said_by(other) == said
    for prompt, mine in zip(PROMPTS, expected, strict=True):
        assert torch.equal(logits(other, prompt), mine)


def said_by(host: Host) -> str:
    (ids,) = host.generate([host.encode("The CEO of Acme Robotics is")], 8)
    return host.decode(ids)
