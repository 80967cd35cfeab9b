"""Deciding on prompts before the first layer runs, for modules that act in many layers.

Scopes, caches and ``model.generate()`` are those of :mod:`memoir.host.attachment`; only the decision is
made earlier, and the module acts where it likes: it asks :meth:`Beforehand.route` what was decided.
"""

from __future__ import annotations

from typing import Any, ClassVar

from torch import nn

from memoir.host.attachment import Attachment
from memoir.host.host import Host


class Beforehand(Attachment):
    """Attaches a module to a model's first block, until :meth:`undo`; its ``act`` is not called."""

    row_by_row: ClassVar[bool] = False  # whoever asks for the route means all rows

    def route(self) -> Any:
        """What was decided for the pass this thread is in; None in passes without the module."""
        return next((step.scope.route for step in self._under_way()), None)

    def _place(self, host: Host) -> Any:
        return host.site.blocks[0].register_forward_pre_hook(self._before, with_kwargs=True)

    def _before(self, _block: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        self._decided(args[0] if args else kwargs["hidden_states"])
