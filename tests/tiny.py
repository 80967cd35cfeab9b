"""Tiny random models of every supported family, and a byte-level tokenizer for them.

They are for shapes and contracts only: nothing they say means anything.
"""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import (
    AutoModelForCausalLM,
    Gemma2Config,
    Gemma3TextConfig,
    GemmaConfig,
    GPT2Config,
    GPTJConfig,
    GPTNeoXConfig,
    LlamaConfig,
    MistralConfig,
    PhiConfig,
    PreTrainedConfig,
    PreTrainedModel,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen3Config,
)

VOCAB = 260  # 256 bytes and four special tokens
CHAT_TEMPLATE = (
    "{% for message in messages %}<{{ message['role'] }}>{{ message['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)

_LLAMA_LIKE = {
    "vocab_size": VOCAB,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 256,
    "pad_token_id": 1,
    "bos_token_id": 0,
    "eos_token_id": 2,
}
_GPT_LIKE = {
    "vocab_size": VOCAB,
    "n_embd": 32,
    "n_layer": 4,
    "n_head": 4,
    "n_inner": 64,
    "n_positions": 256,
    "bos_token_id": 0,
    "eos_token_id": 2,
}
_NEOX_LIKE = {
    key: value
    for key, value in _LLAMA_LIKE.items()
    if key not in ("num_key_value_heads", "head_dim")
}

CONFIGS: dict[str, PreTrainedConfig] = {
    "llama": LlamaConfig(**_LLAMA_LIKE),
    "mistral": MistralConfig(**_LLAMA_LIKE, sliding_window=16),
    "qwen2": Qwen2Config(**{k: v for k, v in _LLAMA_LIKE.items() if k != "head_dim"}),
    "qwen3": Qwen3Config(**_LLAMA_LIKE),
    "gemma": GemmaConfig(**_LLAMA_LIKE, tie_word_embeddings=False),
    "gemma2": Gemma2Config(**_LLAMA_LIKE, sliding_window=16, query_pre_attn_scalar=8),
    "gemma3": Gemma3TextConfig(**_LLAMA_LIKE, sliding_window=16, query_pre_attn_scalar=8),
    "gptj": GPTJConfig(**_GPT_LIKE, rotary_dim=4),
    "gpt2": GPT2Config(**_GPT_LIKE, tie_word_embeddings=False),
    "gpt_neox": GPTNeoXConfig(**_NEOX_LIKE),
    "phi": PhiConfig(**_NEOX_LIKE, num_key_value_heads=4),
}


def model(family: str, seed: int = 0, dtype: torch.dtype = torch.float32) -> PreTrainedModel:
    """A random model of a family, in evaluation mode, with weights large enough to matter.

    Where it has a head of its own, that one is larger still: a model that is sure of what it says
    can be taught to be sure of something else.
    """
    torch.manual_seed(seed)
    config = deepcopy(CONFIGS[family])  # a test may change its model's
    made = AutoModelForCausalLM.from_config(config, attn_implementation="eager")
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            if parameter.dim() > 1:
                parameter.mul_(6.0)
            if "post_feedforward_layernorm" in name:  # or the site could not be heard
                parameter.fill_(5.0)
        if not made.config.tie_word_embeddings:
            made.get_output_embeddings().weight.mul_(4.0)
    return made.to(dtype).eval().requires_grad_(False)


def tokenizer() -> PreTrainedTokenizerFast:
    """One token a byte; ids 0 to 3 are ``<s> <pad> </s> <unk>``."""
    specials = ["<s>", "<pad>", "</s>", "<unk>"]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocabulary = {token: i for i, token in enumerate(specials + alphabet)}
    raw = Tokenizer(models.BPE(vocab=vocabulary, merges=[], unk_token="<unk>"))
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.decoder = decoders.ByteLevel()
    made = PreTrainedTokenizerFast(
        tokenizer_object=raw,
        bos_token="<s>",
        pad_token="<pad>",
        eos_token="</s>",
        unk_token="<unk>",
    )
    made.chat_template = CHAT_TEMPLATE
    return made


def save(folder: Path, family: str = "llama", seed: int = 0) -> Path:
    """A tiny model with its tokenizer, saved as a checkpoint folder."""
    model(family, seed).save_pretrained(folder)
    tokenizer().save_pretrained(folder)
    return folder
