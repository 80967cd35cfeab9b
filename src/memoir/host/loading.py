"""From a name on the command line to a loaded model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging

from memoir.errors import UnknownName
from memoir.host.host import Host
from memoir.host.smollm2 import pull_smollm2, smollm2_folder

BUILT_IN = {"smollm2": smollm2_folder}
"""Short names of models memoir can prepare by itself, and where they are kept."""

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "float16": torch.float16}


def load_host(
    model: str,
    site: int | str | None = None,
    dtype: str = "auto",
    device_map: str | dict[str, Any] | None = None,
) -> Host:
    """Load a model by short name, local folder or Hugging Face id.

    Args:
        model: ``smollm2`` (fetched on first use), a folder, or an id such as
            ``meta-llama/Llama-3.1-8B-Instruct``.
        site: layer index, module path, or None for the default depth.
        dtype: ``float32``, ``bfloat16``, ``float16``, or ``auto`` for the checkpoint's own.
        device_map: as in transformers, e.g. ``"cuda"`` or ``"auto"``.

    Raises:
        UnknownName: no such dtype, or nothing to load under that name.
        ModelUnavailable: the default model could not be fetched.
    """
    if dtype != "auto" and dtype not in DTYPES:
        raise UnknownName.among("dtype", dtype, [*DTYPES, "auto"])
    source = str(pull_smollm2()) if model in BUILT_IN else model
    bars = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        tokenizer = AutoTokenizer.from_pretrained(source)
        loaded = AutoModelForCausalLM.from_pretrained(
            source, dtype=DTYPES.get(dtype, "auto"), device_map=device_map
        )
    except (OSError, ValueError) as error:
        if not Path(source).is_dir():
            hint = "Or give a local folder or a Hugging Face id that can be reached from here."
            raise UnknownName.among("model", model, BUILT_IN, hint) from error
        raise
    finally:
        if bars:
            logging.enable_progress_bar()
    loaded.requires_grad_(False)
    return Host(loaded, tokenizer, site, name=model)
