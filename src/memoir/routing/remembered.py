"""What was learnt of a model, kept in the user's cache folder: every store of that model needs it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from contextlib import suppress
from importlib.resources import files
from pathlib import Path

import safetensors.torch
from safetensors import SafetensorError, safe_open

from memoir.host import Host
from memoir.host.smollm2 import cache_folder
from memoir.routing.learning import Learning, learn
from memoir.routing.pairs import Told
from memoir.routing.relation import Reader
from memoir.routing.verdict import Learnt
from memoir.types import Progress, no_progress

LEARNT_FROM = ("routing", "resources", "core/plda.py", "core/logistic.py")
"""What learning depends on, below the package: a change of any of it has everything learnt anew."""


def learnt_for(host: Host, own: Sequence[Told] = (), progress: Progress = no_progress) -> Learning:
    """What was learnt of a model, from the cache folder or else now.

    Args:
        host: the model.
        own: further pairs to learn from.
    """
    path = _path(host, own)
    kept = _read(path)
    if kept is not None:
        return kept
    learning = learn(host, own, progress=progress)
    with suppress(OSError):  # a folder that cannot be written only costs learning again
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.with_name(f"{path.name}.{os.getpid()}")
        said = {
            "threshold": json.dumps(learning.threshold),
            "evidence": json.dumps(learning.evidence),
        }
        safetensors.torch.save_file(
            {name: each.contiguous() for name, each in learning.learnt.tensors().items()},
            unfinished,
            metadata=said,
        )
        unfinished.replace(path)
    return learning


def _read(path: Path) -> Learning | None:
    try:
        with safe_open(path, "pt") as file:
            said = file.metadata()
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
        learnt = Learnt.from_tensors(tensors)
        return Learning(learnt, json.loads(said["threshold"]), json.loads(said["evidence"]))
    except (OSError, SafetensorError, KeyError, TypeError, ValueError):
        return None  # absent or spoilt: it is learnt again


def _path(host: Host, own: Sequence[Told]) -> Path:
    # What is learnt depends on the layers that are read, and not on which layer is edited.
    read = host.at(Reader(host).layer - 1).identity()["hash"]
    digest = hashlib.sha256(f"{read} {list(own)}".encode())
    root = Path(str(files("memoir")))
    for name in LEARNT_FROM:
        for path in sorted((root / name).iterdir()) if (root / name).is_dir() else [root / name]:
            if path.suffix in (".py", ".json", ".jsonl"):
                digest.update(path.read_bytes())
    return cache_folder() / "learnt" / f"{digest.hexdigest()[:32]}.safetensors"
