"""Edits as an adapter folder of the library PEFT; :mod:`memoir.peft` loads it.

Only where edits stand beside the model: a change of its weights is a checkpoint, not an adapter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import safetensors.torch
from transformers import PreTrainedTokenizerBase

from memoir import methods
from memoir.errors import BadInput, NotMergeable
from memoir.host.loading import load_tokenizer
from memoir.store import Row, Store, taught
from memoir.store.rows import HEAD

WEIGHTS = "adapter_model.safetensors"
"""Where PEFT looks for tensors."""

CARD = """# Edits of a language model

An adapter for the library PEFT, written by memoir (`pip install memoir-edit`):

```python
import memoir.peft  # PEFT knows adapters of edits from now on
from peft import PeftModel

model = PeftModel.from_pretrained(model, "THIS FOLDER")
```
"""
"""The adapter's README.md: without the import, PEFT says no more than ``KeyError: 'MEMOIR'``."""


@dataclass(frozen=True)
class Written:
    """What was written.

    Attributes:
        folder: the adapter.
        commit: whose edits are in it.
        edits: how many.
        identity: the model it is for, see :meth:`memoir.host.Host.identity`.
    """

    folder: Path
    commit: str
    edits: int
    identity: dict[str, str]


def write(
    store: Store,
    folder: str | Path,
    ref: str = HEAD,
    tokenizer: PreTrainedTokenizerBase | None = None,
) -> Written:
    """Write the edits in force at a commit as a PEFT adapter, in a new folder; needs no model.

    Args:
        store: where they are.
        folder: new or empty.
        ref: a branch, tag or commit.
        tokenizer: the model's; None loads that of the model the store names. It goes into the adapter,
            which names as its base model where the tokenizer was loaded from.

    Raises:
        UnknownName: no such branch, tag or commit; or no tokenizer is where the store's model was.
        NotMergeable: the method's edits are a change of weights.
        BadInput: the folder holds something, the store is bound to no model, or the tokenizer reads
            otherwise once it was saved.
        StoreDamaged: an edit's file is missing or damaged.
        StoreError: it could not be written; no folder is left behind.
    """
    from memoir.peft.carried import Carried  # PEFT takes seconds to import
    from memoir.peft.config import EditsConfig, plain
    from memoir.versions.whole_folder import new_folder

    commit = store.history.resolve(ref)
    settings = store.settings(commit)
    if settings is None:
        raise BadInput(f"'{ref}' is bound to no model yet; make edits first.")
    _refuse_weights(settings)
    identity = settings.body["identity"]
    if tokenizer is None:
        tokenizer = load_tokenizer(identity["model"])
    rows = store.live(commit)
    tensors = {row.id: store.tensors(row) for row in rows}
    carried = Carried.of(store.tensors(settings), tensors, tokenizer)
    _refuse_other_reading(tokenizer, carried.tokenizer(), rows)
    config = EditsConfig(
        base_model_name_or_path=tokenizer.name_or_path or identity["model"],
        inference_mode=True,
        commit=commit,
        settings=settings.body,
        edits=[plain(row) for row in rows],
    )
    config.checksum = carried.checksum(config.said)
    with new_folder(Path(folder), "PEFT adapter") as unfinished:
        safetensors.torch.save_file(carried.tensors, unfinished / WEIGHTS, {"format": "pt"})
        config.save_pretrained(str(unfinished))
        (unfinished / "README.md").write_text(CARD, encoding="utf-8")
    return Written(Path(folder), commit, len(rows), identity)


def _refuse_weights(settings: Row) -> None:
    name = settings.body["method"]
    if methods.get(name).merges == "no":
        return
    raise NotMergeable(
        f"edits of the method {name} are a change of the model's weights, and no PEFT adapter: write "
        "the edited model as a checkpoint with memoir merge-weights."
    )


def _refuse_other_reading(
    tokenizer: PreTrainedTokenizerBase, saved: PreTrainedTokenizerBase, rows: Sequence[Row]
) -> None:
    """Make sure that a tokenizer that was saved reads the edits as it did before."""
    edits = [taught(row) for row in rows]
    for text in [text for edit in edits for text in (edit.prompt, f"{edit.prompt} {edit.target}")]:
        if tokenizer(text)["input_ids"] != saved(text)["input_ids"]:
            raise BadInput(
                f"the tokenizer reads '{text}' otherwise once it was saved and loaded, so an adapter "
                "would not know its own edits; nothing was written. Give the tokenizer that "
                "AutoTokenizer.from_pretrained loads for the model."
            )
