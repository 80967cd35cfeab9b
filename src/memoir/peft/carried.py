"""An adapter's ``adapter_model.safetensors``: tensors of the settings and of the edits, and the
tokenizer's files as bytes.

    base_model.memoir.settings.NAME
    base_model.memoir.edits.ID.NAME
    base_model.memoir.tokenizer.FILE

Routers read text, so an adapter carries the tokenizer that its edits were made with: it goes wherever
PEFT takes the two files, and whoever loads them needs no other.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoTokenizer, PreTrainedTokenizerBase

PREFIX = "base_model.memoir."


@dataclass(frozen=True)
class Carried:
    """Tensors of an adapter.

    Attributes:
        tensors: all of them, by their names in the file.
    """

    tensors: dict[str, Tensor]

    @classmethod
    def of(
        cls,
        settings: Mapping[str, Tensor],
        edits: Mapping[str, Mapping[str, Tensor]],
        tokenizer: PreTrainedTokenizerBase,
    ) -> Carried:
        """Tensors to be written.

        Args:
            settings: those of the settings.
            edits: those of the edits, by id.
            tokenizer: the model's.
        """
        tensors = {f"{PREFIX}settings.{name}": each for name, each in settings.items()}
        for id, those in edits.items():
            tensors |= {f"{PREFIX}edits.{id}.{name}": each for name, each in those.items()}
        for name, content in _files(tokenizer).items():
            kept = torch.frombuffer(bytearray(content), dtype=torch.uint8)
            tensors[f"{PREFIX}tokenizer.{name}"] = kept
        return cls({name: each.detach().cpu().contiguous() for name, each in tensors.items()})

    @classmethod
    def among(cls, tensors: Mapping[str, Tensor]) -> Carried:
        """Those of a file that are ours, wherever PEFT has put them."""
        ours = {name: each.cpu() for name, each in tensors.items() if name.startswith(PREFIX)}
        return cls(ours)

    def settings(self) -> dict[str, Tensor]:
        """Those of the settings, by name."""
        return self._part("settings.")

    def edits(self) -> dict[str, dict[str, Tensor]]:
        """Those of the edits, by id and name."""
        found: dict[str, dict[str, Tensor]] = {}
        for key, tensor in self._part("edits.").items():
            id, _, name = key.partition(".")
            found.setdefault(id, {})[name] = tensor
        return found

    def tokenizer(self) -> PreTrainedTokenizerBase:
        """The tokenizer, loaded."""
        with tempfile.TemporaryDirectory(prefix="memoir-") as folder:
            for name, content in self._part("tokenizer.").items():
                path = Path(folder) / name
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(content.numpy().tobytes())
            loaded: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(folder)
        return loaded

    def checksum(self, said: Sequence[Any]) -> str:
        """SHA-256 over the tensors, and over what a config says of them."""
        told = json.dumps(said, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        digest = hashlib.sha256(told.encode())
        for name, tensor in sorted(self.tensors.items()):
            digest.update(json.dumps([name, str(tensor.dtype), list(tensor.shape)]).encode())
            digest.update(tensor.contiguous().view(-1).view(torch.uint8).numpy().tobytes())
        return digest.hexdigest()

    def _part(self, kind: str) -> dict[str, Tensor]:
        start = PREFIX + kind
        found = {name: each for name, each in self.tensors.items() if name.startswith(start)}
        return {name.removeprefix(start): each for name, each in found.items()}


def _files(tokenizer: PreTrainedTokenizerBase) -> dict[str, bytes]:
    """A tokenizer's files, by path below its folder."""
    with tempfile.TemporaryDirectory(prefix="memoir-") as folder:
        tokenizer.save_pretrained(folder)
        paths = sorted(path for path in Path(folder).rglob("*") if path.is_file())
        return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}
