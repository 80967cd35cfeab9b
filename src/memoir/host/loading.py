"""From a name on the command line to a loaded model."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerBase
from transformers.utils import logging

from memoir.errors import ModelUnavailable, UnknownName
from memoir.host.host import Host
from memoir.host.smollm2 import pull_smollm2, smollm2_folder

BUILT_IN = {"smollm2": smollm2_folder}
"""Short names of models memoir can prepare by itself, and where they are kept."""

HINT = "Or give a local folder or a Hugging Face id that can be reached from here."

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def load_host(
    model: str,
    site: int | float | str | None = None,
    dtype: str = "auto",
    device_map: str | dict[str, Any] | None = None,
) -> Host:
    """Load a model by short name, local folder or Hugging Face id.

    Args:
        model: ``smollm2`` (fetched on first use), a folder, or an id such as
            ``meta-llama/Llama-3.1-8B-Instruct``.
        site: layer index, relative depth, module path, or None for the paper's depth.
        dtype: ``float32``, ``bfloat16``, ``float16``, or ``auto`` for the checkpoint's own.
        device_map: as in transformers, e.g. ``"cuda"`` or ``"auto"``.

    Raises:
        UnknownName: no such dtype, or nothing to load under that name.
        ModelUnavailable: the default model could not be fetched, or a folder lacks something.
    """
    if dtype != "auto" and dtype not in DTYPES:
        raise UnknownName.among("dtype", dtype, [*DTYPES, "auto"])
    with _source(model) as source:
        tokenizer = AutoTokenizer.from_pretrained(source)
        loaded = AutoModelForCausalLM.from_pretrained(
            source, dtype=DTYPES.get(dtype, "auto"), device_map=device_map
        )
    loaded.requires_grad_(False)
    return Host(loaded, tokenizer, site, name=model)


def load_tokenizer(model: str) -> PreTrainedTokenizerBase:
    """Load a model's tokenizer alone; names and errors are those of :func:`load_host`."""
    with _source(model) as source:
        tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(source)
    return tokenizer


@contextmanager
def _source(model: str) -> Iterator[str]:
    """Where a model is to be loaded from; what goes wrong while it is, becomes an error of ours."""
    source = str(pull_smollm2()) if model in BUILT_IN else model
    if "/" not in model and not Path(source).is_dir() and get_close_matches(model, BUILT_IN):
        raise UnknownName.among("model", model, BUILT_IN, HINT)  # a slip, not worth a web request
    try:
        with quiet():
            yield source
    except (OSError, ValueError) as error:
        if not Path(source).is_dir():
            raise UnknownName.among("model", model, BUILT_IN, HINT) from error
        reason = str(error).strip().splitlines()[0]
        raise ModelUnavailable(
            f"the folder {source} could not be loaded as a model: {reason} A folder saved with "
            "save_pretrained holds config.json, the weights and the tokenizer's files."
        ) from error


@contextmanager
def quiet() -> Iterator[None]:
    """While open, transformers draws no progress bars."""
    bars = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        if bars:
            logging.enable_progress_bar()
