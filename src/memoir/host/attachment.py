"""A module beside the site, acting in every forward pass and in ``model.generate()``.

It decides on a prompt once and acts on all that follows, see :mod:`memoir.host.scoped`.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Protocol

from jaxtyping import Float
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from memoir.host.host import Host
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


class Attachment(Scoped):
    """Attaches a module to the host's site until :meth:`undo`.

    Args:
        host: the model; several attachments may coexist and act in the order they were made.
        module: see :class:`SiteModule`.
    """

    def __init__(self, host: Host, module: SiteModule) -> None:
        super().__init__(host)
        self._module = module
        self._step: ContextVar[_Step | None] = ContextVar("memoir_step", default=None)
        self._hooks = [
            self._base.register_forward_pre_hook(self._begin, with_kwargs=True),
            self._base.register_forward_hook(self._end),
            self._place(host),
        ]

    def _begin(self, _model: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if not self._active():
            return
        given = self._given(args, kwargs)
        cache = given.get("past_key_values")
        before = 0 if cache is None else int(cache.get_seq_length())
        scope = self._scope_of(cache, before)
        self._step.set(_Step(scope, given.get("input_ids"), given.get("attention_mask"), before))

    def _end(self, _model: nn.Module, _args: Any, output: Any) -> None:
        step = self._step.get()
        if step is None or not self._active():
            return
        cache = getattr(output, "past_key_values", None)
        if cache is not None:
            self._by_cache[cache] = step.scope
        self._step.set(None)

    def _place(self, host: Host) -> RemovableHandle:
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
        scope = step.scope
        fed = Fed.of(step.ids, activations, step.attention, step.before, scope.prompt_lengths)
        if scope.route is None:
            scope.route = self._module.decide(activations, fed)
        return fed
