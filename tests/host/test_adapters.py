"""PEFT's layers go into a model and come out again without a trace."""

from __future__ import annotations

import pytest
import torch

import tiny
from memoir.errors import BadInput
from memoir.host import Host
from memoir.host.adapters import NONE, Adapters


def made(host: Host, chosen: list[str] | None = None, **settings: object) -> Adapters:
    """Adapters; rows get those ``chosen``, in order."""
    given = {"rank": 4, "alpha": 8.0, "modules": None, **settings}
    return Adapters(host, chosen=lambda rows: chosen or [NONE] * rows, **given)  # type: ignore[arg-type]


def drawn(layers: Adapters, seed: int) -> dict[str, torch.Tensor]:
    """An adapter with numbers in B too."""
    generator = torch.Generator().manual_seed(seed)
    return {
        name: torch.randn(each.shape, generator=generator) * 0.2
        for name, each in layers.initial(seed).items()
    }


def logits(host: Host, *prompts: str) -> torch.Tensor:
    return host.logits(host.batch([host.encode(prompt) for prompt in prompts]), keep=1)


@pytest.mark.parametrize("family", sorted(tiny.CONFIGS))
def test_nothing_is_left_of_them(family: str) -> None:
    model = tiny.model(family)
    next(model.parameters()).requires_grad_(True)
    host = Host(model, tiny.tokenizer(), 2)
    modules, keys = dict(model.named_modules()), list(model.state_dict())
    attributes, flags = set(vars(model)), [each.requires_grad for each in model.parameters()]
    own, identity = logits(host, "Who keeps the bees?"), host.identity()
    state = torch.get_rng_state()
    layers = made(host, ["a"])
    layers.put("a", drawn(layers, 1))
    assert not torch.equal(logits(host, "Who keeps the bees?"), own)
    assert Host(model, tiny.tokenizer(), 2).identity() == identity
    layers.undo()
    layers.undo()
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(logits(host, "Who keeps the bees?"), own)
    assert list(model.state_dict()) == keys
    assert {path: id(each) for path, each in model.named_modules()} == {
        path: id(each) for path, each in modules.items()
    }
    assert set(vars(model)) == attributes
    assert [each.requires_grad for each in model.parameters()] == flags
    assert Host(model, tiny.tokenizer(), 2).identity() == identity
    again = made(host, ["a"])  # and another one may follow
    again.undo()


def test_what_it_does_is_to_add_alpha_by_rank_b_a(host: Host) -> None:
    prompt, chosen = "Who keeps the bees?", ["a"]
    layers = made(host, chosen)
    weights = drawn(layers, 1)
    layers.put("a", weights)
    adapted = logits(host, prompt)
    layers.undo()
    for name in weights:
        path, _, part = name.rpartition(".")
        if part == "A":
            change = 8.0 / 4 * weights[f"{path}.B"] @ weights[name]
            host.model.get_submodule(path).weight.data += change
    torch.testing.assert_close(logits(host, prompt), adapted, rtol=0, atol=1e-4)


def test_rows_of_one_batch_have_adapters_of_their_own_or_none(host: Host) -> None:
    prompts = ["Who keeps the bees?", "The code of the door is", "Bees fly east when it is"]
    own = logits(host, *prompts)
    chosen = [NONE] * 3
    layers = made(host, chosen)
    for seed, name in enumerate(("a", "b")):
        layers.put(name, drawn(layers, seed))
    alone = {}
    for name in ("a", "b"):
        chosen[:] = [name]
        alone[name] = [logits(host, prompt)[0] for prompt in prompts]
    chosen[:] = ["b", NONE, "a"]
    mixed = logits(host, *prompts)
    assert torch.equal(mixed[1], own[1])
    torch.testing.assert_close(mixed[0], alone["b"][0], rtol=0, atol=1e-4)
    torch.testing.assert_close(mixed[2], alone["a"][2], rtol=0, atol=1e-4)
    layers.drop("a")
    layers.drop("never there")
    chosen[:] = [NONE] * 3
    assert torch.equal(logits(host, *prompts), own)
    assert not any(".a." in name for name in host.model.state_dict())


def test_only_a_and_b_get_gradients_and_only_while_they_are_tried(host: Host) -> None:
    layers = made(host)
    own = logits(host, "Who keeps the bees?")
    start = drawn(layers, 1)
    kept = {name: each.clone() for name, each in start.items()}
    with layers.tried(start) as parameters:
        trained = {id(each) for each in parameters.values()}
        assert {id(each) for each in host.model.parameters() if each.requires_grad} == trained
        logits(host, "Who keeps the bees?").square().sum().backward()
        for each in host.model.parameters():
            assert (each.grad is not None) == (id(each) in trained)
        for each in parameters.values():
            each.data += 1.0
    assert all(torch.equal(start[name], each) for name, each in kept.items())
    assert torch.equal(logits(host, "Who keeps the bees?"), own)
    assert not any("lora" in name for name in host.model.state_dict())


def test_it_starts_from_a_draw_of_the_seed_and_from_nothing(host: Host) -> None:
    layers = made(host)
    one, same, other = (layers.initial(seed) for seed in (1, 1, 2))
    assert all(torch.equal(one[name], same[name]) for name in one)
    for name, each in one.items():
        if name.endswith(".B"):
            assert not each.any()
        else:
            assert not torch.equal(each, other[name])
            bound = each.shape[1] ** -0.5  # as PEFT draws it
            assert 0.9 * bound < float(each.abs().max()) <= bound


def test_half_precision_models_have_adapters_in_full(host: Host) -> None:
    model = tiny.model("llama", dtype=torch.bfloat16)
    half = Host(model, tiny.tokenizer(), 2)
    layers = made(half, ["a"])
    layers.put("a", drawn(layers, 1))
    adapters = [each for name, each in model.named_parameters() if ".lora_" in name]
    assert {each.dtype for each in adapters} == {torch.float32}
    assert logits(half, "Who keeps the bees?").dtype == torch.bfloat16


def test_a_model_with_adapters_is_refused(host: Host) -> None:
    layers = made(host)
    with pytest.raises(BadInput, match=r"has LoRA layers already.*close the editor"):
        made(host)
    layers.undo()
    made(host).undo()


@pytest.mark.parametrize("modules", [["nowhere"], ["q_proj", "mlp"]])
def test_layers_that_are_not_there_or_not_linear_are_refused(
    host: Host, modules: list[str]
) -> None:
    before = list(host.model.state_dict())
    with pytest.raises(BadInput, match=r"no adapter can be put into this Llama.*q_proj"):
        made(host, modules=modules)
    assert list(host.model.state_dict()) == before
    assert not hasattr(host.model, "peft_config")
