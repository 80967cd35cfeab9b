"""What must leave a layer at the subject's last token, so that a target follows.

ROME (Meng et al., NeurIPS 2022, arXiv 2202.05262, §3.1, eq. 4), MEMIT (eq. 16) and AlphaEdit. δ is
added to the layer's output at that token, in the prompt alone and behind a few texts that the model
wrote itself, and trained by Adam to lower

    − log P(target)  +  kl · KL(P' ‖ P) after "{subject} is a"  +  decay · ‖δ‖ / ‖v0‖²

under ‖δ‖ ≤ clamp · ‖v0‖, where v0 is what leaves the layer there. The layers below run once.
Decay and clamp are of the authors' code; their equations have neither.

Four things differ from that code. Its steps are absolute numbers, chosen anew for a model (AlphaEdit:
0.5 for GPT-J, 0.1 for LLaMA-3), as what leaves a layer is much longer in one model than in another;
here they are in units of the root mean square of v0, and need no choice. It reads the divergence at the
subject's last token, and not after "is a", where the paper has it. Of its n steps the last only looks
at the loss, so δ takes n − 1 updates. And MEMIT's averages the texts' keys first and gives them
together as much weight as the prompt alone; here, as in ROME's, the prompt counts as much as each text.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple, Protocol

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional as F

from memoir.errors import EditRefused, PromptTooLong
from memoir.host import Host
from memoir.host.tokens import Encoded
from memoir.routing.pairs import relations, uses
from memoir.routing.subject import estimated
from memoir.routing.words import Rarity, words
from memoir.types import Edit, Progress, no_progress

STARTS = ("The", "Therefore", "Because", "I", "You")
"""What the texts before a prompt begin with, as in MEMIT's code. It draws each next token from the five
likeliest; here the likeliest is taken."""

SIDE_BY_SIDE = 8
"""Edits whose values are trained in one batch, or whose keys are read in one."""


class Descent(Protocol):
    """The settings that training takes; documented in each method's config."""

    @property
    def lr(self) -> float: ...  # noqa: D102
    @property
    def max_steps(self) -> int: ...  # noqa: D102
    @property
    def stop_loss(self) -> float: ...  # noqa: D102
    @property
    def kl(self) -> float: ...  # noqa: D102
    @property
    def decay(self) -> float: ...  # noqa: D102
    @property
    def clamp(self) -> float: ...  # noqa: D102


class Place(NamedTuple):
    """A sequence, and the index of its token at which the subject ends."""

    row: Encoded
    at: int

    @property
    def head(self) -> Encoded:
        """The sequence up to that token: later ones change nothing there."""
        return Encoded(self.row.ids[: self.at + 1])


class Subjected(NamedTuple):
    """An edit whose subject was found.

    Attributes:
        edit: it.
        places: the prompt with its target, alone and behind each prefix.
        essence: "{subject} is a".
    """

    edit: Edit
    places: tuple[Place, ...]
    essence: Place


class Trained(NamedTuple):
    """Trained δ.

    Attributes:
        deltas: on the model's device, float32.
        losses: of each edit, before the first step and after each.
    """

    deltas: Float[Tensor, "edits d_out"]
    losses: list[tuple[float, ...]]


class Subjects:
    """Finds the subjects of edits, and puts prompts behind texts that the model wrote.

    Args:
        host: the model, unedited while this is made.
        prefixes: texts, up to the number of ``STARTS``.
        length: tokens that the model adds to the beginning of each.
    """

    def __init__(self, host: Host, prefixes: int, length: int) -> None:
        self._host = host
        starts = [host.encode(start) for start in STARTS[:prefixes]]
        written = host.generate(starts, length) if starts else []
        self.prefixes = [
            host.decode([*start.prompt, *ids]) + ". "
            for start, ids in zip(starts, written, strict=True)
        ]

    def of(self, edit: Edit) -> Subjected:
        """An edit with its subject found: as given, or else estimated by how rare its words are.

        Raises:
            EditRefused: the prompt does not hold the subject, or no word at all.
        """
        start, end = self._span(edit)
        bare = self._place("", edit.prompt, end, edit.target)
        behind = [self._behind(prefix, edit, end) or bare for prefix in self.prefixes]
        subject = edit.prompt[start:end]
        return Subjected(edit, (bare, *behind), self._place("", f"{subject} is a", len(subject)))

    def _span(self, edit: Edit) -> tuple[int, int]:
        """Characters of the prompt that name the subject."""
        prompt, subject = edit.prompt, (edit.subject or "").strip()
        if subject:
            at = prompt.find(subject)
            if at < 0 and len(prompt.lower()) == len(prompt):
                at = prompt.lower().find(subject.lower())
            if at < 0:
                raise EditRefused(
                    f"the subject {subject!r} is not in the prompt {prompt!r}. This method edits at "
                    "the subject's last token: write the prompt with the subject in it, or give none "
                    "and it is estimated."
                )
            return at, at + len(subject)
        found = words(prompt)
        span = estimated(prompt, found, self._rarity)
        if span is None:
            raise EditRefused(
                f"no subject can be made out in the prompt {prompt!r}, and this method edits at the "
                "subject's last token; give the edit's subject."
            )
        return found[span.first].start, found[span.last].end

    @cached_property
    def _rarity(self) -> Rarity:
        return Rarity(self._host.tokenizer, uses(relations()))

    def _behind(self, prefix: str, edit: Edit, end: int) -> Place | None:
        try:
            return self._place(prefix, edit.prompt, end, edit.target)
        except PromptTooLong:
            return None  # no room for a text before it

    def _place(self, prefix: str, text: str, end: int, target: str | None = None) -> Place:
        row = self._host.encode(prefix + text, target)
        return Place(row, last_token(self._host, prefix + text, len(prefix) + end))


def last_token(host: Host, text: str, end: int) -> int:
    """Index of the last token that holds something of the characters before ``end``."""
    if not host.tokenizer.is_fast:
        return _last_by_prefix(host, text, end)
    offsets = host.tokenizer(text, return_offsets_mapping=True)["offset_mapping"]
    # Tokens that a tokenizer puts around every text hold no characters.
    return max(i for i, (first, after) in enumerate(offsets) if first < end and after > first)


def _last_by_prefix(host: Host, text: str, end: int) -> int:
    """The same by encoding the text up to there, for tokenizers that do not tell their offsets."""
    whole, before = (list(host.tokenizer(part)["input_ids"]) for part in (text, text[:end]))
    if before[-1] == host.tokenizer.eos_token_id:
        before.pop()  # some tokenizers close every text
    same = next(
        (i for i, (a, b) in enumerate(zip(whole, before, strict=False)) if a != b), len(before)
    )
    return min(same, len(before) - 1)  # where they part, a token reaches beyond the subject


@torch.no_grad()
def keys_of(host: Host, edits: Sequence[Subjected], layer: int) -> Float[Tensor, "edits d_in"]:
    """What enters a layer's output projection where the subject ends, averaged over places; float64."""
    found = []
    for start in range(0, len(edits), SIDE_BY_SIDE):
        some = edits[start : start + SIDE_BY_SIDE]
        tokens = host.batch([place.head for each in some for place in each.places])
        keys = host.read_layers(tokens, [layer])[0][:, -1].double()
        found.append(keys.reshape(len(some), -1, keys.shape[-1]).mean(1).cpu())
    return torch.cat(found)


@torch.no_grad()
def streams_of(host: Host, edits: Sequence[Subjected], layer: int) -> Float[Tensor, "edits hidden"]:
    """The residual stream as it leaves a layer (not the last) where the subject ends in the prompt."""
    found = []
    for start in range(0, len(edits), SIDE_BY_SIDE):
        some = edits[start : start + SIDE_BY_SIDE]
        tokens = host.batch([each.places[0].head for each in some])
        found.append(host.residual(tokens, layer + 1)[:, -1].float())
    return torch.cat(found)


@torch.no_grad()
def outputs_of(host: Host, edits: Sequence[Subjected]) -> Float[Tensor, "edits d_out"]:
    """What the site puts out where the subject ends in the prompt."""
    tokens = host.batch([each.places[0].head for each in edits])
    activations = host.read_layers(tokens, [host.site.layer])[0]
    return host.site.module(activations)[:, -1].float()


@torch.no_grad()
def said(host: Host, edits: Sequence[Subjected]) -> list[bool]:
    """Of which edits every token of the target has rank one after the prompt, as the model is now."""
    found = []
    for each in edits:
        row = each.places[0].row
        logits = host.logits(host.batch([row]), len(row.target) + 1)[0, :-1]
        found.append(logits.argmax(-1).tolist() == list(row.target))
    return found


def train(
    host: Host,
    edits: Sequence[Subjected],
    own: Float[Tensor, "edits hidden"],
    settings: Descent,
    progress: Progress = no_progress,
) -> Trained:
    """δ for each edit, at the host's site; edits do not depend on one another.

    Args:
        own: v0; only its length counts.
    """
    deltas, losses = [], list[tuple[float, ...]]()
    for start in range(0, len(edits), SIDE_BY_SIDE):
        progress("training values", start, len(edits))
        end = start + SIDE_BY_SIDE
        lesson = _Lesson(host, edits[start:end], settings.kl)
        some = _train(lesson, own[start:end].norm(dim=1, keepdim=True), settings)
        deltas.append(some.deltas)
        losses += some.losses
    progress("training values", len(edits), len(edits))
    return Trained(torch.cat(deltas), losses)


def _train(lesson: _Lesson, length: Float[Tensor, "edits 1"], settings: Descent) -> Trained:
    width = lesson.zeros.shape[1] ** 0.5
    unit = length / width  # root mean square of v0
    deltas = lesson.zeros.clone().requires_grad_()  # in that unit
    adam = torch.optim.Adam([deltas], lr=settings.lr)
    losses: list[list[float]] = [[] for _ in deltas]
    open_ = torch.arange(len(deltas), device=deltas.device)
    for step in range(settings.max_steps + 1):
        with torch.enable_grad():
            some = deltas[open_] * unit[open_]
            decay = settings.decay * some.norm(dim=1) / length[open_, 0].square()
            loss = lesson.loss(some, open_) + decay
            total = loss.sum()
        for i, value in zip(open_.tolist(), loss.tolist(), strict=True):
            losses[i].append(value)
        open_ = open_[~(loss.detach() < settings.stop_loss)]
        if step == settings.max_steps or not len(open_):
            break
        (deltas.grad,) = torch.autograd.grad(total, deltas)
        after = deltas.detach().clone()  # what is done stays as it is
        adam.step()
        with torch.no_grad():
            norm = deltas.norm(dim=1, keepdim=True)
            inside = deltas * (settings.clamp * width / norm).clamp_max(1.0)
            after[open_] = inside[open_]
            deltas.copy_(after)
    return Trained(deltas.detach() * unit, [tuple(each) for each in losses])


class _Lesson:
    """Edits in all their places, read up to the site.

    An edit has a row for each place and one for its essence. Only positions from the first subject's
    end on are run in every step.
    """

    def __init__(self, host: Host, edits: Sequence[Subjected], kl: float) -> None:
        self._host, self._kl = host, kl
        self._rows = len(edits[0].places) + 1
        self._read = _Read(host, [row for each in edits for row in (*each.places, each.essence)])
        self.zeros: Float[Tensor, "edits d_out"] = torch.zeros(
            len(edits), host.site.d_out, device=host.device
        )
        essences = torch.arange(1, len(edits) + 1, device=host.device) * self._rows - 1
        with torch.no_grad():
            self._usual = _odds(self._read.replay(self.zeros, essences, 1))

    def loss(
        self, deltas: Float[Tensor, "open d_out"], open_: Int[Tensor, " open"]
    ) -> Float[Tensor, " open"]:
        """Negative log-likelihood, the mean over target tokens and places, and the divergence."""
        each = torch.arange(self._rows, device=open_.device)
        rows = (open_.unsqueeze(1) * self._rows + each).flatten()
        tokens = self._read.reading.tokens.rows(rows)
        longest = tokens.longest_answer
        logits = self._read.replay(deltas.repeat_interleave(self._rows, 0), rows, longest + 1)
        now = _odds(logits[self._rows - 1 :: self._rows])
        divergence = (now.exp() * (now - self._usual[open_])).sum(-1)
        ids, target = tokens.ids[:, -longest:], tokens.target[:, -longest:]
        nll = F.cross_entropy(logits[:, :-1].transpose(1, 2), ids, reduction="none") * target
        places = nll.unflatten(0, (-1, self._rows))[:, :-1].sum(-1)
        count = target.unflatten(0, (-1, self._rows))[:, :-1].sum(-1)
        return (places / count).mean(1) + self._kl * divergence


def _odds(logits: Float[Tensor, "rows keep vocab"]) -> Float[Tensor, "rows vocab"]:
    """Log-probabilities of what comes next."""
    return logits[:, -1].log_softmax(-1)


class _Read:
    """Places read up to the site, ready to be replayed with something added where subjects end."""

    def __init__(self, host: Host, places: Sequence[Place]) -> None:
        self._host = host
        back = torch.tensor([len(place.row.ids) - place.at for place in places])
        self.reading = host.read(host.batch([place.row for place in places]), int(back.max()))
        self._at: Int[Tensor, " rows"] = (self.reading.last - back).to(host.device)

    def replay(
        self, deltas: Float[Tensor, "rows d_out"], rows: Int[Tensor, " rows"], keep: int
    ) -> Float[Tensor, "rows keep vocab"]:
        added = deltas.new_zeros(len(deltas), self.reading.last, deltas.shape[1])
        here = (torch.arange(len(deltas), device=deltas.device), self._at[rows])
        added = added.index_put(here, deltas)
        return self._host.replay(self.reading, added, rows, keep).float()
