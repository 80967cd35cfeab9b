"""Every supported architecture: site found, upper layers replayed, nothing left behind."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import tiny
from memoir.errors import UnknownName
from memoir.host import Attachment, Fed, Host
from memoir.host.loading import load_host
from memoir.methods.base import Prepared
from memoir.methods.memoir import Memoir, MemoirConfig
from memoir.types import Edit

FAMILIES = sorted(tiny.CONFIGS)
PAIRS = [("A prompt of some length,", "its target"), ("Short", "t")]


def host_of(family: str, dtype: torch.dtype = torch.float32, site: int | str | None = 2) -> Host:
    return Host(tiny.model(family, dtype=dtype), tiny.tokenizer(), site, name=family)


def memoir_on(host: Host, **settings: object) -> Memoir:
    defaults = {
        "router": "overlap",
        "contexts": "bare",
        "k": 18,
        "threshold": 0.9,
        "lr": 0.5,
        "max_steps": 200,
    }
    config = MemoirConfig(**{**defaults, **settings})  # type: ignore[arg-type]
    d_in = host.site.d_in
    tensors = {"background": torch.zeros(d_in), "permutation": torch.randperm(d_in)}
    return Memoir(host, Prepared(config, tensors, {}))


class Adds:
    """A module that adds the same to whatever the site puts out."""

    def __init__(self, amount: float | torch.Tensor) -> None:
        self.amount = amount

    def decide(self, activations: torch.Tensor, fed: Fed) -> str:
        return "always"

    def act(
        self, activations: torch.Tensor, output: torch.Tensor, route: str, fed: Fed
    ) -> torch.Tensor:
        return output + self.amount


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("layer", [0, 2, 3])
def test_replay_gives_the_full_models_logits(family: str, layer: int) -> None:
    host = host_of(family, site=layer)
    tokens = host.batch([host.encode(*pair) for pair in PAIRS])
    full, replayed = host.logits(tokens), host.replay(host.read(tokens))
    assert torch.allclose(full[tokens.attention], replayed[tokens.attention], atol=1e-5, rtol=0)
    last = host.replay(host.read(tokens), keep=3)
    assert torch.allclose(last, replayed[:, -3:], atol=1e-5, rtol=0)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("layer", [0, 2, 3])
@pytest.mark.parametrize("last", [1, 9, 20])
def test_replay_behind_a_cache_gives_the_full_models_logits(
    family: str, layer: int, last: int
) -> None:
    """Also in rows that are padding up to there, beyond a sliding window, and again."""
    host = host_of(family, site=layer)
    tokens = host.batch([host.encode(*pair) for pair in PAIRS])
    assert last < tokens.ids.shape[1]
    full, real = host.logits(tokens, last), tokens.attention[:, -last:]
    reading, whole = host.read(tokens, last), host.read(tokens)
    assert reading.last == last
    seen = tokens.attention
    assert torch.allclose(reading.activations[seen], whole.activations[seen], atol=1e-5)
    for _ in range(2):
        replayed = host.replay(reading)
        assert torch.allclose(full[real], replayed[real], atol=1e-4)
    for rows in ([1], [1, 0, 1]):
        some = host.replay(reading, rows=torch.tensor(rows), keep=1)
        assert torch.allclose(some, full[rows, -1:], atol=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
def test_what_is_added_in_a_replay_is_what_a_module_at_the_site_adds(family: str) -> None:
    host = host_of(family)
    tokens = host.batch([host.encode(*pair) for pair in PAIRS])
    added = torch.randn(2, 5, host.site.d_out, generator=torch.Generator().manual_seed(0))
    added.requires_grad_(True)
    replayed = host.replay(host.read(tokens, 5), added)
    (gradient,) = torch.autograd.grad(replayed.sum(), added)
    assert (gradient.abs().sum(-1) > 0).all()
    earlier = torch.zeros(2, tokens.ids.shape[1] - 5, host.site.d_out)
    attached = Attachment(host, Adds(torch.cat([earlier, added.detach()], dim=1)))
    assert torch.allclose(replayed, host.logits(tokens, 5), atol=1e-4)
    attached.undo()


@pytest.mark.parametrize("family", FAMILIES)
def test_reading_stops_at_the_site(family: str) -> None:
    host = host_of(family)
    tokens = host.batch([host.encode(*pair) for pair in PAIRS])
    ran = []
    hook = host.site.blocks[3].register_forward_hook(lambda *_: ran.append(True))
    reading = host.read(tokens)
    hook.remove()
    assert not ran
    assert reading.activations.shape == (2, tokens.ids.shape[1], host.site.d_in)


@pytest.mark.parametrize("family", FAMILIES)
def test_an_empty_memory_changes_no_bit_and_undo_leaves_the_model_as_it_was(family: str) -> None:
    host = host_of(family)
    tokens = host.batch([host.encode(*pair) for pair in PAIRS])
    state = {name: value.clone() for name, value in host.model.state_dict().items()}
    before = host.logits(tokens)
    modules = len(list(host.model.modules()))
    method = memoir_on(host)
    assert torch.equal(host.logits(tokens), before)
    method.close()
    method.close()  # closing twice does nothing more
    after = host.model.state_dict()
    assert after.keys() == state.keys()
    assert all(torch.equal(after[name], value) for name, value in state.items())
    assert len(list(host.model.modules())) == modules
    assert "generate" not in vars(host.model)
    assert not any(module._forward_hooks for module in host.model.modules())
    assert not any(module._forward_pre_hooks for module in host.model.modules())
    assert not any("forward" in vars(module) for module in host.model.modules())


@pytest.mark.parametrize(("memory", "acts_on"), [("shared", "all"), ("isolated", "answer")])
@pytest.mark.parametrize("family", FAMILIES)
def test_an_edit_is_said_and_taken_back_bit_for_bit(family: str, memory: str, acts_on: str) -> None:
    host = host_of(family)
    method = memoir_on(host, memory=memory, acts_on=acts_on)
    edit = Edit("The code of the door is", "xyz")
    rows = [host.encode(edit.prompt, edit.target)]
    tokens = host.batch(rows)
    before = host.logits(tokens)
    (change,) = method.fit([edit])
    assert not isinstance(change, Exception), change
    assert torch.equal(host.logits(tokens), before), "fitting must not touch the model"
    method.apply("1", change.edit, change.tensors)
    said = host.generate([host.encode(edit.prompt)], len(rows[0].target))
    assert said == [list(rows[0].target)]
    method.remove("1")
    assert torch.equal(host.logits(tokens), before)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_models_are_edited_too(dtype: torch.dtype) -> None:
    host = host_of("llama", dtype)
    method = memoir_on(host)
    (change,) = method.fit([Edit("The code of the door is", "xyz")])
    assert not isinstance(change, Exception), change
    method.apply("1", change.edit, change.tensors)
    text = host.decode(host.generate([host.encode("The code of the door is")], 4)[0])
    assert text == "xyz"


def test_device_map_is_respected() -> None:
    accelerate = pytest.importorskip("accelerate")
    model = tiny.model("llama")
    split = {"model.embed_tokens": "cpu", "model.layers.0": "cpu", "model.norm": "cpu"}
    split |= {f"model.layers.{i}": "cpu" for i in (1, 2, 3)}
    split |= {"model.rotary_emb": "cpu", "lm_head": "cpu"}
    whole = host_of("llama")
    accelerate.dispatch_model(model, split, force_hooks=True)
    host = Host(model, tiny.tokenizer(), 2)
    tokens = host.batch([host.encode(*pair) for pair in PAIRS])
    assert torch.equal(host.replay(host.read(tokens)), whole.replay(whole.read(tokens)))
    method = memoir_on(host)
    (change,) = method.fit([Edit("The code of the door is", "xyz")])
    assert not isinstance(change, Exception)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device on this machine")
def test_edits_on_cuda() -> None:
    model = tiny.model("llama").to("cuda")
    host = Host(model, tiny.tokenizer(), 2)
    for memory in ("shared", "isolated"):
        method = memoir_on(host, memory=memory)
        (change,) = method.fit([Edit("The code of the door is", "xyz")])
        assert not isinstance(change, Exception), change
        method.apply("1", change.edit, change.tensors)
        assert host.decode(host.generate([host.encode("The code of the door is")], 4)[0]) == "xyz"
        method.close()


def test_identity_survives_saving_and_loading_but_not_other_weights(tmp_path: Path) -> None:
    fresh = Host(tiny.model("qwen2"), tiny.tokenizer(), 2, name="tiny").identity()["hash"]
    loaded = load_host(str(tiny.save(tmp_path / "same", "qwen2")), 2)
    assert loaded.identity()["hash"] == fresh
    other = load_host(str(tiny.save(tmp_path / "other", "qwen2", seed=1)), 2)
    assert other.identity()["hash"] != fresh


def test_an_explicit_module_path_is_taken() -> None:
    host = host_of("llama", site="model.layers.1.mlp.gate_proj")
    assert (host.site.layer, host.site.d_in, host.site.d_out) == (1, 32, 64)


def test_default_layer_is_the_papers_depth() -> None:
    assert host_of("llama", site=None).site.layer == 3  # 27/32 of 4 layers


@pytest.mark.parametrize(
    ("site", "message"),
    [
        (9, "no layer 9: this LlamaForCausalLM has layers 0 to 3"),
        ("model.layers.1.mlp.down_prj", "Did you mean 'model.layers.*.mlp.down_proj'"),
        ("model.layers.1.mlp", "is a LlamaMLP, not a linear layer"),
        ("lm_head", "lies in no list of decoder blocks"),
    ],
)
def test_a_wrong_site_is_explained(site: int | str, message: str) -> None:
    with pytest.raises(UnknownName) as caught:
        host_of("llama", site=site)
    assert message.replace("*", "1") in str(caught.value)


def test_two_attachments_coexist_and_each_undoes_only_itself() -> None:
    host = host_of("llama")
    tokens = host.batch([host.encode("hello")])
    before = host.logits(tokens)
    one = Attachment(host, Adds(1.0))
    only_one = host.logits(tokens)
    two = Attachment(host, Adds(2.0))
    assert not torch.equal(host.logits(tokens), only_one)
    two.undo()
    assert torch.equal(host.logits(tokens), only_one)
    one.undo()
    assert torch.equal(host.logits(tokens), before)
