"""The text of an answer, told as it grows.

A character may be spread over several tokens, and so may a text that ends the answer. What is not
certain yet is held back: half a character, and the beginning of what may become a stop text.
"""

from __future__ import annotations

from collections.abc import Sequence

from memoir.host.texts import Texts

CONTEXT = 5
"""Tokens of the prompt that are decoded with the first ones of the answer: some tokenizers drop the
space before a text's first token."""

HALF = "\ufffd"
"""What half a character is decoded to."""


class Decoder:
    """Tokens to text, a whole character at a time.

    Args:
        texts: decodes tokens.
        prompt: what came before.
    """

    def __init__(self, texts: Texts, prompt: Sequence[int]) -> None:
        self._tokenizer = texts.tokenizer
        self._ids = list(prompt[-CONTEXT:])  # those that are still decoded
        self._told = len(self._ids)
        self._text = self._decoded(self._ids)

    def add(self, id: int) -> str:
        """What a token makes certain; empty while a character is not whole."""
        self._ids.append(id)
        text = self._decoded(self._ids)
        # A token without text of its own, a special one, is no context for the next.
        return "" if text.endswith(HALF) or text == self._text else self._tell(text)

    def rest(self) -> str:
        """What is left when no token follows."""
        return self._tell(self._decoded(self._ids))

    def _tell(self, text: str) -> str:
        new = text[len(self._text) :]
        self._ids = self._ids[self._told :]
        self._told = len(self._ids)
        self._text = self._decoded(self._ids)
        return new

    def _decoded(self, ids: Sequence[int]) -> str:
        return str(
            self._tokenizer.decode(
                list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False
            )
        )


class Stops:
    """Ends a text before the first of some texts that is complete.

    Args:
        stops: these texts; empty ones are none.
    """

    def __init__(self, stops: Sequence[str]) -> None:
        self._stops = [stop for stop in stops if stop]
        self._held = ""
        self.stopped = False

    def add(self, text: str) -> str:
        """What can be told once this text has followed; nothing once it is stopped."""
        if self.stopped:
            return ""
        if not self._stops:
            return text
        self._held += text
        # That which is complete first, wherever the text was cut into tokens.
        found = [(at + len(stop), at) for stop in self._stops if (at := self._held.find(stop)) >= 0]
        if found:
            self.stopped = True
            certain = min(found)[1]
        else:
            certain = len(self._held) - max(_begun(self._held, stop) for stop in self._stops)
        told, self._held = self._held[:certain], self._held[certain:]
        return told

    def rest(self) -> str:
        """What was held back, when nothing follows."""
        return "" if self.stopped else self._held


def _begun(text: str, stop: str) -> int:
    """How many characters of a stop text the text ends with."""
    lengths = range(min(len(text), len(stop) - 1), 0, -1)
    return next((n for n in lengths if text.endswith(stop[:n])), 0)
