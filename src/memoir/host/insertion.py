"""Text put into prompts on their way to the model, in every forward pass and in ``model.generate()``.

Callers notice nothing of it but what the model says. Whoever runs the model sees the shapes, and the
length of the key/value cache, of what they gave:

* a pass that holds prompts gets the inserted tokens, in rows that get fewer after as much padding on
  the left; what leaves the base model at the caller's own tokens is handed on, in their order;
* the cache that it leaves behind holds more columns than its caller knows of. Between passes it tells
  the length that the caller expects; when it is continued, mask and positions are lengthened.

A batch in which nothing is inserted passes untouched, bit for bit. In one that is mixed, rows without
an insertion have more padding, which may move the last bits of their logits.

Attention weights, if they are asked for, are those over all columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol
from weakref import WeakKeyDictionary, ref

import torch
from jaxtyping import Bool, Int
from torch import Tensor, nn

from memoir.errors import BadInput
from memoir.host.host import Host, in_internal_pass
from memoir.host.scoped import Fed, Scope, Scoped


class Inserted(NamedTuple):
    """Tokens put into one row.

    Attributes:
        at: how many of the row's own tokens stay before them, padding not counted.
        ids: the tokens.
    """

    at: int
    ids: Sequence[int]


class PromptModule(Protocol):
    """What decides on insertions."""

    def decide(self, fed: Fed) -> Any:
        """The route of a batch, from the pass that holds its prompts."""

    def insertions(self, route: Any) -> Sequence[Inserted | None]:
        """What to insert in each row."""


class _Held(NamedTuple):
    """What a cache holds beyond what its caller knows of.

    Attributes:
        real: which of its first columns hold a token.
        more: how many of them the caller does not know of.
    """

    real: Bool[Tensor, "batch columns"]
    more: int


@dataclass
class _Pass:
    """One forward pass under way.

    Attributes:
        scope: its scope.
        held: of the cache that it leaves behind; None if nothing was ever inserted there.
        columns: where the caller's tokens are; None if where the caller put them.
    """

    scope: Scope
    held: _Held | None = None
    columns: Int[Tensor, "batch seq"] | None = None


class Insertion(Scoped):
    """Inserts into the prompts of a host until :meth:`undo`.

    Args:
        host: the model.
        module: see :class:`PromptModule`.
    """

    def __init__(self, host: Host, module: PromptModule) -> None:
        super().__init__(host)
        self._module = module
        self._held: WeakKeyDictionary[Any, _Held] = WeakKeyDictionary()
        self._pass: ContextVar[_Pass | None] = ContextVar("memoir_pass", default=None)
        self._hooks = [
            self._base.register_forward_pre_hook(self._begin, with_kwargs=True),
            self._base.register_forward_hook(self._end),
        ]

    def _begin(
        self, _model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
        given = self._given(args, kwargs)
        cache = given.get("past_key_values")
        held = None
        if cache is not None and (held := self._held.get(cache)) is not None:
            del cache.get_seq_length  # the model itself needs the true one
        self._pass.set(None)
        # A cache that holds an insertion cannot be continued without it.
        if in_internal_pass() or (held is None and not self._active()):
            return None
        before = 0 if cache is None else int(cache.get_seq_length())
        this = _Pass(self._scope_of(cache, before), held)
        inserted = self._inserted(this.scope, given, before - (held.more if held else 0))
        self._pass.set(this)  # only now: to decide, the module may run the model itself
        if held is None and inserted is None:
            return None
        _refuse_fixed(cache, given.get("attention_mask"))
        self._rewrite(this, given, before, inserted)
        return (), given

    def _inserted(
        self, scope: Scope, given: dict[str, Any], before: int
    ) -> Sequence[Inserted | None] | None:
        """What to insert in this pass; None if nothing."""
        ids = given.get("input_ids")
        if scope.route is None:
            embedded = given["inputs_embeds"] if ids is None else ids
            attention = given.get("attention_mask")
            fed = Fed.of(ids, embedded, attention, before, scope.prompt_lengths)
            scope.route = self._module.decide(fed)
        elif before:
            return None  # it was inserted in the pass that began the cache
        found = self._module.insertions(scope.route)
        return found if any(found) else None

    def _rewrite(
        self,
        this: _Pass,
        given: dict[str, Any],
        before: int,
        inserted: Sequence[Inserted | None] | None,
    ) -> None:
        """Put what a pass needs in place of what it was given."""
        ids, attention = given.get("input_ids"), given.get("attention_mask")
        batch, seq = (given["inputs_embeds"] if ids is None else ids).shape[:2]
        device = self._host.device
        held = this.held or _Held(torch.zeros(batch, 0, dtype=torch.bool, device=device), 0)
        if attention is None:
            width = before - held.more + seq
            real = torch.ones(batch, width, dtype=torch.bool, device=device)
        else:
            real = attention.bool()
        known = min(before, held.real.shape[1])
        cached = [held.real[:, :known], real[:, known - held.more if known else 0 : -seq]]
        new, more = real[:, -seq:], held.more
        if inserted is not None:
            assert ids is not None, "nothing is retrieved for embeddings"
            given["input_ids"], new, this.columns = _spliced(ids, new, inserted, self._host.pad_id)
            more += new.shape[1] - seq
        whole = torch.cat([*cached, new], dim=1)
        given["attention_mask"] = whole.long()
        if "position_ids" in self._accepted:
            positions = (whole.long().cumsum(1) - 1).clamp_min(0)
            given["position_ids"] = positions[:, -new.shape[1] :]
        if inserted is not None:
            this.held = _Held(whole, more)

    def _end(self, _model: nn.Module, _args: Any, output: Any) -> Any:
        this = self._pass.get()
        if this is None or in_internal_pass():
            return None
        self._pass.set(None)
        cache = getattr(output, "past_key_values", None)
        if cache is not None:
            self._by_cache[cache] = this.scope
            if this.held is not None:
                self._held[cache] = this.held
                _tell_less(cache, this.held.more)
        return None if this.columns is None else _own(output, this.columns)


def _spliced(
    ids: Int[Tensor, "batch seq"],
    real: Bool[Tensor, "batch seq"],
    inserted: Sequence[Inserted | None],
    pad_id: int,
) -> tuple[Int[Tensor, "batch more"], Bool[Tensor, "batch more"], Int[Tensor, "batch seq"]]:
    """The rows with their insertions, which tokens are real, and where the rows' own tokens are."""
    batch, seq = ids.shape
    more = max(len(each.ids) for each in inserted if each is not None)
    own = torch.arange(seq, device=ids.device)
    columns = (own + more).repeat(batch, 1)
    longer = ids.new_full((batch, more + seq), pad_id)
    for row, each in enumerate(inserted):
        if each is None:
            continue
        start = int((real[row].cumsum(0) <= each.at).sum())  # of the tokens that come after
        columns[row, :start] -= len(each.ids)
        longer[row, more + start - len(each.ids) : more + start] = ids.new_tensor(each.ids)
    longer.scatter_(1, columns, ids)
    there = real.new_ones(batch, more + seq).scatter_(1, columns, real)
    first = torch.tensor([0 if each is None else len(each.ids) for each in inserted])
    padding = torch.arange(more + seq) < (more - first).unsqueeze(1)
    return longer, there & ~padding.to(there.device), columns


def _own(output: Any, columns: Int[Tensor, "batch seq"]) -> Any:
    """A base model's output at the caller's own tokens."""

    def at_own(hidden: Tensor) -> Tensor:
        rows = torch.arange(len(columns), device=hidden.device).unsqueeze(1)
        return hidden[rows, columns.to(hidden.device)]

    if isinstance(output, tuple):
        return (at_own(output[0]), *output[1:])
    output.last_hidden_state = at_own(output.last_hidden_state)
    if getattr(output, "hidden_states", None) is not None:
        output.hidden_states = tuple(map(at_own, output.hidden_states))
    return output


def _tell_less(cache: Any, hidden: int) -> None:
    """Let a cache tell a smaller length than it has, until the attribute is deleted."""
    weak = ref(cache)  # or the cache would keep itself alive

    def told(layer_idx: int = 0) -> int:
        mine = weak()
        assert mine is not None
        return int(type(mine).get_seq_length(mine, layer_idx)) - hidden

    cache.get_seq_length = told


def _refuse_fixed(cache: Any, attention: Tensor | None) -> None:
    if getattr(cache, "is_compileable", False) or (attention is not None and attention.dim() != 2):
        raise BadInput(
            "retrieved text lengthens prompts, and a cache of fixed length or a mask of more than two "
            "axes leaves no room for it; generate with the default, dynamic cache (no "
            "cache_implementation), and give attention masks as (batch, seq)."
        )
