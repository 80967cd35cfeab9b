"""Edits in the contexts they are fitted in: their keys, and the loss of what a memory adds there.

A context is a text around the prompt. Each group of contexts of similar length is read as one batch;
the lower layers run once (:meth:`memoir.host.Host.read`) and only what follows the site, at the
positions where a memory may act, runs again in every step.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional as F

from memoir import surroundings
from memoir.core.fit import Loss
from memoir.errors import PromptTooLong
from memoir.host import Host, Reading
from memoir.host.tokens import Encoded
from memoir.types import Edit

NEVER = -1e4
"""A log-probability below which a token is excluded; finite, so that divergences stay finite."""


class Context(NamedTuple):
    """What is put around a prompt.

    Attributes:
        name: for messages.
        encode: the prompt in its context, followed by the target.
    """

    name: str
    encode: Callable[[Edit], Encoded]


def bare(host: Host) -> Context:
    """The prompt alone."""
    return Context("the bare prompt", lambda edit: host.encode(edit.prompt, edit.target))


def behind(host: Host, prefix: str) -> Context:
    """The prompt behind a text."""
    return Context(
        f"the prompt behind {prefix!r}", lambda edit: host.encode(prefix + edit.prompt, edit.target)
    )


def conversations(host: Host) -> list[list[Context]]:
    """Bare, behind an unrelated sentence, and, if there is a chat template, in it with and without
    a system prompt. Which sentence and which system prompt it is depends on the edit's prompt."""
    asides = surroundings.asides("fitting")

    def aside(edit: Edit) -> Encoded:
        digest = hashlib.sha256(edit.prompt.encode()).digest()
        text = asides[int.from_bytes(digest[:4], "big") % len(asides)]
        return host.encode(f"{text} {edit.prompt}", edit.target)

    def inside(setting: str) -> Callable[[Edit], Encoded]:
        def encode(edit: Edit) -> Encoded:
            messages = surroundings.conversation(setting, edit.prompt, part="fitting")
            assert not isinstance(messages, str)
            return host.encode_chat(messages, edit.target)

        return encode

    groups = [[bare(host), Context("the prompt behind an unrelated sentence", aside)]]
    if host.has_chat:
        groups.append([Context("the chat template", inside("chat"))])
        groups.append([Context("the chat template behind a system prompt", inside("system"))])
    return groups


class Lesson:
    """Edits side by side, each in every context.

    Args:
        host: the model.
        edits: what to teach.
        groups: contexts, those of one group read together; the first of all must be the bare prompt.
        answer_only: the memory acts from each prompt's last token on, and the target must end where
            a word ends; otherwise it acts on every token but the last.
    """

    def __init__(
        self,
        host: Host,
        edits: Sequence[Edit],
        groups: Sequence[Sequence[Context]],
        answer_only: bool,
    ) -> None:
        self._host = host
        self._answer_only = answer_only
        self.contexts = [context for group in groups for context in group]
        self._parts = [self._part(edits, group) for group in groups]

    def _part(self, edits: Sequence[Edit], group: Sequence[Context]) -> _Part:
        host = self._host
        rows = [_encoded(context, edit, host) for edit in edits for context in group]
        tokens = host.batch(rows)
        longest = tokens.longest_answer
        reading = host.read(tokens, longest + 1 if self._answer_only else None)
        writes = tokens.attention[:, -reading.last :].clone()
        said = torch.arange(reading.last, device=writes.device) + 1 - reading.last
        places = said + tokens.target.sum(1, keepdim=True)
        if self._answer_only:
            writes &= places >= 0
        else:
            writes[:, -1] = False  # nothing is read after the last target token
        return _Part(len(group), reading, writes, places.where(writes, -1), self._after(reading))

    @torch.no_grad()
    def _after(self, reading: Reading) -> Float[Tensor, "rows vocab"]:
        """What shall follow the target, as log-probabilities: the unedited model's own choice among
        the tokens that do not go on inside the target's last word."""
        if not self._answer_only:
            return reading.hidden.new_zeros(0)
        logits = self._host.replay(reading, keep=1)[:, 0].float()
        anew = self._host.begins_anew().to(logits.device)
        return logits.masked_fill(~anew, 2 * NEVER).log_softmax(-1)

    @property
    def bare(self) -> Reading:
        """The edits' bare prompts with their targets."""
        first = self._parts[0]
        rows = torch.arange(0, len(first.writes), first.contexts, device=first.writes.device)
        return first.reading._replace(
            tokens=first.reading.tokens.rows(rows), activations=first.reading.activations[rows]
        )

    def keys(self) -> Float[Tensor, "edits keys d_in"]:
        """Activations at the positions that carry keys, in all contexts; zero elsewhere."""
        parts = []
        for contexts, reading, writes, *_ in self._parts:
            last = reading.activations[:, -reading.last :].float() * writes.unsqueeze(-1)
            parts.append(last.reshape(len(last) // contexts, -1, last.shape[-1]))
        return torch.cat(parts, dim=1)

    def places(self) -> Int[Tensor, "edits keys"] | None:
        """Target tokens said before each key; None if the memory acts on all tokens."""
        if not self._answer_only:
            return None
        return torch.cat(
            [part.places.reshape(len(part.places) // part.contexts, -1) for part in self._parts], 1
        )

    @torch.no_grad()
    def output_size(self) -> Float[Tensor, " edits"]:
        """Root mean square of what the site puts out at each edit's keys."""
        sums = torch.zeros(2, 1)
        for contexts, reading, writes, *_ in self._parts:
            last = reading.activations[:, -reading.last :].contiguous()
            squares = self._host.site.module(last).float().square().mean(-1) * writes
            both = torch.stack([squares, writes.float()])
            sums = sums.to(both.device) + both.reshape(2, len(writes) // contexts, -1).sum(-1)
        return (sums[0] / sums[1]).sqrt()

    def loss(self, added: Float[Tensor, "edits keys d_out"], open_: Int[Tensor, " edits"]) -> Loss:
        """Cross-entropy on the target, averaged over its tokens, then over contexts."""
        parts, start = [], 0
        for part in self._parts:
            width = part.contexts * part.reading.last
            parts.append(self._loss_in(part, added[:, start : start + width], open_))
            start += width
        joined = Loss(*(torch.cat(each, dim=1) for each in zip(*parts, strict=True)))
        return Loss(joined.loss.mean(1), joined.on_target.mean(1), joined.said, joined.ended.all(1))

    def _loss_in(self, part: _Part, added: Tensor, open_: Int[Tensor, " edits"]) -> Loss:
        """The same by context: everything has shape (edits, contexts)."""
        contexts, reading = part.contexts, part.reading
        each = torch.arange(contexts, device=open_.device)
        rows = (open_.unsqueeze(1) * contexts + each).flatten()
        tokens = reading.tokens.rows(rows)
        longest = tokens.longest_answer
        logits = self._host.replay(
            reading, added.reshape(len(rows), reading.last, -1), rows, longest + 1
        ).float()
        ids, target = tokens.ids[:, -longest:], tokens.target[:, -longest:]
        nll = F.cross_entropy(logits[:, :-1].transpose(1, 2), ids, reduction="none")
        count = target.sum(1)
        loss = on_target = (nll * target).sum(1) / count
        said = ((logits[:, :-1].detach().argmax(-1) == ids) | ~target).all(1)
        ended = torch.ones_like(said)
        if self._answer_only:
            after, wanted = logits[:, -1].log_softmax(-1), part.after[rows]
            kl = F.kl_div(after, wanted, reduction="none", log_target=True).sum(-1)
            loss = on_target + kl / count
            first = after.detach().argmax(-1)
            ended = first == wanted.argmax(-1)
            said = said & (wanted.gather(1, first.unsqueeze(1))[:, 0] > NEVER)
        both = (loss, on_target, said, ended)
        return Loss(*(value.reshape(-1, contexts) for value in both))


class _Part(NamedTuple):
    """The edits in one group of contexts.

    Attributes:
        contexts: in the group.
        reading: rows are edits × contexts.
        writes: true at the replayed positions that carry a key.
        places: target tokens said before each of them; -1 where there is no key.
        after: what shall follow each target.
    """

    contexts: int
    reading: Reading
    writes: Bool[Tensor, "rows last"]
    places: Int[Tensor, "rows last"]
    after: Float[Tensor, "rows vocab"]


def _encoded(context: Context, edit: Edit, host: Host) -> Encoded:
    try:
        return context.encode(edit)
    except PromptTooLong:
        return bare(host).encode(edit)  # no room for a context around it
