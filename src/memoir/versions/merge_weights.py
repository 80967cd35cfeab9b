"""The edited model as an ordinary checkpoint, which anything that reads Hugging Face's can run.

Only where edits are a change of weights: what is decided for each prompt anew fits into no weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from memoir import methods
from memoir.editor import Editor
from memoir.errors import NotMergeable, StoreError
from memoir.host import Host
from memoir.host.loading import load_host, quiet
from memoir.store import taught
from memoir.versions.whole_folder import new_folder

ASKED = 32
"""Edits whose prompts the checkpoint is asked when it is checked."""


@dataclass(frozen=True)
class Merged:
    """What was written.

    Attributes:
        folder: the checkpoint.
        edits: that are in it.
        exact: whether the method's weights say exactly what its edits do.
        asked: prompts on which the checkpoint was compared with the edited model.
        difference: the largest difference of two logits there; 0 where it answers bit for bit alike.
    """

    folder: Path
    edits: int
    exact: bool
    asked: int
    difference: float


def merge_weights(editor: Editor, folder: str | Path, check: bool = True) -> Merged:
    """Write the edited model and its tokenizer to a new folder; the editor goes on as it was.

    Args:
        editor: at the state to be written.
        folder: new or empty.
        check: load the checkpoint, which takes memory for a second model, and compare its logits with
            the edited model's on the prompts of edits.

    Raises:
        NotMergeable: the method's edits are no change of weights.
        BadInput: the folder holds something.
        StoreError: it could not be written, or the checkpoint does not answer as it must; no folder is
            left behind.
    """
    method, path = editor.method, Path(folder)
    if method.merges == "no":
        name = methods.name_of(type(method))
        raise NotMergeable(
            f"the method {name} decides for each prompt anew whether an edit acts, and no weights can "
            "say that: there is no exact merge. Take the edits elsewhere with memoir export, or teach "
            f"them to a store of a method that changes weights ({', '.join(_mergeable())})."
        )
    exact = method.merges == "exact"
    with new_folder(path, "checkpoint") as unfinished:
        with quiet():
            editor.model.save_pretrained(unfinished, state_dict=method.merged())
        editor.host.tokenizer.save_pretrained(unfinished)
        asked, difference = _compared(editor, unfinished) if check else (0, 0.0)
        if exact and difference:
            raise StoreError(
                f"the checkpoint's logits differ from the edited model's by up to {difference:g}, "
                "where they must be the same; nothing was written. A model that was converted with "
                ".to() holds numbers that no checkpoint says: load it in its type (--dtype)."
            )
    return Merged(path, len(editor), exact, asked, difference)


def _mergeable() -> list[str]:
    """Methods whose edits are a change of weights."""
    return [name for name in methods.available() if methods.get(name).merges != "no"]


def _compared(editor: Editor, folder: Path) -> tuple[int, float]:
    """On how many prompts both were compared, and how far their logits are apart at most."""
    mine, site = editor.model, editor.host.site.path
    where = getattr(mine, "hf_device_map", None) or str(editor.host.device)
    other = load_host(str(folder), site, device_map=where)
    other.model.set_attn_implementation(mine.config._attn_implementation)
    prompts = [taught(row).prompt for row in editor.live()[:ASKED]]
    difference = 0.0
    for prompt in prompts:
        one, two = _logits(editor.host, prompt), _logits(other, prompt)
        difference = max(difference, float((one - two).abs().max()))
    return len(prompts), difference


@torch.no_grad()
def _logits(host: Host, prompt: str) -> Tensor:
    return host.logits(host.batch([host.encode(prompt)])).float()
