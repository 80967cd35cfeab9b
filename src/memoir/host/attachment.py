"""A module beside the site, acting in every forward pass and in ``model.generate()``.

A prompt is judged once, when its first tokens arrive without a cache (the *prefill*); the verdict,
here called the route, then holds for every token generated after it. The route belongs to

* one call of ``model.generate()``: whatever the decoding (greedy, sampling, beams, no cache), its
  first forward pass decides and the others follow;
* outside ``generate``, the key/value cache: passes that continue a cache follow the route decided
  when it was begun.

Nothing in the model's state dict changes, and :meth:`Attachment.undo` takes every trace away.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from types import MethodType
from typing import Any, NamedTuple, Protocol
from weakref import WeakKeyDictionary

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from memoir.errors import BadInput
from memoir.host.host import Host, in_internal_pass


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


class SiteModule(Protocol):
    """What can be attached: decides on prompts, then acts on the site's output."""

    def decide(self, activations: Float[Tensor, "batch seq d_in"], fed: Fed) -> Any:
        """The route of a batch, from the pass that holds its prompts; never looked into."""

    def act(
        self,
        activations: Float[Tensor, "batch seq d_in"],
        output: Float[Tensor, "batch seq d_out"],
        route: Any,
        fed: Fed,
    ) -> Float[Tensor, "batch seq d_out"] | None:
        """The new output of the site, or None to leave it as it is."""


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


@dataclass
class _Step:
    """One forward pass under way."""

    scope: Scope
    ids: Tensor | None
    attention: Tensor | None
    before: int  # tokens in the cache


class Attachment:
    """Attaches a module to the host's site until :meth:`undo`.

    Args:
        host: the model; several attachments may coexist and act in the order they were made.
        module: see :class:`SiteModule`.
    """

    def __init__(self, host: Host, module: SiteModule) -> None:
        self._host = host
        self._module = module
        self._scope: ContextVar[Scope | None] = ContextVar("memoir_scope", default=None)
        self._step: ContextVar[_Step | None] = ContextVar("memoir_step", default=None)
        self._paused: ContextVar[bool] = ContextVar("memoir_paused", default=False)
        self._by_cache: WeakKeyDictionary[Any, Scope] = WeakKeyDictionary()
        base = host.model.base_model
        self._signature = inspect.signature(base.forward)
        self._hooks = [
            base.register_forward_pre_hook(self._begin, with_kwargs=True),
            base.register_forward_hook(self._end),
            self._place(host),
        ]
        self._outer_generate = vars(host.model).get("generate")
        self._wrap_generate()

    def undo(self) -> None:
        """Leave the model as it was before the attachment; calling it again does nothing."""
        if not self._hooks:
            return
        for hook in self._hooks:
            hook.remove()
        self._hooks = []
        if self._outer_generate is None:
            del self._host.model.generate
        else:
            self._host.model.generate = self._outer_generate

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

    # ------------------------------------------------------------------ hooks

    def _wrap_generate(self) -> None:
        attachment, inner = self, self._outer_generate

        def generate(model: Any, *args: Any, **kwargs: Any) -> Any:
            _refuse_chunked_prefill(model, args, kwargs)
            call = inner if inner is not None else MethodType(type(model).generate, model)
            scope = attachment._scope.get()
            if scope is not None and scope.route is None:
                return call(*args, **kwargs)
            with attachment.scope():
                return call(*args, **kwargs)

        # A bound method, so that a deep copy of the model generates with the copy.
        generate.__doc__ = type(self._host.model).generate.__doc__
        self._host.model.generate = MethodType(generate, self._host.model)

    def _active(self) -> bool:
        return not (in_internal_pass() or self._paused.get())

    def _begin(self, _model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if not self._active():
            return
        given = self._signature.bind_partial(*args, **kwargs).arguments if args else kwargs
        cache = given.get("past_key_values")
        before = 0 if cache is None else int(cache.get_seq_length())
        scope = self._scope.get()
        if scope is None:
            scope = self._by_cache.get(cache) if before else None
            scope = scope or Scope()
        if cache is not None:
            self._by_cache[cache] = scope
        self._step.set(_Step(scope, given.get("input_ids"), given.get("attention_mask"), before))

    def _end(self, _model: nn.Module, _args: Any, output: Any) -> None:
        step = self._step.get()
        if step is None or not self._active():
            return
        cache = getattr(output, "past_key_values", None)
        if cache is not None:
            self._by_cache[cache] = step.scope
        self._step.set(None)

    def _place(self, host: Host) -> Any:
        """Hook in where the module decides and acts."""
        return host.site.module.register_forward_hook(self._at_site)

    def _at_site(self, _module: nn.Module, args: tuple[Any, ...], output: Tensor) -> Tensor | None:
        step = self._under_way()
        if step is None:
            return None
        fed = self._decided(step, args[0])
        return self._module.act(args[0], output, step.scope.route, fed)

    def _under_way(self) -> _Step | None:
        """The pass this thread is in, if the module takes part in it."""
        return self._step.get() if self._active() else None

    def _decided(self, step: _Step, activations: Float[Tensor, "batch seq _width"]) -> Fed:
        """What is fed; after this the scope has its route."""
        rank = _rank(activations, step.attention, step.before)
        fed = Fed(step.ids, rank, _of_prompt(rank, step.scope.prompt_lengths))
        if step.scope.route is None:
            step.scope.route = self._module.decide(activations, fed)
        return fed


def _rank(
    activations: Float[Tensor, "batch seq d_in"], attention: Tensor | None, before: int
) -> Int[Tensor, "batch seq"]:
    """How many real tokens precede each of the new ones; -1 at padding."""
    batch, seq = activations.shape[:2]
    device = activations.device
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
