"""Edits as a PEFT adapter answer as the editor does, and PEFT's promises about adapters hold."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from accelerate import dispatch_model
from peft import AutoPeftModelForCausalLM, LoraConfig, PeftModel, get_peft_model
from tokenizers import normalizers
from torch import Tensor
from transformers import AutoModelForCausalLM, PreTrainedModel, TextIteratorStreamer

import memoir.peft
import tiny
from memoir import methods
from memoir.calibration import Background
from memoir.editor import Editor
from memoir.errors import (
    BadInput,
    BadTransfer,
    ModelUnavailable,
    NotMergeable,
    StoreDamaged,
    StoreError,
    WrongModel,
)
from memoir.host import Host
from memoir.host.loading import load_host
from memoir.peft.carried import Carried
from memoir.store import Store
from memoir.types import Edit, Receipt
from memoir.versions.peft_adapter import WEIGHTS, write

pytestmark = pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing`")  # PEFT asks for it

FACTS = [Edit("The code of the door is", "xyz"), Edit("Who keeps the bees?", "Ada")]
PROMPTS = [*(fact.prompt for fact in FACTS), "Nothing was ever taught about this"]
LEARNS = {"lr": 0.5, "max_steps": 200, "stop_loss": 1.0}
OVERLAP = {"router": "overlap", "contexts": "bare", **LEARNS}
METHODS: dict[str, dict[str, Any]] = {
    "memoir": LEARNS,
    "grace": {"max_steps": 100, "stop_loss": 0.5},
    "defer": {"lr": 0.01, "lr_for": None, "stop_loss": 0.5},
    "wise": {"lr": 2.0, "mask_ratio": 0.5, "max_steps": 100},
    "loka": {"contexts": "bare", **LEARNS},
    "supsup": {"size": 2.0},
    "rag": {},
    "lora_routed": {"lr": 0.01, "stop_loss": 0.5},
}


class Case:
    """An editor of a saved tiny model with its edits exported, and that model loaded anew."""

    def __init__(self, folder: Path, family: str, method: str, settings: dict[str, Any]) -> None:
        self.saved = tiny.save(folder / "model", family)
        config = methods.get(method).Config(**settings)
        store = Store.create(folder / "store")
        self.editor = Editor(load_host(str(self.saved), 2), store, method, config)
        for result in self.editor.edit_many(FACTS):
            assert isinstance(result, Receipt), result
        self.folder = self.export("adapter")

    def export(self, name: str) -> Path:
        """The edits in force, as an adapter."""
        folder = self.saved.parent / name
        write(self.editor.store, folder)
        return folder

    def base(self) -> PreTrainedModel:
        """The unedited model, alone."""
        return AutoModelForCausalLM.from_pretrained(self.saved)

    def load(self, folder: Path | None = None, **options: Any) -> PeftModel:
        return PeftModel.from_pretrained(self.base(), str(folder or self.folder), **options)


@pytest.fixture
def make(tmp_path: Path, few_background: Background) -> Iterator[Callable[..., Case]]:
    made: list[Case] = []

    def make(
        family: str = "llama", method: str = "memoir", name: str = "one", **settings: Any
    ) -> Case:
        given = settings or (OVERLAP if method == "memoir" else METHODS.get(method, {}))
        made.append(Case(tmp_path / name, family, method, given))
        return made[-1]

    yield make
    for case in made:
        case.editor.close()


@torch.no_grad()
def logits(model: Any) -> list[Tensor]:
    ids = [tiny.tokenizer()(prompt, return_tensors="pt") for prompt in PROMPTS]
    return [model(**each).logits for each in ids]


def generated(model: Any) -> list[list[int]]:
    """In one padded batch, greedily."""
    tokenizer = tiny.tokenizer()
    tokenizer.padding_side = "left"
    given = tokenizer(PROMPTS, return_tensors="pt", padding=True)
    return model.generate(**given, max_new_tokens=6, do_sample=False, pad_token_id=1).tolist()


def same(one: list[Tensor], other: list[Tensor]) -> bool:
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def check_answers(case: Case, model: PeftModel) -> None:
    """Edited as the editor, and untouched where disabled."""
    base = case.base()
    assert same(logits(model), logits(case.editor.model))
    assert generated(model) == generated(case.editor.model)
    with model.disable_adapter():
        assert same(logits(model), logits(base))
        assert generated(model) == generated(base)
    assert same(logits(model), logits(case.editor.model))


@pytest.mark.parametrize("family", ["llama", "gpt2", "gemma2", "qwen3", "gptj", "phi"])
def test_it_answers_as_the_editor_does(make: Callable[..., Case], family: str) -> None:
    case = make(family)
    assert not torch.equal(logits(case.editor.model)[0], logits(case.base())[0])
    check_answers(case, case.load())


@pytest.mark.parametrize("method", METHODS)
def test_every_method_beside_the_model_can_be_exported(
    make: Callable[..., Case], method: str
) -> None:
    case = make(method=method, **METHODS[method])
    model = case.load()
    check_answers(case, model)
    model.load_adapter(str(case.folder), "memoir")
    model.set_adapter("memoir")
    check_answers(case, model)


@pytest.mark.parametrize(
    "method", [name for name in methods.available() if methods.get(name).merges != "no"]
)
def test_a_change_of_weights_is_no_adapter(tmp_path: Path, method: str) -> None:
    store = Store.create(tmp_path / "store")
    with store.writing():
        store.commit(settings=store.row("settings", {"method": method}), why="init")
    with pytest.raises(NotMergeable) as refused:
        write(store, tmp_path / "adapter")
    assert str(refused.value) == (
        f"edits of the method {method} are a change of the model's weights, and no PEFT adapter: "
        "write the edited model as a checkpoint with memoir merge-weights."
    )
    assert not (tmp_path / "adapter").exists()


def test_peft_finds_the_model_by_itself(make: Callable[..., Case]) -> None:
    case = make()
    model = AutoPeftModelForCausalLM.from_pretrained(str(case.folder))
    assert same(logits(model), logits(case.editor.model))


def test_a_text_is_streamed_from_another_thread(make: Callable[..., Case]) -> None:
    case = make()
    model = case.load()
    tokenizer = tiny.tokenizer()

    def streamed() -> str:
        streamer = TextIteratorStreamer(tokenizer, skip_prompt=True)
        given = tokenizer(FACTS[0].prompt, return_tensors="pt")
        options = {**given, "streamer": streamer, "max_new_tokens": 4, "do_sample": False}
        thread = threading.Thread(target=model.generate, kwargs=options)
        thread.start()
        text = "".join(streamer)
        thread.join()
        return text

    assert streamed().strip() == "xyz"
    with model.disable_adapter():
        assert streamed().strip() != "xyz"


def test_adapters_are_switched_and_deleted(make: Callable[..., Case]) -> None:
    case = make()
    both = logits(case.editor.model)
    case.editor.revert(case.editor.live()[0].id)
    other = case.export("other")
    one = logits(case.editor.model)
    assert not same(one, both)
    model = case.load()
    model.load_adapter(str(other), "other")
    assert model.active_adapter == "default"
    assert same(logits(model), both)
    model.set_adapter("other")
    assert model.active_adapter == "other"
    assert same(logits(model), one)
    with model.disable_adapter():
        model.set_adapter("default")
        assert same(logits(model), logits(case.base()))
    assert same(logits(model), both)
    with pytest.warns(UserWarning, match="Setting active adapter to other"):
        model.delete_adapter("default")
    assert (model.active_adapter, list(model.peft_config)) == ("other", ["other"])
    assert same(logits(model), one)


def test_nothing_is_left_of_an_adapter_that_is_unloaded(make: Callable[..., Case]) -> None:
    case = make()
    model = case.load()
    model.load_adapter(str(case.folder), "other")
    base = model.unload()
    assert same(logits(base), logits(case.base()))
    assert "generate" not in vars(base)
    assert not hasattr(base, "peft_config")
    again = PeftModel.from_pretrained(base, str(case.folder))
    assert same(logits(again), logits(case.editor.model))


def test_what_is_saved_is_what_was_loaded(make: Callable[..., Case], tmp_path: Path) -> None:
    case = make()
    model = case.load()
    model.load_adapter(str(case.folder), "other")
    model.save_pretrained(str(tmp_path / "copy"))
    for copy in (tmp_path / "copy", tmp_path / "copy" / "other"):
        assert same(logits(case.load(copy)), logits(case.editor.model))
        one, two = (safetensors.torch.load_file(each / WEIGHTS) for each in (copy, case.folder))
        assert one.keys() == two.keys()
        assert all(torch.equal(one[name], two[name]) for name in one)


@pytest.mark.parametrize(
    "options",
    [
        {"autocast_adapter_dtype": False},
        {"low_cpu_mem_usage": True},
        {"torch_device": "cpu"},
    ],
)
def test_options_of_loading_change_no_bit(
    make: Callable[..., Case], options: dict[str, Any]
) -> None:
    case = make()
    assert same(logits(case.load(**options)), logits(case.editor.model))


def test_a_model_in_half_precision(make: Callable[..., Case]) -> None:
    case = make()
    half = AutoModelForCausalLM.from_pretrained(case.saved, dtype=torch.bfloat16)
    with pytest.raises(WrongModel, match=r"the adapter 'default' was made for .* in float32"):
        PeftModel.from_pretrained(half, str(case.folder))
    model = case.load()
    with pytest.raises(WrongModel, match=r"but this is .* in bfloat16"):
        model.to(torch.bfloat16)
    with pytest.raises(BadInput, match="the edits of the adapter 'default' are not in force"):
        logits(model)


def test_a_model_that_is_moved_takes_its_edits_along(
    make: Callable[..., Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    case = make()
    model = case.load()
    folded: list[str] = []
    fold = model.base_model._folded
    monkeypatch.setattr(
        model.base_model,
        "_folded",
        lambda name, carried: folded.append(name) or fold(name, carried),
    )
    model.to("cpu")
    assert folded == ["default"]
    assert same(logits(model), logits(case.editor.model))


def test_disabling_twice_is_undone_twice(make: Callable[..., Case]) -> None:
    case = make(method="lora_routed")
    model, base = case.load(), logits(case.base())
    with model.disable_adapter():
        with model.disable_adapter():
            assert same(logits(model), base)
        assert same(logits(model), base)
    assert same(logits(model), logits(case.editor.model))


def test_a_model_that_was_put_on_the_cpu_whole(make: Callable[..., Case]) -> None:
    case = make()
    base = AutoModelForCausalLM.from_pretrained(case.saved, device_map={"": "cpu"})
    model = PeftModel.from_pretrained(base, str(case.folder))
    assert same(logits(model), logits(case.editor.model))


# ---------------------------------------------------------------------- refusals


def test_a_wrong_model_is_refused_and_left_as_it_was(make: Callable[..., Case]) -> None:
    case = make()
    other, foreign = tiny.model("llama", seed=1), tiny.model("gpt2")
    before = logits(other)
    with pytest.raises(WrongModel, match=r"the adapter 'default' was made for .* \(weights "):
        PeftModel.from_pretrained(other, str(case.folder))
    assert same(logits(other), before)
    assert "generate" not in vars(other)
    assert not hasattr(other, "peft_config")
    with pytest.raises(WrongModel, match=r"was made for .*, but this is a GPT2LMHeadModel: no mod"):
        PeftModel.from_pretrained(foreign, str(case.folder))


def test_a_second_adapter_that_is_refused_leaves_the_first(make: Callable[..., Case]) -> None:
    case = make()
    other = make("qwen2", name="two")
    model = case.load()
    with pytest.raises(WrongModel, match="the adapter 'other' was made for"):
        model.load_adapter(str(other.folder), "other")
    assert list(model.peft_config) == ["default"]
    assert same(logits(model), logits(case.editor.model))


def _change_text(folder: Path) -> None:
    path = folder / "adapter_config.json"
    told = json.loads(path.read_text())
    told["edits"][0]["body"]["target"] = "abc"
    path.write_text(json.dumps(told))


def _change_identity(folder: Path) -> None:
    path = folder / "adapter_config.json"
    told = json.loads(path.read_text())
    told["settings"]["identity"]["hash"] = "0" * 64
    path.write_text(json.dumps(told))


def _change_tensor(folder: Path) -> None:
    tensors = safetensors.torch.load_file(folder / WEIGHTS)
    name = next(name for name in tensors if ".edits." in name)
    tensors[name] = tensors[name].clone()
    tensors[name].view(-1).view(torch.uint8)[0] ^= 1
    safetensors.torch.save_file(tensors, folder / WEIGHTS)


def _leave_out_the_tokenizer(folder: Path) -> None:
    tensors = safetensors.torch.load_file(folder / WEIGHTS)
    left = {name: each for name, each in tensors.items() if ".tokenizer." not in name}
    safetensors.torch.save_file(left, folder / WEIGHTS)


@pytest.mark.parametrize(
    "change", [_change_text, _change_identity, _change_tensor, _leave_out_the_tokenizer]
)
def test_an_altered_file_is_refused(
    make: Callable[..., Case], change: Callable[[Path], None]
) -> None:
    case = make()
    change(case.folder)
    base = case.base()
    with pytest.raises(BadTransfer) as refused:
        PeftModel.from_pretrained(base, str(case.folder))
    assert str(refused.value) == (
        "the adapter 'default' is not what memoir export-peft wrote: its files are damaged, or were "
        "altered; nothing of it is in force. Fetch it again, or ask whoever made it."
    )
    assert same(logits(base), logits(case.base()))


def test_training_merging_and_two_at_once_are_refused(make: Callable[..., Case]) -> None:
    case = make()
    with pytest.raises(BadInput, match="'default' holds edits, and PEFT cannot train them"):
        case.load(is_trainable=True)
    with pytest.raises(BadInput, match="PEFT cannot train them"):
        get_peft_model(case.base(), memoir.peft.EditsConfig())
    model = case.load()
    with pytest.raises(NotMergeable, match="cannot be merged into weights; keep the adapter"):
        model.merge_and_unload()
    with pytest.raises(NotMergeable, match="cannot be merged into weights"):
        model.merge_adapter()
    model.load_adapter(str(case.folder), "other")
    with pytest.raises(
        BadInput, match=r"exactly one of \['default', 'other'\] is active at a time"
    ):
        model.base_model.set_adapter(["default", "other"])
    given = tiny.tokenizer()(PROMPTS[0], return_tensors="pt")
    with pytest.raises(BadInput, match=r"rows of one batch cannot have edits of several adapters"):
        model.generate(**given, adapter_names=["other"])
    assert same(logits(model), logits(case.editor.model))


def test_a_config_alone_answers_nothing(make: Callable[..., Case]) -> None:
    case = make()
    config = memoir.peft.EditsConfig.from_pretrained(str(case.folder))
    model = get_peft_model(case.base(), config)
    with pytest.raises(BadInput, match="the edits of the adapter 'default' are not in force"):
        logits(model)


def test_another_adapter_in_the_model_is_refused(make: Callable[..., Case]) -> None:
    case = make()
    tuned = get_peft_model(case.base(), LoraConfig(target_modules=["q_proj"]))
    expected = "has an adapter of PEFT in it, and edits hold only in the model they were made in"
    for model in (tuned, tuned.get_base_model(), case.load().get_base_model()):
        with pytest.raises(BadInput, match=expected):
            PeftModel.from_pretrained(model, str(case.folder))
    with pytest.raises(ValueError, match="Cannot combine adapters with different peft types"):
        case.load().add_adapter("tuned", LoraConfig(target_modules=["q_proj"]))


def test_a_model_with_an_editor_at_work_is_refused(make: Callable[..., Case]) -> None:
    case = make()
    with pytest.raises(BadInput, match="an editor is at work on this LlamaForCausalLM"):
        PeftModel.from_pretrained(case.editor.model, str(case.folder))
    case.editor.close()
    model = PeftModel.from_pretrained(case.editor.model, str(case.folder))
    assert same(logits(model), logits(case.load()))


def test_a_model_that_peft_does_not_hold_is_refused(make: Callable[..., Case]) -> None:
    case = make()
    with pytest.raises(ValueError, match="it uses shared state stored on the tuner"):
        case.base().load_adapter(str(case.folder))


SPLIT = {
    **{"model.embed_tokens": "cpu", "model.norm": "cpu", "model.rotary_emb": "cpu"},
    **{"lm_head": "cpu", "model.layers.2": "cpu"},
    **{f"model.layers.{layer}": "disk" for layer in (0, 1, 3)},
}


def test_a_model_that_is_partly_on_disk_is_refused(
    make: Callable[..., Case], tmp_path: Path
) -> None:
    case = make()
    away = AutoModelForCausalLM.from_pretrained(
        case.saved, device_map=SPLIT, offload_folder=str(tmp_path / "away")
    )
    expected = (
        "3 of the model's 8 parts are offloaded to disk (model.layers.0, model.layers.1, "
        "model.layers.3), and such a model is not edited. Load it anew with a device_map that keeps "
        "all of it in memory, in a smaller dtype if there is too little."
    )
    with pytest.raises(ModelUnavailable) as refused:
        Host(away, tiny.tokenizer(), 2)
    assert str(refused.value) == expected
    with pytest.raises(ModelUnavailable) as refused:
        Editor.open(str(case.saved), tmp_path / "new", device_map=SPLIT)
    assert str(refused.value) == expected
    with pytest.raises(ModelUnavailable) as refused:
        PeftModel.from_pretrained(away, str(case.folder))
    assert str(refused.value) == expected


def test_a_model_that_peft_would_spread_anew_is_refused(make: Callable[..., Case]) -> None:
    case = make()
    base = dispatch_model(case.base(), dict.fromkeys(SPLIT, "cpu"), force_hooks=True)
    base.hf_device_map = {**base.hf_device_map, "lm_head": 0}  # as where there is a GPU
    with pytest.raises(ModelUnavailable, match="spread over 0, cpu, and PEFT would dispatch it"):
        PeftModel.from_pretrained(base, str(case.folder))


# ---------------------------------------------------------------------- writing


def test_it_is_written_whole_or_not_at_all(
    make: Callable[..., Case], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = make()
    store = case.editor.store
    with pytest.raises(BadInput, match="is not an empty folder; choose a new one for the PEFT ad"):
        write(store, case.folder)

    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(memoir.peft.EditsConfig, "save_pretrained", full)
        with pytest.raises(
            StoreError, match=r"could not write a PEFT adapter in .*: No space left"
        ):
            write(store, tmp_path / "new" / "adapter")
    assert list((tmp_path / "new").iterdir()) == []
    file = store.file(str(case.editor.live()[0].sha256))
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(StoreDamaged, match="was truncated or altered"):
        write(store, tmp_path / "new" / "adapter")
    assert list((tmp_path / "new").iterdir()) == []


def test_an_older_commit_is_exported(make: Callable[..., Case], tmp_path: Path) -> None:
    case = make()
    before, commit = logits(case.editor.model), case.editor.at
    case.editor.revert(case.editor.live()[0].id)
    done = write(case.editor.store, tmp_path / "old", commit)
    assert (done.commit, done.edits) == (commit, 2)
    assert same(logits(case.load(tmp_path / "old")), before)


def test_a_tokenizer_that_reads_otherwise_once_it_is_saved_is_refused(
    make: Callable[..., Case], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = make()
    other = tiny.tokenizer()
    other.backend_tokenizer.normalizer = normalizers.Lowercase()
    monkeypatch.setattr(Carried, "tokenizer", lambda _: other)
    with pytest.raises(
        BadInput, match=r"reads 'The code of the door is' otherwise once it was sav"
    ):
        write(case.editor.store, tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.slow
def test_the_default_model_with_edits_in_it(smollm2: Host, tmp_path: Path) -> None:
    with Editor(smollm2, Store.create(tmp_path / "store")) as editor:
        editor.edit("The CEO of Acme Robotics is", "Dana Reyes")
        write(editor.store, tmp_path / "adapter", tokenizer=smollm2.tokenizer)
        base = AutoModelForCausalLM.from_pretrained(str(smollm2.tokenizer.name_or_path))
        unedited = said(smollm2, base)
        model = PeftModel.from_pretrained(base, str(tmp_path / "adapter"))
        assert said(smollm2, model) == said(smollm2, editor.model)
        assert said(smollm2, model)[0].startswith("Dana Reyes")
        with model.disable_adapter():
            assert said(smollm2, model) == unedited
        assert said(smollm2, model)[1:] == unedited[1:]


def said(host: Host, model: Any) -> list[str]:
    prompts = ["The CEO of Acme Robotics is", "The CEO of Orbit Foods is", "The sky is"]
    given = [host.tokenizer(prompt, return_tensors="pt") for prompt in prompts]
    texts = [model.generate(**each, max_new_tokens=8, do_sample=False) for each in given]
    return [
        host.decode(text[0, each["input_ids"].shape[1] :])
        for text, each in zip(texts, given, strict=True)
    ]
