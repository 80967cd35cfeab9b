"""Reading a model's activations, replaying its upper layers, and generating with it.

Layers below the site never change while editing, so a prompt goes through them once
(:meth:`Host.read`) and every optimisation step starts at the site's block (:meth:`Host.replay`).
The model's own forward does both: while a replay runs, blocks below the site hand the kept tensor
through. All of it is bound to the calling thread's context, so that another thread may generate with
the same model meanwhile.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from contextvars import ContextVar
from typing import Any, NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from transformers import GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase

from memoir.errors import BadInput, ModelUnavailable, PromptTooLong, UnknownName
from memoir.host.sites import find_site
from memoir.host.tokens import Encoded, TokenBatch

VOLATILE = ("_name_or_path", "architectures", "transformers_version", "dtype", "torch_dtype")
"""Entries of a config that saving, moving or loading a model changes, but not what it computes."""

ATTACHED = ",.;:!?)]}%…"
"""What a text may go on with without a space."""

_internal_pass: ContextVar[object | None] = ContextVar("memoir_internal_pass", default=None)
"""Set while memoir itself runs the model; attached modules stay out of such passes."""


def in_internal_pass() -> bool:
    """Whether the current forward pass is memoir's own reading or replaying."""
    return _internal_pass.get() is not None


class Reading(NamedTuple):
    """What the lower layers make of a batch.

    Attributes:
        tokens: the batch.
        hidden: input of the site's block.
        activations: input of the site itself.
    """

    tokens: TokenBatch
    hidden: Float[Tensor, "batch seq hidden"]
    activations: Float[Tensor, "batch seq d_in"]

    def rows(self, rows: Tensor) -> Reading:
        """Some of the sequences."""
        return Reading(self.tokens.rows(rows), self.hidden[rows], self.activations[rows])


class _Enough(Exception):
    """Unwinds a forward pass whose remaining layers nobody needs."""


class Host:
    """A causal language model with one site.

    Args:
        model: any Hugging Face causal language model; used in place, never copied.
        tokenizer: its tokenizer.
        site: layer index, module path, or None for the paper's relative depth.
        name: how the model is called in stores and messages.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
        site: int | str | None = None,
        name: str | None = None,
    ) -> None:
        self.model = model.eval()
        self.tokenizer = tokenizer
        self.site = find_site(model, site)
        self.name = name or model.config._name_or_path or type(model).__name__
        self._accepted = frozenset(inspect.signature(model.forward).parameters)
        self._blocks_return_tuples = False  # GPT-J's do; seen when the lower layers are read

    # ------------------------------------------------------------------ facts about the model

    @property
    def device(self) -> torch.device:
        """Where inputs go."""
        return self.model.device

    @property
    def context_window(self) -> int | None:
        """Longest sequence the model takes, in tokens; None if its config does not say."""
        window = getattr(self.model.config, "max_position_embeddings", None)
        return int(window) if window else None

    @property
    def pad_id(self) -> int:
        """Token id used as padding; always masked, so its value does not matter."""
        pad = self.tokenizer.pad_token_id
        return int(pad if pad is not None else self.tokenizer.eos_token_id or 0)

    @property
    def end_ids(self) -> frozenset[int]:
        """Token ids that end a text."""
        ends = self.model.generation_config.eos_token_id
        return frozenset(ends if isinstance(ends, list) else [] if ends is None else [ends])

    def identity(self) -> dict[str, str]:
        """What binds a store to this model: a hash of its config and of the site's weight.

        Raises:
            ModelUnavailable: if the site's weight is offloaded and cannot be read.
        """
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

    # ------------------------------------------------------------------ text to tokens

    def encode(self, prompt: str, target: str | None = None) -> Encoded:
        """Token ids of a bare prompt and, after one space (none before a comma), of its target.

        Raises:
            BadInput: if the prompt or the target is empty.
            PromptTooLong: if both together exceed the context window.
        """
        for kind, text in (("prompt", prompt), ("target", target)):
            if text is not None and not text.strip():
                raise BadInput(f"the {kind} is empty ({text!r}); give it at least one word.")
        ids = list(self.tokenizer(prompt)["input_ids"])
        encoded = Encoded(ids, [] if target is None else self._target_ids(prompt, ids, target))
        return self._checked(encoded)

    def encode_chat(self, messages: Sequence[dict[str, str]]) -> Encoded:
        """Token ids of a conversation in the model's own chat template, ready for the answer.

        Args:
            messages: ``{"role": "system" | "user" | "assistant", "content": text}`` in order.

        Raises:
            BadInput: if the tokenizer has no chat template.
        """
        if not self.tokenizer.chat_template:
            raise BadInput(
                f"{self.name} has no chat template; ask it with a bare prompt instead (chat=False)."
            )
        text = self.tokenizer.apply_chat_template(
            list(messages), tokenize=False, add_generation_prompt=True
        )
        ids = self.tokenizer(text, add_special_tokens=False)["input_ids"]
        return self._checked(Encoded(list(ids)))

    def batch(self, rows: Sequence[Encoded]) -> TokenBatch:
        """The sequences as one left-padded batch on the model's device."""
        return TokenBatch.of(rows, self.pad_id, self.device)

    def _target_ids(self, prompt: str, prompt_ids: list[int], target: str) -> list[int]:
        gap = "" if prompt[-1].isspace() or target[0].isspace() or target[0] in ATTACHED else " "
        joint = list(self.tokenizer(prompt + gap + target)["input_ids"])
        if self.tokenizer.eos_token_id is not None and joint[-1:] == [self.tokenizer.eos_token_id]:
            joint = joint[:-1]  # some tokenizers close every text
        if joint[: len(prompt_ids)] == prompt_ids and len(joint) > len(prompt_ids):
            return joint[len(prompt_ids) :]
        # The tokenizer merged across the seam: keep the prompt's own tokens, as at asking time.
        return list(self.tokenizer(gap + target, add_special_tokens=False)["input_ids"])

    def _checked(self, encoded: Encoded) -> Encoded:
        window = self.context_window
        length = len(encoded.ids)
        if window is not None and length > window:
            raise PromptTooLong(
                f"prompt and target take {length} tokens ({len(encoded.prompt)} + "
                f"{len(encoded.target)}), but {self.name} reads at most {window}; shorten the prompt."
            )
        return encoded

    # ------------------------------------------------------------------ passes through the model

    @torch.no_grad()
    def read(self, tokens: TokenBatch) -> Reading:
        """Run the layers up to the site, and no further."""
        block = self.site.blocks[self.site.layer]

        def look(_block: nn.Module, _args: Any, output: Any) -> None:
            self._blocks_return_tuples = isinstance(output, tuple)

        hook = self.site.blocks[0].register_forward_hook(look)
        try:
            captured = self._run_until(tokens, [block, self.site.module])
        finally:
            hook.remove()
        activations = captured[self.site.module]
        if activations.dim() != 3:
            raise UnknownName(
                f"'{self.site.path}' receives activations of shape {tuple(activations.shape)}, not "
                "(batch, seq, d_in), so prompts cannot be told apart there; choose another site."
            )
        return Reading(tokens, captured[block], activations)

    @torch.no_grad()
    def read_layers(
        self, tokens: TokenBatch, layers: Sequence[int]
    ) -> list[Float[Tensor, "batch seq d_in"]]:
        """Inputs of the feed-forward output projections at several layers, in one pass."""
        modules = {layer: find_site(self.model, layer).module for layer in sorted(layers)}
        captured = self._run_until(tokens, list(modules.values()))
        return [captured[modules[layer]] for layer in layers]

    def replay(
        self,
        reading: Reading,
        added: Float[Tensor, "batch seq d_out"] | None = None,
        keep: int = 0,
    ) -> Float[Tensor, "batch keep vocab"]:
        """Logits of the unedited model from the site's block on.

        Args:
            reading: what the lower layers made of the batch.
            added: added to the site's output; gradients flow into it.
            keep: compute logits at this many last positions only; 0 for all.
        """

        def add(_module: nn.Module, _args: Any, output: Tensor) -> Tensor | None:
            return None if added is None else output + added.to(output.device, output.dtype)

        with self._own_pass() as mine, ExitStack() as stack:
            kept = (reading.hidden, None) if self._blocks_return_tuples else reading.hidden
            for block in self.site.blocks[: self.site.layer]:
                stack.enter_context(_hands_through(block, kept, mine))
            hook = self.site.module.register_forward_hook(_only_in(mine, add))
            stack.callback(hook.remove)
            return self._forward(reading.tokens, keep)

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

    def decode(self, ids: Sequence[int]) -> str:
        """Text of generated ids: special tokens removed, outer white space stripped."""
        return str(self.tokenizer.decode(list(ids), skip_special_tokens=True)).strip()

    def begins_anew(self, id: int) -> bool:
        """Whether a token starts a new word, line or sentence rather than going on inside a word."""
        pieces = self.tokenizer.convert_ids_to_tokens([id])
        text = self.tokenizer.convert_tokens_to_string(list(pieces))
        if id in self.tokenizer.all_special_ids:
            return True
        # A piece of a character (shown as U+FFFD) or a combining mark goes on inside a word too.
        first = text[:1]
        inside = not first or first.isalnum() or first == "\ufffd"
        return not inside and not unicodedata.combining(first)

    def _forward(self, tokens: TokenBatch, keep: int = 0) -> Tensor:
        output = self._call(
            tokens.ids, tokens.attention, tokens.position_ids, keep, use_cache=False
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
        self, tokens: TokenBatch, modules: Sequence[nn.Module]
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
                self._forward(tokens, keep=1)
        return captured


def _only_in(mine: object, hook: Callable[..., Any]) -> Callable[..., Any]:
    """A hook that acts only in the pass it was made for, and leaves other threads alone."""
    return lambda *args: hook(*args) if _internal_pass.get() is mine else None


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
