"""What a layer's feed-forward output projection is usually given: C = E[k kᵀ] over the tokens of texts.

ROME (Meng et al., NeurIPS 2022, arXiv 2202.05262, §3.1), MEMIT and AlphaEdit keep the values of these
keys when they change a weight. C depends on the model and the texts alone, so it is measured once and
kept in the user's cache folder; a measurement that was interrupted goes on from its last saved sums,
and ends with the same bits as one that was not.

Texts are cut into pieces of at most ``WINDOW`` tokens, so that all of each counts, every token once.
The authors read more: 100,000 keys of Wikipedia in ROME (E.5), 100,000 samples of it in their configs.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import safetensors.torch
import torch
from jaxtyping import Float
from safetensors import SafetensorError, safe_open
from torch import Tensor

from memoir.cache import cache_folder
from memoir.data import files, load
from memoir.errors import BadInput
from memoir.host import Host
from memoir.host.tokens import Encoded
from memoir.types import Progress, no_progress

TEXTS = 1000
"""Texts that are read, where nothing else is said; WikiText's validation file has 60."""

WINDOW = 256
BATCH = 8
"""Pieces read side by side."""

SAVE_EVERY = 32
"""Batches after which the sums are saved."""

DEFAULT_CORPUS = "wikitext"


class Moment(NamedTuple):
    """Sums over keys of one layer.

    Attributes:
        total: Σ k kᵀ, float64.
        tokens: keys summed.
        batches: of pieces, read so far.
    """

    total: Float[Tensor, "d_in d_in"]
    tokens: int
    batches: int

    @property
    def mean(self) -> Float[Tensor, "d_in d_in"]:
        """C, float64."""
        return self.total / self.tokens


class Corpus(NamedTuple):
    """Texts, and where they are from."""

    name: str
    texts: tuple[str, ...]

    @property
    def digest(self) -> str:
        """Of the texts and of how they are cut."""
        digest = hashlib.sha256(f"{WINDOW} {BATCH}".encode())
        for text in self.texts:
            digest.update(hashlib.sha256(text.encode()).digest())
        return digest.hexdigest()[:32]


def corpus_of(path: str | Path, limit: int = TEXTS) -> Corpus:
    """The first texts of a file: separated by blank lines, or, if it has none, one a line.

    Raises:
        BadInput: the file cannot be read or has no text.
    """
    content, _ = files.content(Path(path))
    blocks = re.split(r"\n\s*\n", content.strip())
    texts = blocks if len(blocks) > 1 else content.splitlines()
    texts = [text.strip() for text in texts if text.strip()][:limit]
    if not texts:
        raise BadInput(f"{path} holds no text; give a file with one text a line.")
    return Corpus(str(path), tuple(texts))


def measured(
    host: Host,
    layers: Sequence[int],
    corpus: str | None = None,
    texts: int = TEXTS,
    progress: Progress = no_progress,
) -> dict[str, Any]:
    """See to it that the moments of some layers are in the cache; the model must be unedited.

    Args:
        corpus: file of texts. None for WikiText in the folder MEMOIR_DATA names, or else for the texts
            of the latest measurement of these layers.
        texts: read this many at most.

    Returns:
        Plain values for the log: ``corpus``, ``digest``, ``texts``, ``tokens``.

    Raises:
        BadInput: there is no corpus and nothing was measured before, or the cache cannot be written.
    """
    folders = _folders(host, layers)
    try:
        chosen = _chosen(corpus, texts)
    except BadInput as error:
        latest = _latest(folders.values()) if corpus is None else None
        if latest is None:
            if corpus is not None:
                raise
            raise BadInput(
                "this method needs statistics of the model's activations, over any few hundred "
                "paragraphs of ordinary text, once: memoir stats --corpus FILE. Without a FILE it "
                f"takes WikiText, but {error}"
            ) from error
        return _evidence(latest)
    paths = {layer: _path(folder, chosen.digest) for layer, folder in folders.items()}
    missing = {layer: path for layer, path in paths.items() if _read(path) is None}
    if missing:
        _measure(host, chosen, missing, progress)
    return _evidence(paths[layers[0]])


def load_moments(
    host: Host,
    layers: Sequence[int],
    evidence: Mapping[str, Any],
    corpus: str | None = None,
    texts: int = TEXTS,
    progress: Progress = no_progress,
) -> dict[int, Float[Tensor, "d_in d_in"]]:
    """C of some layers, float64, from the cache; measured anew if they are no longer there.

    Args:
        evidence: what :func:`measured` returned. The model must be unedited.

    Raises:
        BadInput: they are gone, and so are the texts.
    """
    paths = {
        layer: _path(folder, evidence["digest"]) for layer, folder in _folders(host, layers).items()
    }
    found = {layer: _read(path) for layer, path in paths.items()}
    if None in found.values():
        again = measured(host, layers, corpus, texts, progress)
        if again["digest"] != evidence["digest"]:
            raise BadInput(
                f"the statistics this store was made with (of {evidence['corpus']}) are no longer in "
                f"{cache_folder()}, and its texts have changed or are gone. Restore either, or teach "
                "the edits to a new store."
            )
        found = {layer: _read(path) for layer, path in paths.items()}
    return {layer: moment.mean for layer, moment in found.items() if moment is not None}


def _chosen(corpus: str | None, limit: int) -> Corpus:
    if corpus is not None:
        return corpus_of(corpus, limit)
    articles = load(DEFAULT_CORPUS).items
    return Corpus(DEFAULT_CORPUS, tuple(map(str, articles[:limit])))


def _measure(host: Host, corpus: Corpus, paths: Mapping[int, Path], progress: Progress) -> None:
    """Sum up over the corpus, going on where an earlier run ended."""
    batches = _batches(host, corpus.texts)
    begun = {
        layer: _read(_unfinished(path)) or _empty(host, layer) for layer, path in paths.items()
    }
    # Layers that were interrupted at the same place are read together.
    for start in sorted({moment.batches for moment in begun.values()}):
        sums = {layer: moment for layer, moment in begun.items() if moment.batches == start}
        for number in range(start, len(batches)):
            progress("measuring statistics", number, len(batches))
            tokens = host.batch(batches[number])
            activations = host.read_layers(tokens, list(sums))
            for layer, each in zip(list(sums), activations, strict=True):
                keys = each[tokens.attention].double()
                total, count, _ = sums[layer]
                total += (keys.T @ keys).cpu()
                sums[layer] = Moment(total, count + len(keys), number + 1)
            if (number + 1) % SAVE_EVERY == 0:
                for layer, moment in sums.items():
                    _save(_unfinished(paths[layer]), moment, corpus)
        for layer, moment in sums.items():
            _save(paths[layer], moment, corpus)
            _unfinished(paths[layer]).unlink(missing_ok=True)
    progress("measuring statistics", len(batches), len(batches))


def _batches(host: Host, texts: Sequence[str]) -> list[list[Encoded]]:
    """The texts in pieces, each behind the token that opens a text, if the model has one."""
    tokenizer = host.tokenizer
    first = tokenizer("a")["input_ids"][0]
    opening = [first] if first == tokenizer.bos_token_id else []
    size = min(WINDOW, host.context_window or WINDOW) - len(opening)
    pieces = []
    for text in texts:
        ids = tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
        pieces += [
            Encoded([*opening, *ids[start : start + size]]) for start in range(0, len(ids), size)
        ]
    return [pieces[start : start + BATCH] for start in range(0, len(pieces), BATCH)]


def _empty(host: Host, layer: int) -> Moment:
    width = host.at(layer).site.d_in
    return Moment(torch.zeros(width, width, dtype=torch.float64), 0, 0)


def _folders(host: Host, layers: Sequence[int]) -> dict[int, Path]:
    """Where the moments of each layer are kept, by what binds them to the model."""
    root = cache_folder() / "moments"
    return {layer: root / host.at(layer).identity()["hash"][:32] for layer in layers}


def _path(folder: Path, digest: str) -> Path:
    return folder / f"{digest}.safetensors"


def _unfinished(path: Path) -> Path:
    return path.with_suffix(".unfinished")


def _latest(folders: Collection[Path]) -> Path | None:
    """The latest measurement that all folders have."""
    first = next(iter(folders))
    for path in sorted(first.glob("*.safetensors"), key=lambda each: -each.stat().st_mtime):
        if all(_read(folder / path.name) is not None for folder in folders):
            return path
    return None


def _save(path: Path, moment: Moment, corpus: Corpus) -> None:
    said = {
        "corpus": corpus.name,
        "digest": corpus.digest,
        "texts": str(len(corpus.texts)),
        "tokens": str(moment.tokens),
        "batches": str(moment.batches),
    }
    mine = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        safetensors.torch.save_file({"total": moment.total}, mine, metadata=said)
        mine.replace(path)
    except (OSError, SafetensorError) as error:
        with suppress(OSError):
            mine.unlink(missing_ok=True)
        raise BadInput(
            f"the statistics cannot be kept in {path.parent} ({error}). Make room there, or name "
            "another cache folder with the environment variable MEMOIR_CACHE."
        ) from error


def _read(path: Path) -> Moment | None:
    try:
        with safe_open(path, "pt") as file:
            said = file.metadata()
            total = file.get_tensor("total")
        return Moment(total, int(said["tokens"]), int(said["batches"]))
    except (OSError, SafetensorError, KeyError, TypeError, ValueError):
        return None  # absent or spoilt: it is measured again


def _evidence(path: Path) -> dict[str, Any]:
    with safe_open(path, "pt") as file:
        said = file.metadata()
    return {
        "corpus": said["corpus"],
        "digest": said["digest"],
        "texts": int(said["texts"]),
        "tokens": int(said["tokens"]),
    }
