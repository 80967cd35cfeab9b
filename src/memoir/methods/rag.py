"""Retrieval: the stored edit that is most like a question is put into the prompt.

Nothing in the model changes. It is the baseline that weight editing has to beat (Thede et al.,
*Understanding the Limits of Lifelong Knowledge Editing in LLMs*, ICML 2025, arXiv 2503.05683: with
hundreds of thousands of real edits it does better than all of them), and close to editing in context
(Zheng et al., *IKE*, EMNLP 2023, arXiv 2305.12740), with one fact and no demonstrations.

    s_i = similarity of the question and of edit i's prompt       :mod:`memoir.routing.retrieval`
    i*  = the largest of them; it fires if s_i* ≥ τ
    "… system prompt … [the edit as a sentence] question …"       :mod:`memoir.host.insertion`

The question is the last user's turn of a conversation, or the whole of a bare prompt; the sentence goes
right before it, as a line of its own, so that the question's tokens stay what they were.

The presets differ in what compares, and in τ:

    default      BM25 over the edits' prompts; τ such that 1 % of the shipped background rephrases would
                 fire on another fact's prompt
    activations  the model's own activations; τ likewise
    always       BM25 without τ: whatever is most like it goes in, as in the literature. Every prompt
                 changes, also those that no edit is about.

Whether the model then follows what it reads is up to the model: a small one often sticks to what it
knew. Neither similarity tells another subject in the same words from the subject itself: see the
evidence that the log keeps (``neighbour_fire``).
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal, NamedTuple

import torch
from torch import Tensor

from memoir.calibration import Background, background_mean
from memoir.errors import BadInput, EditRefused
from memoir.host import Fed, Host
from memoir.host.answering import answer
from memoir.host.insertion import Inserted, Insertion
from memoir.host.tokens import Encoded
from memoir.methods.base import Batch, Change, Need, Prepared, Usual
from memoir.routing.retrieval import (
    Best,
    ByActivations,
    ByWords,
    Compared,
    Shelf,
    Similarity,
    background_texts,
    calibrated,
    wordings,
)
from memoir.routing.window import Window
from memoir.types import Edit, Match, Progress, no_progress


@dataclass(frozen=True)
class RagConfig:
    """Settings of retrieval.

    Attributes:
        similarity: what compares questions with edits: ``words`` (BM25) or ``activations``.
        depth: relative depth of the layer whose activations are compared, 0..1. Of 0, .5, .8 and .9, on
            the default model .8 found most of the background's rephrases.
        threshold: τ, 0..1: similarity from which the best edit is used; 0: always; None: measured.
        false_fire_rate: share of background rephrases that may fire on another fact's prompt, 0..1.
        template: the edit as a line of text; holds ``{prompt}`` and ``{target}``. Of four tried with
            the default model on ten of ZsRE's training records, the plainest was followed most.
        batch_size: edits whose effect is looked at side by side.
    """

    similarity: Literal["words", "activations"] = "words"
    depth: float = 0.8
    threshold: float | None = None
    false_fire_rate: float = 0.01
    template: str = "{prompt} {target}"
    batch_size: int = 16


class Route(NamedTuple):
    """What was decided on each row of a batch, and what is inserted there."""

    matches: list[Match]
    inserted: list[Inserted | None]


class Rag(Usual):
    """Retrieval on one host."""

    Config: ClassVar[type] = RagConfig
    presets: ClassVar[Mapping[str, RagConfig]] = {
        "default": RagConfig(),
        "activations": RagConfig(similarity="activations"),
        "always": RagConfig(threshold=0.0),
    }
    paper: ClassVar[str] = "retrieval into the prompt, as in WikiBigEdit, arXiv 2503.05683"
    undo: ClassVar[Literal["exact", "replay"]] = "exact"
    spares_others: ClassVar[bool] = True
    needs: ClassVar[tuple[Need, ...]] = ("background",)
    batch: ClassVar[Batch] = "side by side"
    storage: ClassVar[str] = "its words; with activations, a vector for each wording"

    def __init__(self, host: Host, prepared: Prepared) -> None:
        self.host = host
        self.config: RagConfig = prepared.config
        if self.config.threshold is None:
            raise BadInput("this config was not prepared: threshold is still open.")
        self._threshold = self.config.threshold
        self._similarity = _similarity(host, self.config, prepared.tensors)
        self._shelf = Shelf(self._similarity)
        self._sentences: dict[str, list[int]] = {}
        self._window = Window(host)
        self.attachment = Insertion(host, self)

    @classmethod
    def prepare(cls, host: Host, config: RagConfig, progress: Progress = no_progress) -> Prepared:
        """Choose τ on the background prompts, if it is open.

        Raises:
            BadInput: the template lacks a field, or has one too many.
        """
        _sentence(config.template, Edit("a", "b"))
        tensors: dict[str, Tensor] = {}
        if config.similarity == "activations":
            tensors["background"] = background_mean(host, host.site.layer, progress)
        if config.threshold is not None:
            return Prepared(config, tensors, {})
        background = Background.shipped()
        similarity = _similarity(host, config, tensors)
        found = calibrated(Compared.by(similarity, background), config.false_fire_rate)
        return Prepared(replace(config, threshold=found.threshold), tensors, found._asdict())

    # ------------------------------------------------------------------ inference

    @torch.no_grad()
    def decide(self, fed: Fed) -> Route:
        """The edit that is most like every prompt's question."""
        if fed.ids is None:
            none = [Match(None, 0.0, self._threshold) for _ in fed.rank]
            return Route(none, [None for _ in none])
        prompts = [row[own].tolist() for row, own in zip(fed.ids, fed.prompt, strict=True)]
        matches = self._matches(prompts)
        inserted = [
            Inserted(self._place(prompt), self._sentences[str(match.edit_id)])
            if match.fired
            else None
            for prompt, match in zip(prompts, matches, strict=True)
        ]
        return Route(matches, inserted)

    def insertions(self, route: Route) -> Sequence[Inserted | None]:
        return route.inserted

    def foresee(self, prompts: Sequence[Encoded]) -> list[Match] | None:
        if self.config.similarity == "activations":
            return None
        return self._matches([row.prompt for row in prompts])

    def _matches(self, prompts: Sequence[Sequence[int]]) -> list[Match]:
        questions = [self._window.turn(self.host.raw(prompt)).text for prompt in prompts]
        asked = [question for question in questions if question]
        found = iter(self._shelf.best(asked)) if asked else iter(())
        best = [next(found) if question else Best(None, 0.0) for question in questions]
        return [self._match(each, len(prompt)) for each, prompt in zip(best, prompts, strict=True)]

    def _match(self, best: Best, length: int) -> Match:
        window = self.host.context_window
        if best.id is None or window is None or best.score < self._threshold:
            return Match(best.id, best.score, self._threshold)
        if length + len(self._sentences[best.id]) < window:
            return Match(best.id, best.score, self._threshold)
        return Match(None, best.score, self._threshold, {"no room for": best.id})

    def _place(self, prompt: Sequence[int]) -> int:
        """Tokens of a prompt before its question."""
        start = self._window.begins(self.host.raw(prompt))
        low, high = 0, len(prompt)
        while low < high:  # the last place that is not behind it
            middle = (low + high + 1) // 2
            if len(self.host.raw(prompt[:middle])) <= start:
                low = middle
            else:
                high = middle - 1
        return low

    # ------------------------------------------------------------------ state

    def apply(self, id: str, edit: Edit, tensors: Mapping[str, Tensor]) -> None:
        texts = wordings(edit)
        self._shelf.add(id, texts, tensors.get("keys", torch.zeros(len(texts), 0)))
        self._sentences[id] = self._inserted_ids(edit)

    def remove(self, id: str) -> None:
        self._shelf.remove(id)
        del self._sentences[id]

    def _inserted_ids(self, edit: Edit) -> list[int]:
        line = _sentence(self.config.template, edit) + "\n"
        return list(self.host.tokenizer(line, add_special_tokens=False)["input_ids"])

    # ------------------------------------------------------------------ editing

    def fit(
        self, edits: Sequence[Edit], progress: Progress = no_progress
    ) -> list[Change | EditRefused]:
        """Nothing is trained; one pass tells whether the target is said behind the sentence."""
        start = time.perf_counter()
        rows = [self._behind_its_sentence(edit) for edit in edits]
        some = [row for row in rows if not isinstance(row, EditRefused)]
        with self.attachment.paused():
            said = iter(answer(self.host, some, [[row.target] for row in some], 0) if some else ())
        seconds = {"read": (time.perf_counter() - start) / len(edits)}
        results: list[Change | EditRefused] = []
        for edit, row in zip(edits, rows, strict=True):
            if isinstance(row, EditRefused):
                results.append(row)
                continue
            (score,) = next(said).scores
            keys = self._similarity.key(wordings(edit))
            tensors = {"keys": keys} if keys.numel() else {}
            results.append(Change(edit, tensors, (score.loss,), all(score.correct), seconds))
        return results

    def _behind_its_sentence(self, edit: Edit) -> Encoded | EditRefused:
        """An edit's prompt as the model will see it, with the target."""
        row, ids = self.host.encode(edit.prompt, edit.target), self._inserted_ids(edit)
        window = self.host.context_window
        if window is not None and len(row.ids) + len(ids) > window:
            return EditRefused(
                f"'{edit.prompt}' and the sentence to be put before it take {len(row.ids)} + "
                f"{len(ids)} tokens, but {self.host.name} reads at most {window}; nothing was "
                "written. Shorten the prompt or the target."
            )
        at = self._place(row.prompt)
        return Encoded([*row.prompt[:at], *ids, *row.prompt[at:]], row.target)


def _similarity(host: Host, config: RagConfig, tensors: Mapping[str, Tensor]) -> Similarity:
    if config.similarity == "activations":
        return ByActivations(host, tensors["background"])
    return ByWords(background_texts(Background.shipped()))


def _sentence(template: str, edit: Edit) -> str:
    try:
        sentence = template.format(prompt=edit.prompt, target=edit.target)
        whole = "{prompt}" in template and "{target}" in template
    except (KeyError, IndexError, ValueError):
        whole = False
    if not whole:
        raise BadInput(
            f"the template {template!r} makes no sentence of an edit; it must hold {{prompt}} and "
            "{target}, and no other field, such as '{prompt} {target}'."
        )
    return sentence
