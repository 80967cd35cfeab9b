"""A module beside the site, acting in every forward pass and in ``model.generate()``.

It decides on a prompt once and acts on all that follows, see :mod:`memoir.host.scoped`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from memoir.host.host import Host, in_internal_pass
from memoir.host.scoped import Fed, Scope, Scoped


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
class _Step:
    """One forward pass under way."""

    scope: Scope
    ids: Tensor | None
    attention: Tensor | None
    before: int  # tokens in the cache
    row: int | None = None  # the only one that is meant, in a joint pass

    def mine(self, tensor: Tensor) -> Tensor:
        """The part of a batch that is meant."""
        return tensor if self.row is None else tensor[self.row : self.row + 1]

    def fed(self, activations: Float[Tensor, "batch seq _width"]) -> Fed:
        """The tokens of that part."""
        ids = None if self.ids is None else self.mine(self.ids)
        attention = None if self.attention is None else self.mine(self.attention)
        lengths = self.scope.prompt_lengths
        return Fed.of(ids, self.mine(activations), attention, self.before, lengths)


class Attachment(Scoped):
    """Attaches a module to the host's site until :meth:`undo`.

    Args:
        host: the model; several attachments may coexist and act in the order they were made.
        module: see :class:`SiteModule`.
        decide_each: decides on several prompts at once, with a route of its own for each; without it
            ``module.decide`` is asked of one after another where they need routes of their own.
    """

    row_by_row: ClassVar[bool] = True

    def __init__(
        self,
        host: Host,
        module: SiteModule,
        decide_each: Callable[[Float[Tensor, "batch seq d_in"], Fed], list[Any]] | None = None,
    ) -> None:
        super().__init__(host)
        self._module = module
        self._decide_each = decide_each
        self._steps: ContextVar[tuple[_Step, ...]] = ContextVar("memoir_steps", default=())
        self._hooks = [
            self._base.register_forward_pre_hook(self._begin, with_kwargs=True),
            self._base.register_forward_hook(self._end),
            self._place(host),
        ]

    def _begin(self, _model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if in_internal_pass():
            return
        rows, active = self._rows(), self._active()
        if not (rows or active):
            self._steps.set(())  # also those that an exception left behind
            return
        given = self._given(args, kwargs)
        cache = given.get("past_key_values")
        before = 0 if cache is None else int(cache.get_seq_length())
        scopes = rows if rows else {None: self._scope_of(cache, before)}
        ids, attention = given.get("input_ids"), given.get("attention_mask")
        self._steps.set(
            tuple(_Step(scope, ids, attention, before, row) for row, scope in scopes.items())
        )

    def _end(self, _model: nn.Module, _args: Any, output: Any) -> None:
        if in_internal_pass():
            return
        steps = self._steps.get()
        cache = getattr(output, "past_key_values", None)
        if cache is not None and self._active():
            for step in steps:
                self._by_cache[cache] = step.scope
        if steps:
            self._steps.set(())

    def _place(self, host: Host) -> RemovableHandle:
        """Hook in where the module decides and acts."""
        return host.site.module.register_forward_hook(self._at_site)

    def _at_site(self, _module: nn.Module, args: tuple[Any, ...], output: Tensor) -> Tensor | None:
        activations, changed = args[0], None
        for step, fed in self._decided(activations):
            mine = step.mine(output)
            acted = self._module.act(step.mine(activations), mine, step.scope.route, fed)
            if acted is None:
                continue
            if step.row is None:
                return acted
            changed = output.clone() if changed is None else changed
            changed[step.row] = acted[0]
        return changed

    def _under_way(self) -> tuple[_Step, ...]:
        """What the module takes part in of the pass this thread is in: all of it, or single rows."""
        return () if in_internal_pass() else self._steps.get()

    def _decided(
        self, activations: Float[Tensor, "batch seq _width"]
    ) -> Sequence[tuple[_Step, Fed]]:
        """What is under way, and what is fed there; after this every scope has its route."""
        found = [(step, step.fed(activations)) for step in self._under_way()]
        new = [(step, fed) for step, fed in found if step.scope.route is None]
        if len(new) > 1 and self._decide_each is not None:
            rows = torch.tensor([step.row for step, _ in new], device=activations.device)
            routes = self._decide_each(activations[rows], Fed.joined([fed for _, fed in new]))
            for (step, _), route in zip(new, routes, strict=True):
                step.scope.route = route
        else:
            for step, fed in new:
                step.scope.route = self._module.decide(step.mine(activations), fed)
        return found
