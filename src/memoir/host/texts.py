"""What the tokenizer knows: text to token ids and back, with a conversation's template around it."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Bool
from torch import Tensor
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from memoir.errors import BadInput, PromptTooLong
from memoir.host.tokens import Encoded

ATTACHED = ",.;:!?)]}%…"
"""What a text may go on with without a space."""


class Texts:
    """The half of a host that turns texts into tokens.

    Args:
        model: for its context window and its end tokens.
        tokenizer: its tokenizer.
        name: how the model is called in messages.
    """

    def __init__(
        self, model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, name: str
    ) -> None:
        self.model: Any = model
        self.tokenizer = tokenizer
        self.name = name
        self._anew: Tensor | None = None

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

    def encode_chat(self, messages: Sequence[dict[str, str]], target: str | None = None) -> Encoded:
        """Token ids of a conversation in the model's own chat template, ready for the answer.

        Args:
            messages: ``{"role": "system" | "user" | "assistant", "content": text}`` in order.
            target: the answer, if its ids are wanted too.

        Raises:
            BadInput: if the tokenizer has no chat template.
            PromptTooLong: if both together exceed the context window.
        """
        if not self.has_chat:
            raise BadInput(
                f"{self.name} has no chat template; ask it with a bare prompt instead (chat=False)."
            )
        text = str(
            self.tokenizer.apply_chat_template(
                list(messages), tokenize=False, add_generation_prompt=True
            )
        )
        ids = list(self.tokenizer(text, add_special_tokens=False)["input_ids"])
        if target is None:
            return self._checked(Encoded(ids))
        joint = list(self.tokenizer(text + target, add_special_tokens=False)["input_ids"])
        if joint[: len(ids)] != ids or len(joint) == len(ids):
            joint = [*ids, *self.tokenizer(target, add_special_tokens=False)["input_ids"]]
        return self._checked(Encoded(ids, joint[len(ids) :]))

    @property
    def has_chat(self) -> bool:
        """Whether the tokenizer has a chat template."""
        return bool(self.tokenizer.chat_template)

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

    def decode(self, ids: Sequence[int]) -> str:
        """Text of generated ids: special tokens removed, outer white space stripped."""
        return str(self.tokenizer.decode(list(ids), skip_special_tokens=True)).strip()

    def wordings(self, target: str) -> list[list[int]]:
        """Token ids of a target after a space, and without one."""
        forms = (f" {target}", target)
        found = [list(self.tokenizer(f, add_special_tokens=False)["input_ids"]) for f in forms]
        return found if found[0] != found[1] else found[:1]

    def raw(self, ids: Sequence[int]) -> str:
        """Text of a prompt's ids, special tokens and white space kept."""
        return str(
            self.tokenizer.decode(
                list(ids), skip_special_tokens=False, clean_up_tokenization_spaces=False
            )
        )

    def begins_anew(self) -> Bool[Tensor, " vocab"]:
        """Which tokens start a new word, line or sentence rather than go on inside a word.

        Found once. Ids beyond the tokenizer's, which pad some models' vocabulary, start nothing.
        """
        if self._anew is None:
            # Behind another letter, since some tokenizers drop the space of a text's first token.
            (letter, *_) = self.tokenizer("a", add_special_tokens=False)["input_ids"]
            before = self.tokenizer.decode([letter])
            texts = self.tokenizer.batch_decode([[letter, id] for id in range(len(self.tokenizer))])
            size = self.model.get_output_embeddings().weight.shape[0]
            anew = torch.zeros(max(size, len(texts)), dtype=torch.bool)
            anew[: len(texts)] = torch.tensor([_anew(text[len(before) :]) for text in texts])
            anew[self.tokenizer.all_special_ids] = True
            self._anew = anew[:size]
        return self._anew


def _anew(text: str) -> bool:
    """Whether a text goes on with something that is no part of the word before it."""
    first = text[:1]
    # A piece of a character (shown as U+FFFD) or a combining mark goes on inside a word too.
    inside = not first or first.isalnum() or first in "\ufffd'’_"
    return not inside and not unicodedata.combining(first)
