"""What is decided on a prompt, kept until its last token, whatever decodes it.

A prompt is judged once, when its first tokens arrive without a cache (the *prefill*); the verdict,
here called the route, then holds for every token generated after it. The route belongs to

* one call of ``model.generate()``: whatever the decoding (greedy, sampling, beams, no cache), its
  first forward pass decides and the others follow;
* outside ``generate``, the key/value cache: passes that continue a cache follow the route decided
  when it was begun;
* in a :func:`joint` pass, each row: sequences that were begun apart may go on side by side, each with
  the route decided for it.

Users of one model in threads of their own keep out of each other's way with :mod:`memoir.host.twin`.

Nothing in the model's state dict changes, and :meth:`Scoped.undo` takes every trace away.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from types import MethodType
from typing import Any, ClassVar, NamedTuple
from weakref import WeakKeyDictionary

import torch
from jaxtyping import Bool, Int
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from memoir.errors import BadInput
from memoir.host.host import Host, in_internal_pass


@dataclass
class Scope:
    """One batch of sequences, from its prompt to its last token.

    Attributes:
        prompt_lengths: how many of each row's tokens belong to its prompt; None for all of the
            first pass.
        route: what was decided; None before the first pass.
    """

    prompt_lengths: Sequence[int] | None = None
    route: Any = None


_joint: ContextVar[Joint | None] = ContextVar("memoir_joint", default=None)


@contextmanager
def joint(parts: Joint) -> Iterator[None]:
    """Run passes over rows that were begun apart; what is not named in ``parts`` sees none of them.

    A scope without a route gets it in the first pass, from its own row alone.

    Args:
        parts: for each attachment the rows it acts on, by their place in the batch, each with its own
            scope. Only attachments that are ``row_by_row`` may be named.
    """
    token = _joint.set(parts)
    try:
        yield
    finally:
        _joint.reset(token)


class Fed(NamedTuple):
    """The tokens of one forward pass.

    Attributes:
        ids: their ids; None if the model was given embeddings.
        rank: number of real tokens before each in its sequence, those of earlier passes included;
            -1 at padding.
        prompt: in the first pass, true at the tokens of the prompts.
    """

    ids: Int[Tensor, "batch seq"] | None
    rank: Int[Tensor, "batch seq"]
    prompt: Bool[Tensor, "batch seq"]

    @classmethod
    def of(
        cls,
        ids: Tensor | None,
        embedded: Tensor,
        attention: Tensor | None,
        before: int,
        lengths: Sequence[int] | None,
    ) -> Fed:
        """Read them off a pass.

        Args:
            ids: their ids, if given.
            embedded: anything whose first axes are batch and seq.
            attention: the pass's mask, with two axes or four; None if every token is real.
            before: tokens of earlier passes.
            lengths: see :class:`Scope`.
        """
        rank = _rank(embedded, attention, before)
        return cls(ids, rank, _of_prompt(rank, lengths))

    @classmethod
    def joined(cls, parts: Sequence[Fed]) -> Fed:
        """Several rows of one pass as a batch."""
        ids = [part.ids for part in parts if part.ids is not None]
        rank, prompt = (torch.cat(each) for each in zip(*(part[1:] for part in parts), strict=True))
        return cls(torch.cat(ids) if ids else None, rank, prompt)


class Scoped:
    """Scopes of a host's forward passes until :meth:`undo`; what acts in them registers its hooks.

    Args:
        host: the model; several may coexist and act in the order they were made.

    Attributes:
        enabled: False lets every thread see the model without the module, until it is True again.
        row_by_row: whether rows of one batch may have routes of several scopes, see :func:`joint`.
    """

    row_by_row: ClassVar[bool] = False

    def __init__(self, host: Host) -> None:
        self.enabled = True
        self._host = host
        self._scope: ContextVar[Scope | None] = ContextVar("memoir_scope", default=None)
        self._paused: ContextVar[bool] = ContextVar("memoir_paused", default=False)
        self._by_cache: WeakKeyDictionary[Any, Scope] = WeakKeyDictionary()
        self._base = host.model.base_model
        self._accepted = tuple(inspect.signature(self._base.forward).parameters)
        self._hooks: list[RemovableHandle] = []
        self._generating = _wrapped_generate(host.model)
        self._generating.append(self)

    def undo(self) -> None:
        """Leave the model as it was before the attachment; calling it again does nothing."""
        if not self._hooks:
            return
        for hook in self._hooks:
            hook.remove()
        self._hooks = []
        self._generating.remove(self)
        if not self._generating:
            _unwrap_generate(self._host.model)

    @contextmanager
    def scope(self, prompt_lengths: Sequence[int] | None = None) -> Iterator[Scope]:
        """Run one batch; afterwards the yielded scope holds its route.

        Args:
            prompt_lengths: tokens of each row that form its prompt, padding not counted. Give it
                whenever the input holds more than the prompt (teacher forcing), so that answer
                tokens stay out of the decision.
        """
        scope = Scope(prompt_lengths)
        token = self._scope.set(scope)
        try:
            yield scope
        finally:
            self._scope.reset(token)

    @contextmanager
    def paused(self) -> Iterator[None]:
        """While open, this thread sees the model without the module."""
        token = self._paused.set(True)
        try:
            yield
        finally:
            self._paused.reset(token)

    def _active(self) -> bool:
        """Whether it takes part, with all rows, in the pass that this thread is in."""
        if in_internal_pass() or _joint.get() is not None:
            return False
        return self.enabled and not self._paused.get()

    def _rows(self) -> Mapping[int, Scope]:
        """The rows it takes part with in a joint pass; none in any other."""
        parts = _joint.get()
        if parts is None or not self.enabled or in_internal_pass():
            return {}
        return parts.get(self, {})

    def _given(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> dict[str, Any]:
        """What a pass of the base model was called with, by name."""
        return {**dict(zip(self._accepted, args, strict=False)), **kwargs}

    def _scope_of(self, cache: Any, before: int) -> Scope:
        """The scope that a pass belongs to.

        Args:
            cache: what it continues, if anything.
            before: tokens in there.
        """
        scope = self._scope.get()
        if scope is None:
            scope = self._by_cache.get(cache) if before else None
            scope = scope or Scope()
        if cache is not None:
            self._by_cache[cache] = scope
        return scope


Joint = Mapping[Scoped, Mapping[int, Scope]]
"""Who acts on which rows of a batch, each in which scope."""


def _wrapped_generate(model: Any) -> list[Scoped]:
    """Those for whom a call of the model's ``generate`` is one scope; it is wrapped once for all of
    them, so that they may come and go in any order."""
    inner = vars(model).get("generate")
    known: list[Scoped] | None = getattr(inner, "memoir_scoped", None)
    if known is not None:
        return known
    taking_part: list[Scoped] = []

    def generate(model: Any, *args: Any, **kwargs: Any) -> Any:
        if any(each.enabled for each in taking_part):
            _refuse_chunked_prefill(model, args, kwargs)
        call = inner if inner is not None else MethodType(type(model).generate, model)
        with ExitStack() as stack:
            for each in taking_part.copy():
                scope = each._scope.get()
                if scope is None or scope.route is not None:
                    stack.enter_context(each.scope())
            return call(*args, **kwargs)

    generate.__doc__ = type(model).generate.__doc__
    vars(generate).update(memoir_scoped=taking_part, memoir_inner=inner)
    # A bound method, so that a deep copy of the model generates with the copy.
    model.generate = MethodType(generate, model)
    return taking_part


def _unwrap_generate(model: Any) -> None:
    inner = model.generate.memoir_inner
    if inner is None:
        del model.generate
    else:
        model.generate = inner


def is_attached(model: nn.Module) -> bool:
    """Whether anything is attached to a model."""
    return getattr(vars(model).get("generate"), "__module__", None) == __name__


def _rank(embedded: Tensor, attention: Tensor | None, before: int) -> Int[Tensor, "batch seq"]:
    """How many real tokens precede each of the new ones; -1 at padding."""
    batch, seq = embedded.shape[:2]
    device = embedded.device
    if attention is None:
        return torch.arange(before, before + seq, device=device).expand(batch, seq)
    if attention.dim() == 2:
        real = attention.to(device).bool()
    elif attention.dim() == 4:
        # Rows are queries, columns keys; the last query sees every real token up to itself.
        last = attention[:, 0, -1, :].to(device)
        seen = last if last.dtype == torch.bool else last == 0
        real = seen[:, : before + seq].expand(batch, -1)
    else:
        raise BadInput(
            f"an attention mask of shape {tuple(attention.shape)} does not tell which tokens are "
            "padding; give it as (batch, seq) or (batch, 1, seq, seq)."
        )
    rank = (real.long().cumsum(dim=1) - 1).masked_fill(~real, -1)
    return rank[:, -seq:]


def _of_prompt(
    rank: Int[Tensor, "batch seq"], lengths: Sequence[int] | None
) -> Bool[Tensor, "batch seq"]:
    """Which tokens of a first pass belong to the prompts."""
    if lengths is None:
        return rank >= 0
    if len(lengths) != len(rank):
        raise BadInput(
            f"prompt_lengths names {len(lengths)} rows, but the batch has {len(rank)}; "
            "give one a row."
        )
    return (rank >= 0) & (rank < torch.tensor(lengths, device=rank.device).unsqueeze(1))


def _refuse_chunked_prefill(model: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    config = kwargs.get("generation_config") or (args[1] if len(args) > 1 else None)
    config = config or model.generation_config
    chunk = kwargs.get("prefill_chunk_size", getattr(config, "prefill_chunk_size", None))
    if chunk:
        raise BadInput(
            f"prefill_chunk_size={chunk} would judge a prompt by its first {chunk} tokens only; "
            "generate without it while a memory is attached."
        )
