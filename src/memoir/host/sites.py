"""Finding the linear layer to edit: the last projection of a decoder block's feed-forward part.

The table below is all that memoir knows about architectures. Anything else takes an explicit module
path, such as ``model.layers.24.mlp.down_proj``.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from memoir.errors import UnknownName

BLOCK_LISTS = ("model.layers", "transformer.h", "gpt_neox.layers")
"""Where the decoder blocks are, by path from the model with the language-modelling head."""

OUTPUT_PROJECTIONS = (
    "mlp.down_proj",  # LLaMA, Mistral, Qwen, Gemma, Phi-3
    "mlp.fc_out",  # GPT-J
    "mlp.c_proj",  # GPT-2 (a Conv1D: its weight is transposed)
    "mlp.dense_4h_to_h",  # GPT-NeoX
    "mlp.fc2",  # Phi
)
"""The feed-forward output projection, by path from a block."""


@dataclass(frozen=True)
class Site:
    """One edited linear layer.

    Attributes:
        path: module path from the model, e.g. ``model.layers.24.mlp.down_proj``.
        layer: index of the decoder block that holds it, 0-based.
        module: the linear layer itself.
        blocks: all decoder blocks, in order.
        d_in, d_out: its inputs and outputs, whichever way round the weight is stored.
    """

    path: str
    layer: int
    module: nn.Module
    blocks: nn.ModuleList
    d_in: int
    d_out: int

    @property
    def weight(self) -> torch.Tensor:
        """The layer's weight as stored (GPT-2's Conv1D keeps it transposed)."""
        weight = self.module.weight
        assert isinstance(weight, torch.Tensor)
        return weight


def find_blocks(model: nn.Module) -> tuple[str, nn.ModuleList]:
    """Path and list of the decoder blocks.

    Raises:
        UnknownName: if the model keeps them in none of the known places.
    """
    for path in BLOCK_LISTS:
        try:
            blocks = model.get_submodule(path)
        except AttributeError:
            continue
        if isinstance(blocks, nn.ModuleList):
            return path, blocks
    raise UnknownName.among(
        "list of decoder blocks in",
        type(model).__name__,
        BLOCK_LISTS,
        "Pass the module path of the linear layer to edit (site=…).",
    )


PAPER_DEPTH = 27 / 32
"""Relative depth of the layer that the paper edits (layer 27 of 32)."""


def find_site(model: nn.Module, where: int | float | str | None = None) -> Site:
    """The site at a layer index, a relative depth (0.0..1.0), a module path, or the paper's depth.

    Raises:
        UnknownName: no such layer or module, or the module is not linear.
    """
    if isinstance(where, str):
        return _site_at(model, where)
    path, blocks = find_blocks(model)
    where = PAPER_DEPTH if where is None else where
    layer = where if isinstance(where, int) else min(len(blocks) - 1, round(len(blocks) * where))
    if not 0 <= layer < len(blocks):
        raise UnknownName(
            f"no layer {layer}: this {type(model).__name__} has layers 0 to {len(blocks) - 1}."
        )
    for projection in OUTPUT_PROJECTIONS:
        try:
            blocks[layer].get_submodule(projection)
        except AttributeError:
            continue
        return _site_at(model, f"{path}.{layer}.{projection}")
    raise UnknownName.among(
        "known feed-forward projection in",
        f"{path}.{layer}",
        OUTPUT_PROJECTIONS,
        "Pass the module path of the linear layer to edit (site=…).",
    )


def _site_at(model: nn.Module, path: str) -> Site:
    modules = dict(model.named_modules())
    if path not in modules:
        linear = [name for name, module in modules.items() if _shape(module) is not None]
        near = UnknownName.among("module", path, linear)
        raise UnknownName(str(near).split(" Available:")[0] + _examples(linear))
    shape = _shape(modules[path])
    if shape is None:
        raise UnknownName(
            f"'{path}' is a {type(modules[path]).__name__}, not a linear layer; a site must be one."
        )
    for cut in range(path.count("."), 0, -1):
        parent, index, *_ = path.rsplit(".", cut)
        blocks = modules.get(parent)
        if isinstance(blocks, nn.ModuleList) and index.isdigit():
            return Site(path, int(index), modules[path], blocks, *shape)
    raise UnknownName(f"'{path}' lies in no list of decoder blocks; choose a layer inside one.")


def _examples(names: list[str]) -> str:
    return f" For example: {', '.join(names[-3:])}." if names else " The model has no linear layer."


def _shape(module: nn.Module) -> tuple[int, int] | None:
    """(d_in, d_out) of a linear layer, quantised or not; None for anything else."""
    if type(module).__name__ == "Conv1D":
        d_in, d_out = module.weight.shape  # type: ignore[misc]
        return int(d_in), int(d_out)
    if hasattr(module, "in_features") and hasattr(module, "out_features"):
        return int(module.in_features), int(module.out_features)  # type: ignore[arg-type]
    return None
