"""Texts to token ids and rows to tensors: the one place that calls the tokenizer."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from transformers import PreTrainedTokenizerBase

_TEXTS_AT_A_TIME = 1000


def token_ids(
    tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], max_length: int, prefix: str = ""
) -> list[list[int]]:
    """Tokenises texts, with special tokens.

    Args:
        tokenizer: Of the backbone.
        texts: Any number of them.
        max_length: Longest row in tokens, special tokens and prefix included; longer texts lose their end.
        prefix: Put in front of each text.
    """
    rows: list[list[int]] = []
    for start in range(0, len(texts), _TEXTS_AT_A_TIME):
        some = [prefix + text for text in texts[start : start + _TEXTS_AT_A_TIME]]
        rows += tokenizer(some, truncation=True, max_length=max_length, return_attention_mask=False)[
            "input_ids"
        ]
    return rows


def padded(rows: Sequence[Sequence[int]], pad_id: int) -> dict[str, torch.Tensor]:
    """Pads rows on the right to the longest of them.

    Args:
        rows: Token ids; at least one row.
        pad_id: Of the tokenizer.

    Returns:
        `input_ids` and `attention_mask`, both [len(rows), T] long.
    """
    shape = len(rows), max(map(len, rows))
    input_ids = torch.full(shape, pad_id)
    attention_mask = torch.zeros(shape, dtype=torch.long)
    for place, row in enumerate(rows):
        input_ids[place, : len(row)] = torch.tensor(row)
        attention_mask[place, : len(row)] = 1
    return {"input_ids": input_ids, "attention_mask": attention_mask}
