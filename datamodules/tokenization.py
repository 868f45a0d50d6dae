"""Texts to token ids: the one place that calls the tokenizer."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from transformers import PreTrainedTokenizerBase


def encode(
    tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], max_length: int, prefix: str = ""
) -> dict[str, torch.Tensor]:
    """Tokenises texts and pads them to the longest of them.

    Args:
        tokenizer: Of the backbone.
        texts: At least one.
        max_length: Longest row in tokens, special tokens and prefix included; what is longer is cut at its end.
        prefix: Put in front of each text.

    Returns:
        `input_ids` and `attention_mask`, both [len(texts), T] long.
    """
    encoded = tokenizer(
        [prefix + text for text in texts],
        truncation=True,
        max_length=max_length,
        padding="longest",
        return_tensors="pt",
    )
    return {"input_ids": encoded["input_ids"], "attention_mask": encoded["attention_mask"]}
