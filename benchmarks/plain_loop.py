"""The paper's edit as its authors make it, in plain PyTorch: what memoir's own speed is compared with.

A dense ``Wm`` beside the site, and in every step the whole model, forward and backward, over the prompt
and its ten copies behind prefixes. The backward pass ends at the site, since nothing below asks for
gradients. Settings and stop rule are those of the preset ``faithful``. What routing would take is given
away for free: a prompt is asked under its own mask.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from memoir.core.fingerprint import TopHash, prompt_mean
from memoir.host import Host
from memoir.host.tokens import TokenBatch
from memoir.methods.memoir import PREFIX_LENGTHS, PREFIX_SEEDS, MemoirConfig
from memoir.types import Edit


class PlainLoop:
    """One ``Wm`` that edits are trained into, one after the other.

    Args:
        host: its site is the faithful preset's.
        config: the faithful preset.
        top_hash: makes masks, as the preset was calibrated.
    """

    def __init__(self, host: Host, config: MemoirConfig, top_hash: TopHash) -> None:
        self._host = host
        self._config = config
        self._hash = top_hash
        self._weight = nn.Parameter(torch.zeros(host.site.d_out, host.site.d_in))
        seeds = [host.encode(seed) for seed in PREFIX_SEEDS]
        self._prefixes = [
            host.decode([*seed.prompt, *ids]) + ". "
            for length in PREFIX_LENGTHS
            for seed, ids in zip(seeds, host.generate(seeds, length), strict=True)
        ]

    def teach(self, edit: Edit) -> int:
        """Train on one edit; the number of steps it took."""
        texts = [prefix + edit.prompt for prefix in ("", *self._prefixes)]
        tokens = self._host.batch([self._host.encode(text, edit.target) for text in texts])
        config = self._config
        optimiser = torch.optim.SGD([self._weight], config.lr, weight_decay=config.weight_decay)
        assert config.stop_change is not None
        before = float("inf")
        with self._beside(self._mask(edit.prompt)):
            for step in range(config.max_steps):
                loss = self._loss(tokens)
                now = loss.item()
                if now <= config.stop_loss and abs(now - before) <= config.stop_change:
                    return step
                before = now
                optimiser.zero_grad()
                loss.backward()
                nn.utils.clip_grad_norm_([self._weight], config.clip_norm)
                optimiser.step()
        return config.max_steps

    def says(self, prompt: str, tokens: int) -> str:
        """Greedy text after a prompt."""
        with self._beside(self._mask(prompt)):
            (ids,) = self._host.generate([self._host.encode(prompt)], tokens)
        return self._host.decode(ids)

    def _loss(self, tokens: TokenBatch) -> Tensor:
        """Cross-entropy per target token, averaged over the texts."""
        output = self._host.model(
            input_ids=tokens.ids,
            attention_mask=tokens.attention.long(),
            position_ids=tokens.position_ids,
        )
        logits, ids, target = output.logits[:, :-1], tokens.ids[:, 1:], tokens.target[:, 1:]
        each = F.cross_entropy(logits.transpose(1, 2), ids, reduction="none")
        return ((each * target).sum(1) / target.sum(1)).mean()

    @torch.no_grad()
    def _mask(self, prompt: str) -> Tensor:
        tokens = self._host.batch([self._host.encode(prompt)])
        seen: list[Tensor] = []
        hook = self._host.site.module.register_forward_pre_hook(
            lambda _module, args: seen.append(args[0])
        )
        self._host.logits(tokens, keep=1)
        hook.remove()
        return self._hash(prompt_mean(seen[0], tokens.prompt))

    @contextmanager
    def _beside(self, mask: Tensor) -> Iterator[None]:
        def add(_module: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> Tensor:
            return output + F.linear(args[0] * mask, self._weight)

        hook = self._host.site.module.register_forward_hook(add)
        try:
            yield
        finally:
            hook.remove()
