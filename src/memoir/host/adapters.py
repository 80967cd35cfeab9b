"""LoRA layers of the library PEFT in a host's model, with adapters by name.

LoRA (Hu et al., ICLR 2022, arXiv 2106.09685, §4.1): beside a frozen linear layer W stands a pair of
thin matrices, and what it puts out is W x + (α / r) B A x. PEFT puts its own layers in the place of
the model's; each may hold many adapters, and in one batch every row may have another one or none. A
row without an adapter keeps every bit.

Which rows have which adapter is asked of the method that holds the layers, at every pass. Adapters are
kept in float32. :meth:`Adapters.undo` puts the model's own layers back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from math import sqrt
from typing import Any

import torch
from torch import Tensor, nn

from memoir.errors import BadInput
from memoir.host.host import Host

NONE = "__base__"
"""What PEFT calls having no adapter."""

TRIAL = "trial"
"""The adapter that is being trained."""

Weights = Mapping[str, Tensor]
"""An adapter's matrices: for each adapted module ``<path>.A`` (r, d_in) and ``<path>.B`` (d_out, r)."""


class Adapters:
    """LoRA layers in a model until :meth:`undo`.

    Args:
        host: the model.
        rank: r.
        alpha: α.
        modules: names of the layers that get adapters; None for what PEFT names for the model's family.
        chosen: the adapter of every row of a pass, :data:`NONE` for none, given the number of rows.

    Raises:
        BadInput: the model has adapters already, or no such layer.
    """

    def __init__(
        self,
        host: Host,
        rank: int,
        alpha: float,
        modules: Sequence[str] | None,
        chosen: Callable[[int], list[str]],
    ) -> None:
        self._model, self._rank, self._alpha, self._chosen = host.model, rank, alpha, chosen
        self._trying: ContextVar[bool] = ContextVar("memoir_trying", default=False)
        self._trainable = {each: each.requires_grad for each in host.model.parameters()}
        if _lora_layers(host.model):
            raise BadInput(
                "the model has LoRA layers already, and the edits' own would be mixed up with them; "
                "close the editor that put them there, or merge the adapter into the model first."
            )
        self._layers = self._injected(modules)
        for layer in self._layers.values():
            layer.register_forward_pre_hook(self._before, with_kwargs=True)

    def undo(self) -> None:
        """Put the model's own layers back; calling it again does nothing."""
        for path, layer in self._layers.items():
            parent, _, name = path.rpartition(".")
            setattr(self._model.get_submodule(parent), name, layer.base_layer)
        self._layers = {}
        for parameter, trainable in self._trainable.items():
            parameter.requires_grad_(trainable)
        self._trainable = {}
        if hasattr(self._model, "peft_config"):
            del self._model.peft_config

    def initial(self, seed: int) -> dict[str, Tensor]:
        """An adapter that does nothing yet: A drawn as PEFT draws it, B zero."""
        draw = torch.Generator().manual_seed(seed)
        weights = {}
        for path, layer in self._layers.items():
            a = torch.rand(self._rank, layer.in_features, generator=draw)
            weights[f"{path}.A"] = (2 * a - 1) / sqrt(layer.in_features)
            weights[f"{path}.B"] = torch.zeros(layer.out_features, self._rank)
        return weights

    def put(self, name: str, weights: Weights) -> None:
        """Have an adapter under a name, which may hold no dot; of the same name the last counts."""
        for path, layer in self._layers.items():
            with torch.device("meta"):  # nothing is drawn, and nothing allocated twice
                layer.update_layer(name, self._rank, lora_alpha=self._alpha, config=self._config)
            for part, module in (("A", layer.lora_A[name]), ("B", layer.lora_B[name])):
                weight = weights[f"{path}.{part}"].to(layer.base_layer.weight.device)
                module.weight = nn.Parameter(weight.float(), requires_grad=False)

    def drop(self, name: str) -> None:
        """Forget an adapter; one that is not there is none."""
        for layer in self._layers.values():
            layer.delete_adapter(name)

    def merged(self, name: str | None) -> dict[str, Tensor]:
        """All weights of the model, by their names without these layers.

        Args:
            name: the adapter that is added to them in float32, and rounded to their type; or None.
        """
        weights: dict[str, Tensor] = {}
        own = {f"{path}.base_layer": path for path in self._layers}
        for key, weight in self._model.state_dict().items():
            path, _, part = key.rpartition(".")
            if any(key.startswith(f"{each}.lora_") for each in self._layers):
                continue
            weights[f"{own.get(path, path)}.{part}"] = weight
        for path, layer in self._layers.items() if name is not None else ():
            base = layer.base_layer.weight
            changed = base.detach().float() + layer.get_delta_weight(name).float()
            weights[f"{path}.weight"] = changed.to(base.dtype)
        return weights

    @contextmanager
    def tried(self, weights: Weights) -> Iterator[dict[str, nn.Parameter]]:
        """While open, this thread sees one adapter alone, on every row.

        Yields:
            Copies of the weights that can be trained; by the same names.
        """
        self.put(TRIAL, {name: each.clone() for name, each in weights.items()})
        parameters = {}
        for path, layer in self._layers.items():
            parameters[f"{path}.A"] = layer.lora_A[TRIAL].weight
            parameters[f"{path}.B"] = layer.lora_B[TRIAL].weight
        for each in parameters.values():
            each.requires_grad_()
        token = self._trying.set(True)
        try:
            yield parameters
        finally:
            self._trying.reset(token)
            self.drop(TRIAL)

    def _before(
        self, _layer: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]]:
        rows = len(args[0])
        names = [TRIAL] * rows if self._trying.get() else self._chosen(rows)
        return args, {**kwargs, "adapter_names": names}

    def _injected(self, modules: Sequence[str] | None) -> dict[str, Any]:
        """PEFT's layers by path, without any adapter."""
        from peft import LoraConfig, inject_adapter_in_model  # takes seconds to import

        conv = any(type(each).__name__ == "Conv1D" for each in self._model.modules())
        self._config = LoraConfig(
            r=self._rank,
            lora_alpha=self._alpha,  # type: ignore[arg-type]
            target_modules=None if modules is None else list(modules),
            fan_in_fan_out=conv,  # how GPT-2's layers store their weights
        )
        try:
            with torch.device("meta"):
                inject_adapter_in_model(self._config, self._model, TRIAL)
        except ValueError as error:
            self._layers = _lora_layers(self._model)
            self.undo()
            raise BadInput(
                f"no adapter can be put into this {type(self._model).__name__} "
                f"(modules={modules}): {error} Name linear layers of it, e.g. "
                "modules=['q_proj', 'v_proj']."
            ) from error
        layers = _lora_layers(self._model)
        for layer in layers.values():
            layer.set_adapter([])
            layer.delete_adapter(TRIAL)
            layer.train(layer.base_layer.training)
        return layers


def _lora_layers(model: nn.Module) -> dict[str, Any]:
    """PEFT's layers in a model, by path."""
    return {path: module for path, module in model.named_modules() if hasattr(module, "lora_A")}
