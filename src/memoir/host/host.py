"""Reading a model's activations, replaying its upper layers, and generating with it.

Layers below the site never change while editing, so a prompt goes through them once
(:meth:`Host.read`) and every optimisation step starts at the site's block (:meth:`Host.replay`).
The model's own forward does both: while a replay runs, blocks below the site hand the kept tensor
through. All of it is bound to the calling thread's context, so that another thread may generate with
the same model meanwhile.
"""

from __future__ import annotations

import copy
import hashlib
import inspect
import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from contextvars import ContextVar
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase

from memoir.errors import ModelUnavailable, UnknownName
from memoir.host.offload import refuse_offloaded
from memoir.host.sites import find_site
from memoir.host.texts import Texts
from memoir.host.tokens import Encoded, TokenBatch

VOLATILE = ("_name_or_path", "architectures", "transformers_version", "dtype", "torch_dtype")
"""Entries of a config that saving, moving or loading a model changes, but not what it computes."""

_replaying = threading.Lock()
"""Held while blocks hand kept tensors through: two threads that exchange the same blocks' ``forward``
would put back each other's."""

_internal_pass: ContextVar[object | None] = ContextVar("memoir_internal_pass", default=None)
"""Set while memoir itself runs the model; attached modules stay out of such passes."""


def in_internal_pass() -> bool:
    """Whether the current forward pass is memoir's own reading or replaying."""
    return _internal_pass.get() is not None


class Reading(NamedTuple):
    """What the lower layers make of a batch.

    Attributes:
        tokens: the batch.
        activations: input of the site, at every position.
        hidden: input of the site's block, at the last positions: those that are replayed.
        before: key/value cache of the positions before them; None if there are none.
    """

    tokens: TokenBatch
    activations: Float[Tensor, "batch seq d_in"]
    hidden: Float[Tensor, "batch last hidden"]
    before: Any

    @property
    def last(self) -> int:
        """Positions that are replayed."""
        return int(self.hidden.shape[1])


class _Enough(Exception):
    """Unwinds a forward pass whose remaining layers nobody needs."""


class Host(Texts):
    """A causal language model with one site.

    Args:
        model: any Hugging Face causal language model; used in place, never copied.
        tokenizer: its tokenizer.
        site: layer index, module path, relative depth, or None for the paper's depth.
        name: how the model is called in stores and messages.

    Raises:
        UnknownName: no such site.
        ModelUnavailable: a part of the model is offloaded to disk.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        site: int | float | str | None = None,
        name: str | None = None,
    ) -> None:
        refuse_offloaded(model)
        super().__init__(model.eval(), tokenizer, name or _name_of(model))
        self.site = find_site(model, site)
        self._head = model.get_output_embeddings()
        self._accepted = frozenset(inspect.signature(model.forward).parameters)
        self._identity: dict[str, str] | None = None
        self._blocks_return_tuples = False  # GPT-J's do; seen when the lower layers are read

    # ------------------------------------------------------------------ facts about the model

    @property
    def device(self) -> torch.device:
        """Where inputs go."""
        return self.model.device

    def identity(self) -> dict[str, str]:
        """What binds a store to this model: a hash of its config and of the site's weight, as they are
        when this is first asked; methods that change weights do so later.

        Raises:
            ModelUnavailable: if the site's weight is offloaded and cannot be read.
        """
        if self._identity is None:
            self._identity = self._identified()
        return dict(self._identity)

    def _identified(self) -> dict[str, str]:
        weight = self.site.weight.detach()
        if weight.is_meta:
            raise ModelUnavailable(
                f"the weight of {self.site.path} is offloaded (it has no data here); "
                "load the model with a device_map that keeps that layer in memory."
            )
        config = self.model.config.to_dict()
        for volatile in VOLATILE:
            config.pop(volatile, None)
        digest = hashlib.sha256(json.dumps(config, sort_keys=True, default=str).encode())
        digest.update(self.site.path.encode())
        digest.update(weight.contiguous().cpu().view(torch.uint8).numpy().tobytes())
        dtype = str(weight.dtype).removeprefix("torch.")
        return {
            "model": self.name,
            "site": self.site.path,
            "dtype": dtype,
            "hash": digest.hexdigest(),
        }

    # ------------------------------------------------------------------ passes through the model

    def batch(self, rows: Sequence[Encoded]) -> TokenBatch:
        """The sequences as one left-padded batch on the model's device."""
        return TokenBatch.of(rows, self.pad_id, self.device)

    @torch.no_grad()
    def read(self, tokens: TokenBatch, last: int | None = None) -> Reading:
        """Run the layers up to the site, and no further but for what a replay needs.

        Args:
            tokens: the batch.
            last: how many last positions a replay shall run; what the upper layers attend to at
                those before them is computed now, once. None for all positions.
        """
        width = tokens.ids.shape[1]
        last = width if last is None else min(last, width)
        block, site = self.site.blocks[self.site.layer], self.site.module
        before, activations = None, []
        if last < width:
            captured, before = self._run_all(tokens, width - last, site)
            activations.append(captured)
        hook = self.site.blocks[0].register_forward_hook(self._look)
        try:
            captured_last = self._run_until(tokens, [block, site], last, before)
        finally:
            hook.remove()
        activations.append(captured_last[site])
        if activations[0].dim() != 3:
            raise UnknownName(
                f"'{self.site.path}' receives activations of shape {tuple(activations[0].shape)}, "
                "not (batch, seq, d_in), so prompts cannot be told apart there; choose another site."
            )
        return Reading(tokens, torch.cat(activations, dim=1), captured_last[block], before)

    @torch.no_grad()
    def read_layers(
        self, tokens: TokenBatch, layers: Sequence[int]
    ) -> list[Float[Tensor, "batch seq d_in"]]:
        """Inputs of the feed-forward output projections at several layers, in one pass."""
        modules = {layer: find_site(self.model, layer).module for layer in sorted(layers)}
        captured = self._run_until(tokens, list(modules.values()))
        return [captured[modules[layer]] for layer in layers]

    @torch.no_grad()
    def residual(self, tokens: TokenBatch, layer: int) -> Float[Tensor, "batch seq hidden"]:
        """The residual stream as it enters a block; no later layer is run."""
        block = self.site.blocks[layer]
        return self._run_until(tokens, [block])[block]

    def replay(
        self,
        reading: Reading,
        added: Float[Tensor, "rows last d_out"] | None = None,
        rows: Int[Tensor, " rows"] | None = None,
        keep: int = 0,
    ) -> Float[Tensor, "rows keep vocab"]:
        """Logits of the unedited model from the site's block on, at the last positions.

        Args:
            reading: what the lower layers made of the batch.
            added: added to the site's output; gradients flow into it.
            rows: which sequences to run; None for all.
            keep: compute logits at this many last positions only; 0 for all that are replayed.
        """

        def add(_module: nn.Module, _args: Any, output: Tensor) -> Tensor | None:
            return None if added is None else output + added.to(output.device, output.dtype)

        hidden, tokens = reading.hidden, reading.tokens
        if rows is not None:
            hidden, tokens = hidden[rows], tokens.rows(rows)
        before = _rows_of(reading.before, rows, self.site.layer)
        with _replaying, self._own_pass() as mine, ExitStack() as stack:
            kept = (hidden, None) if self._blocks_return_tuples else hidden
            for block in self.site.blocks[: self.site.layer]:
                stack.enter_context(_hands_through(block, kept, mine))
            hook = self.site.module.register_forward_hook(_only_in(mine, add))
            stack.callback(hook.remove)
            return self._forward(tokens, keep, reading.last, before)

    def logits(self, tokens: TokenBatch, keep: int = 0) -> Float[Tensor, "batch keep vocab"]:
        """Logits at the last ``keep`` positions (0 for all), attached modules taking part."""
        return self._forward(tokens, keep)

    def at(self, site: int | str) -> Host:
        """The same model with another site."""
        return Host(self.model, self.tokenizer, site, self.name)

    def generate(
        self, rows: Sequence[Encoded], max_new_tokens: int, exactly: bool = False
    ) -> list[list[int]]:
        """Greedy continuations of the prompts, as token ids without padding and without the end token.

        Attached modules take part. Every row gives what it would give alone (up to the rounding of
        batched matrix products).

        Args:
            rows: the prompts.
            max_new_tokens: longest continuation.
            exactly: do not let the end token stop it (for timing).
        """
        return self.begin(
            self.batch([Encoded(row.prompt) for row in rows]), max_new_tokens, exactly
        )[0]

    @torch.no_grad()
    def begin(
        self, tokens: TokenBatch, max_new_tokens: int, exactly: bool = False
    ) -> tuple[list[list[int]], Any]:
        """:meth:`generate` on a batch of prompts, with the key/value cache it leaves behind.

        Args:
            tokens: the prompts.
            max_new_tokens: 0 fills the cache with the prompts alone.
            exactly: as in :meth:`generate`.
        """
        if not max_new_tokens:
            return [[] for _ in tokens.ids], self.step(tokens.ids, tokens.attention, keep=1)[1]
        given = self.model.generation_config
        greedy = GenerationConfig(
            max_new_tokens=max_new_tokens,
            min_new_tokens=max_new_tokens if exactly else None,
            do_sample=False,
            pad_token_id=self.pad_id,
            eos_token_id=given.eos_token_id,
            bos_token_id=given.bos_token_id,
            return_dict_in_generate=True,
        )
        with _whole_input(self._head):
            output = self.model.generate(
                tokens.ids, attention_mask=tokens.attention.long(), generation_config=greedy
            )
        continuations = []
        for row in output.sequences[:, tokens.ids.shape[1] :].tolist():
            end = next((i for i, token in enumerate(row) if token in self.end_ids), len(row))
            continuations.append(row[:end])
        return continuations, output.past_key_values

    @torch.no_grad()
    def step(
        self,
        ids: Int[Tensor, "batch new"],
        attention: Bool[Tensor, "batch seq"],
        cache: Any = None,
        keep: int = 0,
    ) -> tuple[Float[Tensor, "batch keep vocab"], Any]:
        """Feed tokens that follow a cache (or begin one): their last logits, and the cache.

        Args:
            ids: the new tokens.
            attention: true at real tokens, those in the cache included.
            cache: what earlier tokens left behind.
            keep: logits at this many last positions only; 0 for all of the new ones.
        """
        positions = (attention.long().cumsum(dim=1) - 1).clamp_min(0)[:, -ids.shape[1] :]
        output = self._call(ids, attention, positions, keep, past_key_values=cache, use_cache=True)
        return output.logits[:, -keep:], output.past_key_values

    def _look(self, _block: nn.Module, _args: Any, output: Any) -> None:
        self._blocks_return_tuples = isinstance(output, tuple)

    def _forward(
        self, tokens: TokenBatch, keep: int = 0, last: int = 0, before: Any = None
    ) -> Tensor:
        """Logits at ``keep`` positions, feeding the ``last`` (0: all) behind a cache of the rest."""
        ids, positions = tokens.ids[:, -last:], tokens.position_ids[:, -last:]
        cached = {"past_key_values": before} if before is not None else {}
        output = self._call(
            ids, tokens.attention, positions, keep, use_cache=before is not None, **cached
        )
        logits: Tensor = output.logits
        return logits[:, -keep:]

    def _call(
        self, ids: Tensor, attention: Tensor, positions: Tensor, keep: int, **options: Any
    ) -> Any:
        if "position_ids" in self._accepted:
            options["position_ids"] = positions
        if "logits_to_keep" in self._accepted:
            options["logits_to_keep"] = keep
        with _whole_input(self._head):
            return self.model(input_ids=ids, attention_mask=attention.long(), **options)

    @contextmanager
    def _own_pass(self) -> Iterator[object]:
        mine = object()
        token = _internal_pass.set(mine)
        try:
            yield mine
        finally:
            _internal_pass.reset(token)

    def _run_until(
        self, tokens: TokenBatch, modules: Sequence[nn.Module], last: int = 0, before: Any = None
    ) -> dict[nn.Module, Tensor]:
        """Inputs of the modules, which are given in order of execution; stops at the last."""
        captured: dict[nn.Module, Tensor] = {}

        def capture(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            captured[module] = args[0] if args else kwargs["hidden_states"]
            if module is modules[-1]:
                raise _Enough

        with self._own_pass() as mine, ExitStack() as stack:
            for module in modules:
                hook = module.register_forward_pre_hook(_only_in(mine, capture), with_kwargs=True)
                stack.callback(hook.remove)
            with suppress(_Enough):
                self._forward(tokens, 1, last, _rows_of(before, None))
        return captured

    def _run_all(
        self, tokens: TokenBatch, first: int, site: nn.Module
    ) -> tuple[Float[Tensor, "batch first d_in"], Any]:
        """The site's inputs at the first positions, and the cache they leave in every layer."""
        captured: list[Tensor] = []

        def capture(_module: nn.Module, args: tuple[Any, ...]) -> None:
            captured.append(args[0])

        with self._own_pass() as mine:
            hook = site.register_forward_pre_hook(_only_in(mine, capture))
            try:
                ids, attention = tokens.ids[:, :first], tokens.attention[:, :first]
                output = self._call(
                    ids, attention, tokens.position_ids[:, :first], 1, use_cache=True
                )
            finally:
                hook.remove()
        return captured[0], output.past_key_values


def _name_of(model: PreTrainedModel) -> str:
    return str(model.config._name_or_path or type(model).__name__)


def _rows_of(cache: Any, rows: Tensor | None, from_layer: int = 0) -> Any:
    """A cache of some rows, to be extended without a trace in the one it was made from.

    Layers below ``from_layer`` are not run again; of them only the length counts.
    """
    if cache is None:
        return None
    mine = copy.copy(cache)
    mine.layers = [copy.copy(layer) for layer in cache.layers]
    if rows is not None:
        for layer in mine.layers[from_layer:]:
            layer.keys, layer.values = layer.keys[rows], layer.values[rows]
    return mine


def _only_in(mine: object, hook: Callable[..., Any]) -> Callable[..., Any]:
    """A hook that acts only in the pass it was made for, and leaves other threads alone."""
    return lambda *args: hook(*args) if _internal_pass.get() is mine else None


@contextmanager
def _whole_input(head: nn.Module | None) -> Iterator[None]:
    """While open, what this thread gives the head is contiguous.

    The last positions of a batch are not, as they are cut out of all. Torch multiplies those with the
    vocabulary sequence by sequence: nine times as slow as all at once for six of them, and slower still
    the way back.
    """
    if head is None:
        yield
        return
    mine = threading.get_ident()

    def gather(_head: nn.Module, args: tuple[Any, ...]) -> tuple[Any, ...] | None:
        return (args[0].contiguous(), *args[1:]) if threading.get_ident() == mine else None

    hook = head.register_forward_pre_hook(gather)
    try:
        yield
    finally:
        hook.remove()


@contextmanager
def _hands_through(block: nn.Module, kept: Any, mine: object) -> Iterator[None]:
    """While open, the block returns ``kept`` in place of its own output, in this pass only."""
    original = block.forward
    was_patched = "forward" in vars(block)

    def forward(*args: Any, **kwargs: Any) -> Any:
        if _internal_pass.get() is not mine:
            return original(*args, **kwargs)
        return kept

    block.forward = forward
    try:
        yield
    finally:
        if was_patched:
            block.forward = original
        else:
            del block.forward
